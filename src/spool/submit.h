/*
 * The client side of qmail-queue: $QMAILQUEUE or bin/qmail-queue, message on
 * its descriptor 0, envelope on 1, its own words on 4 and 6.
 *
 * The program may be anything: one that reads nothing, says too much or leaves
 * a child behind that holds its descriptors does not block the caller beyond
 * the deadline, and one that exits 0 without having read all has not queued
 * the message.  Callers ignore SIGPIPE and do not ignore SIGCHLD.
 */
#ifndef SPOOL_SUBMIT_H
#define SPOOL_SUBMIT_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	SUBMIT_BUFFER = 8192,
	SUBMIT_CUSTOM_MAX = 255,
	SUBMIT_STOP_MS = 1000 /* for the child to end after a SIGTERM */
};

struct submit {
	pid_t pid; /* of the child: the "qp" number */
	int message_fd, envelope_fd, custom_fd;
	bool failed; /* a write failed; nothing more is sent */
	/* Of a program in the place of qmail-queue: the pipes' reading ends,
	 * to see whether it has read all; -1: not known. */
	bool is_foreign;
	bool has_group; /* it leads a process group */
	int message_left_fd, envelope_left_fd;
	/* Bounds every write; IO_FOREVER after submit_open, callers may set it.
	 * When it passes nothing more is sent, and submit_close says so. */
	int64_t deadline_ms;
	size_t custom_len; /* of the child's own words, kept so far */
	char custom[SUBMIT_CUSTOM_MAX + 1];
	size_t used;
	char buffer[SUBMIT_BUFFER];
};

/*
 * Starts the program.  0, or QE_SYS and nothing to clean up (no descriptors,
 * no process: answer "451 qqt failure").
 */
int submit_open(struct submit *s);
/*
 * The same for callers with a deadline and no terminal: a program in the place
 * of qmail-queue leads a process group, so that nothing of it outlives the
 * deadline.
 */
int submit_open_group(struct submit *s);
void submit_message(struct submit *s, struct strv bytes);
/*
 * Ends the message and begins the envelope.  An address with a NUL makes the
 * whole submission fail; callers refuse it before (address_is_poisoned).
 */
void submit_sender(struct submit *s, struct strv sender);
void submit_recipient(struct submit *s, struct strv recipient);

struct submit_result {
	bool ok;
	bool permanent; /* else temporary */
	/* As in the table of qmail-queue(8), without the first letter,
	 * e.g. "qq out of memory (#4.3.0)"; control characters removed. */
	char text[SUBMIT_CUSTOM_MAX + 1];
};

/*
 * Commits: sends the final NUL and waits.  deadline_ms (IO_FOREVER: none)
 * bounds the wait; when it passes the child gets SIGTERM and a second more,
 * and the result is temporary unless it has ended well meanwhile.  Our
 * qmail-queue takes back what it has queued once it has had a SIGTERM, however
 * long the disk keeps it.  A program in its place that is still there is
 * killed, and after submit_open_group so is all that it has started.
 */
void submit_close(
    struct submit *s, int64_t deadline_ms, struct submit_result *out);
/*
 * Gives up: nothing is queued.  The child is gone, or killed, afterwards; it
 * gets ten seconds to notice, and no more than s->deadline_ms leaves it.
 */
void submit_abort(struct submit *s);

/*
 * The text for an exit code of qmail-queue: "Dmail server ..."; -1
 * stands for a signal, and 0 gives an empty text.
 */
const char *submit_exit_text(int exit_code);

#endif
