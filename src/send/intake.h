/*
 * qmail-todo's inside: where new messages come from, what becomes of them,
 * and what qmail-send has in its hands.
 *
 *   qmail-todo.c  start-up, the loop, qmail-send's commands
 *   intake.c      one new message: resolved, handed over
 *   search.c      which messages there are: trigger, todo/, leftovers
 *   batch.c       records on their way to the disk
 */
#ifndef SEND_INTAKE_H
#define SEND_INTAKE_H

#include "conf/resolve.h"
#include "send/dirwalk.h"
#include "send/idset.h"
#include "send/outpipe.h"
#include "send/record.h"
#include "send/schedule.h"
#include "send/todo_link.h"
#include "spool/queue.h"
#include "spool/trigger.h"

enum {
	INTAKE_FRESH_BYTES = 4096,  /* envelope of a fresh message */
	INTAKE_QUEUED_MAX = 1000,   /* on disk, and todo not yet cleaned */
	INTAKE_PENDING_MAX = 65536, /* ids; more are found by a search */
	INTAKE_OUT_FULL = 1 << 18,  /* bytes for qmail-send: pause */
	INTAKE_RETRY = 123,         /* seconds after trouble of our own */
	INTAKE_PER_TURN = 64,
	INTAKE_ADDRESS_MAX = 8000, /* qmail-send reads no longer records */
	BATCH_MAX = 16
};

/* Records of one message on their way to the disk. */
struct batch_job {
	struct record record;
	bool is_answer;   /* to LINK_WRITE; else a new message */
	bool is_flawed;   /* the message's own fault, not the disk's */
	struct buf reply; /* for qmail-send when all is durable */
};

struct batch {
	struct batch_job jobs[BATCH_MAX];
	unsigned count;
};

struct intake {
	int64_t now;
	struct queue_layout layout;
	int queue_fd;
	struct resolver *resolver;
	struct outpipe out;
	struct buf in;
	bool stopped; /* no more new messages */
	uint64_t credit;
	struct idset fresh, queued; /* in qmail-send's hands */
	struct idset again; /* announced while there: look when released */
	struct id_fifo announced; /* by the trigger */
	struct id_fifo found;     /* by a search: may have old records */
	uint64_t held; /* fresh, but without credit on a full disk; or 0 */
	int64_t disk_full_until;
	struct batch batch;
	struct buf envelope, scratch, routed; /* of the message in work */
	/* search.c */
	struct trigger trigger;
	struct dirwalk todo_walk, mess_walk;
	bool searching, search_again, searched; /* ... once at least */
	bool cleaning;
	int64_t next_search, next_cleanup;
};

/* qmail-todo.c: a line for qmail-send's log. */
void intake_note(struct intake *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void intake_note_file(
    struct intake *t, const char *what, const char *path, const char *rest);
/* Puts a message into the pipe; false if there is no room. */
bool intake_tell(struct intake *t, const struct link_message *message);

/* intake.c */
/* Some new messages; true if there are more that can be worked on now. */
bool intake_turn(struct intake *t);
/* qmail-send is through with todo/<id>. */
void intake_release(struct intake *t, uint64_t id);
/* LINK_WRITE */
void intake_write(struct intake *t, const struct link_message *message);

/* batch.c */
struct batch_job *batch_add(struct intake *t);
/* Flushes all records and tells qmail-send. */
void batch_commit(struct intake *t);

/* search.c */
void search_start(struct intake *t);
void search_turn(struct intake *t);
/* What the trigger says. */
void search_listen(struct intake *t);
/* When search_turn wants to be called next. */
int64_t search_next(const struct intake *t);

#endif
