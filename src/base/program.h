/*
 * The skeleton of every program: it owns the dangerous order.
 *
 * Standard descriptors, umask, signals, resource limits, home: in this order,
 * before the first byte from a stranger is read.
 */
#ifndef BASE_PROGRAM_H
#define BASE_PROGRAM_H

#include <stdbool.h>
#include <sys/types.h>

enum program_flags {
	PROGRAM_HOME = 1,         /* chdir to the home, else exit 111 */
	PROGRAM_FD0 = 2,          /* descriptor 0 must be open, else exit 111 */
	PROGRAM_FD1 = 4,          /* descriptor 1 must be open */
	PROGRAM_KEEP_SIGPIPE = 8, /* leave SIGPIPE at its default action */
	PROGRAM_KEEP_UMASK = 16
};

struct program {
	const char *name; /* for messages: "<name>: fatal: ..." */
	unsigned flags;   /* enum program_flags */
	mode_t umask;     /* unless PROGRAM_KEEP_UMASK */
};

/*
 * Descriptors 0-2 that are closed are opened on /dev/null unless the flags
 * demand them; SIGPIPE and SIGXFSZ are ignored; core files are off; PATH gets
 * no change.  Ends the program with a message naming what is missing.
 */
void program_begin(const struct program *program);

/*
 * The home: $QMAILHOME (never in a setuid or setgid program), else the path
 * given to make.
 */
const char *program_home(void);
/* The same, deaf to the environment whatever the ids: for qmail-queue. */
const char *program_home_built_in(void);

#endif
