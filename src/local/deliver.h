/*
 * Carries out delivery instructions in their order (qmail-local(8)).
 */
#ifndef LOCAL_DELIVER_H
#define LOCAL_DELIVER_H

#include "local/dot_qmail.h"
#include "local/environment.h"

#include <stdbool.h>
#include <stdint.h>

struct delivery {
	const struct local_mail *mail;
	const struct local_lines *lines;
	int message_fd; /* shared with programs: any offset at any time */
	bool dry_run;   /* -n: say it, do not do it */
	bool forward_only;
	uint64_t files, forwards, programs;
	struct buf recipients; /* of forwards, each ended by a NUL */
	struct buf new_sender; /* a C string once known */
	bool environment_set;
	struct dot_qmail continued; /* by a "%name" line: where we are now */
	unsigned continuations;
	struct buf scratch;
	struct buf report;    /* for descriptor 1 after success, or with -n */
	struct buf complaint; /* for descriptor 2 after failure */
};

void delivery_init(struct delivery *d, const struct local_mail *mail,
    const struct local_lines *lines, int message_fd);
/*
 * 0 with a report; or EX_PERMANENT or EX_TEMPORARY with a complaint, which is
 * empty if a program ended that way: it has spoken for itself.
 */
int delivery_run(struct delivery *d, struct strv instructions);
void delivery_clear(struct delivery *d);

/* What keeps a .qmail file from being used, as a line; a QE_ code from r. */
int delivery_fail_file(struct delivery *d, int r, const char *name);

/* Adds a line to the complaint and returns code. */
int delivery_fail(struct delivery *d, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
