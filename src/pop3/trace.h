/*
 * The log of a POP3 session: control/log/pop3_in, pop3_out and pop3_fd.
 *
 * Secrets never get into it: what follows PASS, the digest of APOP, all that
 * is said during AUTH, and lines that are no command, as they may be one of
 * these gone astray, appear as "[...]".  Mail is not logged.
 */
#ifndef POP3_TRACE_H
#define POP3_TRACE_H

#include "base/strv.h"

#include <sys/types.h>

struct pop3_trace {
	int fd;       /* 0: no log */
	bool in, out; /* commands, replies */
	pid_t pid;    /* of the session, as tcpserver knows it */
};

/* "C: <line>", if commands are logged. */
void trace_client(const struct pop3_trace *t, struct strv line);
/* "C: [...]" for a line of AUTH. */
void trace_secret(const struct pop3_trace *t);
/* "S: <status> <text>", if replies are logged. */
void trace_server(
    const struct pop3_trace *t, const char *status, const char *text);
/* A line of the log, whatever else is logged. */
void trace_event(const struct pop3_trace *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * For the next program: $POP3LOG says what is logged and where; without any
 * of it, nothing.  0 or QE_NOMEM.
 */
int trace_to_environment(const struct pop3_trace *t);
/* And back; the descriptor is close-on-exec from then on. */
void trace_from_environment(struct pop3_trace *t);

#endif
