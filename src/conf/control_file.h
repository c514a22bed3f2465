/* What control.c, control_set.c and qmail-showctl share about the files. */
#ifndef CONF_CONTROL_FILE_H
#define CONF_CONTROL_FILE_H

#include "conf/control.h"

enum {
	CONTROL_VALUE_MAX = 64 << 10 /* bytes of a file with one value */
};

/*
 * Appends the whole file.  0, QE_ABSENT, QE_SYNTAX (a NUL byte), QE_LIMIT,
 * QE_SYS, QE_NOMEM; err tells of each but QE_ABSENT: most controls are absent
 * and have a default.
 */
int control_file_read(enum ctl id, struct buf *out, struct control_error *err);
/* No control file holds a NUL: 0 or QE_SYNTAX. */
int control_check_bytes(
    struct strv text, const char *name, struct control_error *err);
/* "<name> line <line>: <why>"; without the line if it is 0. */
void control_error_set(struct control_error *err, const char *name,
    unsigned line, const char *why);

#endif
