/* Runs one plugin: a program of the operator, bounded in time and words. */
#ifndef SMTPD_PLUGIN_CHILD_H
#define SMTPD_PLUGIN_CHILD_H

#include "smtpd/session.h"

enum {
	PLUGIN_LOG_MAX =
	    4096, /* bytes of a run's descriptor 2 that are logged */
	PLUGIN_EXIT_EXEC = 120 /* the program could not be run */
};

struct plugin_child {
	char *const *argv;
	char *const *variables; /* "NAME=value", NULL at the end; added */
	int input_fd;           /* its descriptor 0, or SPAWN_FD_NULL */
	int64_t deadline_ms;
};

/*
 * Runs it to its end and appends to output, whose max bounds it, what it
 * says.  0, or a negative code, which is logged: it could not be run, was
 * killed, took too long or said too much.  Its exit code is nothing but 120.
 * A process that it leaves behind is not waited for.
 */
int plugin_child_run(const struct session *s, const struct plugin_child *child,
    struct buf *output);

#endif
