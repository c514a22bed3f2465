/*
 * The loop of qmail-lspawn and qmail-rspawn: requests on descriptor 0, one
 * child for each delivery, reports on descriptor 1 (qmail-lspawn(8)).
 *
 * What differs between the two is a struct spawner_role.  Nothing waits for
 * anything but the poll: not for a child, a slow reader or a look-up.
 */
#ifndef SEND_SPAWNER_H
#define SEND_SPAWNER_H

#include "base/buf.h"
#include "base/spawn.h"
#include "send/spawner_report.h"
#include "send/spawner_request.h"

#include <poll.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	SPAWNER_SLOTS_CLASSIC = 120, /* announced in one byte */
	SPAWNER_SLOTS_MAX = 65000,
	SPAWNER_NUMBER_BYTES_MAX = 2,
	SPAWNER_REPORTS_PAUSE = 65536, /* bytes unread: no more requests */
	/* Reports are never lost: room for one of each slot, and for flaws. */
	SPAWNER_REPORT_ROOM = SPAWNER_REPORT_MAX + 100,
	SPAWNER_REPORTS_MAX = 8 << 20
};

enum spawner_job_state {
	JOB_FREE,
	JOB_WAITING, /* the role will call spawner_run or spawner_finish */
	JOB_RUNNING
};

struct spawner_job {
	enum spawner_job_state state;
	int message_fd; /* until the child has it */
	int output_fd;  /* our end of the child's 1 and 2; -1: closed */
	pid_t pid;
	struct buf sender, recipient; /* also readable as C strings */
	struct buf output;
	bool output_cut;
	uint64_t serial;     /* order of arrival */
	int64_t deadline_ms; /* the role's; only while waiting */
	void *owner;         /* the role's */
};

struct spawner;

struct spawner_role {
	size_t output_max; /* bytes of a child's words that are kept */
	void (*report)(const struct spawner_child *child, struct buf *out);
	/*
	 * Begins a delivery: calls spawner_run or spawner_finish, or sets
	 * JOB_WAITING and does so later.
	 */
	void (*begin)(struct spawner *s, struct spawner_job *job);
	/* The rest may be NULL.  A descriptor to poll for reading, or -1. */
	int (*side_fd)(const struct spawner *s);
	void (*side_ready)(struct spawner *s);
	/* Called before each wait; returns when it wants to be called next. */
	int64_t (*tick)(struct spawner *s);
	/* A child that is none of the jobs' has ended. */
	void (*reaped)(struct spawner *s, pid_t pid);
	/* A delivery has been reported; its output is still there. */
	void (*released)(struct spawner *s, struct spawner_job *job);
};

struct spawner {
	const struct spawner_role *role;
	void *context; /* the role's */
	uid_t queue_owner;
	bool input_ended, reader_gone;
	uint64_t serial;
	struct spawner_request request;
	struct buf reports;
	struct spawner_job *jobs; /* owned */
	unsigned slots, busy, running;
	struct pollfd *polled; /* owned; slots and a few */
};

/*
 * Changes from the home to queue/mess, says how many deliveries are possible
 * (slots, at least the classic number), and serves until descriptor 0 ends and
 * all children have.  Ends the program with 111 if it cannot go on.
 */
void spawner_serve(struct spawner *s, const struct spawner_role *role,
    void *context, unsigned slots);

/* Starts the child (descriptors are filled in here) or reports why not. */
void spawner_run(struct spawner *s, struct spawner_job *job, struct spawn *how);
/* Ends a job without a child: "K", or a whole report with its letter. */
void spawner_finish(
    struct spawner *s, struct spawner_job *job, const char *report);
/* The same, as if a child had said this and exited well. */
void spawner_finish_output(
    struct spawner *s, struct spawner_job *job, struct strv output);
/* The same, as if a child had exited so. */
void spawner_finish_code(
    struct spawner *s, struct spawner_job *job, int exit_code);

#endif
