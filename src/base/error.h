/*
 * Result codes of the library rooms, and the fixed texts for system errors.
 *
 * Library functions return 0 or one of the negative codes below; they neither
 * print nor exit.  QE_SYS means "look at errno".
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdbool.h>

enum qe {
	QE_OK = 0,
	QE_SYS = -1,     /* a system call failed; errno says why */
	QE_NOMEM = -2,   /* out of memory */
	QE_LIMIT = -3,   /* a named limit was reached */
	QE_SYNTAX = -4,  /* input does not parse */
	QE_EOF = -5,     /* input ended early, or the peer is gone */
	QE_TIMEOUT = -6, /* a deadline passed */
	QE_ABSENT = -7,  /* the thing asked for does not exist */
	QE_DENIED = -8,  /* ownership or mode forbids its use */
	QE_TEMP = -9,    /* a temporary failure elsewhere (DNS, helper) */
	QE_CORRUPT = -10 /* a file of our own is damaged */
};

/* The interface's fixed lower-case text for an errno value; never NULL. */
const char *error_text(int errnum);

/* True if errnum is one of those that decide 111 instead of 100. */
bool error_is_temporary(int errnum);

/* Text for a result code; for QE_SYS that of errno.  Never NULL. */
const char *error_result_text(int result);

#endif
