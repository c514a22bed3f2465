/*
 * qmail-send's inside: everything it knows, in one struct, and what its files
 * ask of each other.
 *
 *   qmail-send.c  start-up, signals, the end
 *   events.c      poll(2) and who is called
 *   todo_client.c the preprocessor's pipes: new messages, records
 *   message.c     messages in memory, by id
 *   settle.c      what is next for a message: the states S4 and S5
 *   finish.c      its end: bounce, info, mess
 *   pass.c        one pass over a recipient list
 *   share.c       which part of a channel a domain has
 *   delivery.c    delivery slots, starting deliveries
 *   report.c      their results
 *   bounce.c      failure paragraphs and bounce messages
 *   dsn.c         the latter in the style of RFC 3464
 *   inject.c      bounces on their way into the queue
 *   cleaner.c     qmail-clean's pipes
 *   loader.c      info/ at start-up
 *   config.c      control files, HUP
 */
#ifndef SEND_SEND_H
#define SEND_SEND_H

#include "conf/resolve.h"
#include "send/dirwalk.h"
#include "send/idset.h"
#include "send/outpipe.h"
#include "send/schedule.h"
#include "send/share.h"
#include "send/slog.h"
#include "send/spawn_link.h"
#include "send/todo_link.h"
#include "spool/queue.h"

#include <stdbool.h>
#include <sys/types.h>

enum {
	RETRY_OWN_FAILURE = 123, /* seconds after trouble of our own */
	RETRY_BOUNCE_APPEND = 10,
	HELD_INTERVAL = 600, /* seconds between looks at a held message */
	NOMEM_SLEEP = 10,
	/* Seconds until records are written anyway, for people to see: ... */
	FRESH_AGE_MAX = 20,
	FRESH_AGE_HELD = 1,    /* ... while a channel starts nothing at all */
	PASSES_OPEN_MAX = 128, /* lists being started, per channel */
	HELD_RETRY = 5,        /* seconds, for a list that is held meanwhile */
	BLOCKED_RETRY = 60, /* seconds, for a list that gives way to others */
	BURST_MAX = 100,    /* recipients of one domain in a row */
	PASS_CHUNK = 8192,  /* bytes of a list in memory; more than a record */
	INJECTORS = 4,
	MESSAGE_BUCKETS = 4096,
	MESSAGE_SPARES = 64
};

/* A recipient of a message whose list is in memory. */
struct recipient {
	uint32_t at, len; /* in the message's text */
	uint64_t offset;  /* of its record in local or remote */
	enum channel channel;
	enum recipient_state {
		RECIPIENT_LEFT,
		RECIPIENT_RUNNING,
		RECIPIENT_DONE,
		RECIPIENT_FAILED /* its paragraph is not in bounce/ yet */
	} state;
	bool marked; /* the record on disk says D */
};

/* A piece of a recipient list on disk. */
struct chunk {
	struct chunk *next; /* of the spare ones */
	uint64_t base;      /* offset of data in the file */
	size_t pos, len;
	bool eof;
	char data[PASS_CHUNK];
};

/* One channel of a message. */
struct track {
	enum track_state {
		TRACK_UNKNOWN, /* ask the disk */
		TRACK_WAITING, /* in the schedule */
		TRACK_PASS,
		TRACK_NONE /* no recipients left */
	} state;
	bool has_file;  /* local/ or remote/ has it, or may have it */
	bool exhausted; /* the pass has started all it will start */
	bool cut;       /* ... but has not seen the whole list */
	bool is_last;   /* the message is too old: deferrals are failures */
	unsigned running;
	uint64_t left; /* started in this pass and not finished for good */
	int64_t retry; /* when to try again */
	int64_t retry_before; /* ... as it was before this pass */
	int fd;               /* of the list; -1: none */
	struct chunk *chunk;
	/* The next recipient of the pass. */
	struct strv next;
	uint64_t next_offset;
	int next_index; /* of a list in memory; -1 */
};

enum message_step {
	STEP_REST,
	STEP_WRITING,  /* qmail-todo writes the records */
	STEP_CLEANING, /* qmail-clean removes todo */
	STEP_INJECTING /* the bounce, or waiting for its turn */
};

struct message {
	uint64_t id;
	int64_t birth;
	struct message *next;          /* in its bucket, or of the spare ones */
	struct message *older, *newer; /* among those in state S4 */
	struct track tracks[CHANNEL_COUNT];
	enum message_step step;
	bool fresh;         /* S4: todo/ exists */
	bool has_records;   /* info, local, remote are on disk */
	bool wants_records; /* something is to be remembered */
	/* When to repeat what failed: removing todo, and any other step. */
	int64_t clean_not_before, not_before;
	struct buf text; /* sender, then recipients of a fresh one */
	size_t sender_len;
	unsigned recipient_count, recipients_left; /* not DONE */
	struct recipient recipients[LINK_RECIPIENTS_MAX];
	struct buf notes; /* paragraphs that are not in bounce/ yet */
	struct buf marks; /* struct mark: D marks that wait for them */
};

struct mark {
	enum channel channel;
	uint64_t offset;
};

struct message_table {
	struct message *buckets[MESSAGE_BUCKETS];
	struct message *spare;
	unsigned spare_count;
	struct message *oldest, *newest; /* in state S4 */
	unsigned count;
};

/* One running delivery. */
struct slot {
	struct message *message; /* NULL: free */
	uint64_t number;         /* of the log */
	uint64_t offset;
	int index;
	struct share *share;  /* NULL: of no domain */
	struct buf recipient; /* keeps its memory */
};

/* A channel: a spawner, its slots, its schedule. */
struct lane {
	enum channel channel;
	const char *name;      /* in the log */
	enum queue_area area;  /* of its lists */
	unsigned skip;         /* of its retry times */
	unsigned number_bytes; /* of delivery numbers */
	unsigned limit;        /* what the spawner can take */
	unsigned concurrency;  /* what it may */
	unsigned used;
	bool lost;
	struct slot *slots;
	unsigned *unused; /* a stack of free slots */
	struct outpipe requests;
	int reports_fd;
	struct spawn_report report;
	struct schedule schedule;
	/* Passes that have recipients to start, in turn. */
	struct message *open[PASSES_OPEN_MAX];
	unsigned open_head, open_count;
	bool open_turn;
	bool stalled; /* what waits can only begin when something ends */
	struct share_table *shares; /* owned; NULL: none are counted */
	struct chunk *spare_chunks;
};

enum clean_kind { CLEAN_TODO, CLEAN_MESSAGE, CLEAN_STRAY };

struct clean_request {
	uint64_t id;
	enum clean_kind kind;
};

/* What was asked and is not answered yet, oldest first. */
struct cleaner {
	struct outpipe requests;
	int replies_fd;
	bool lost;
	struct clean_request *waiting; /* owned; a ring */
	size_t head, count, cap;
};

struct todo_client {
	struct outpipe out;
	int in_fd;
	struct buf in;
	pid_t pid;
	bool lost;
	unsigned writing; /* unanswered LINK_WRITE */
};

struct injector {
	pid_t pid;
	int fd; /* -1: free */
	uint64_t id;
	size_t have;
	char qp[8];
};

struct loader {
	bool running;
	bool expedite; /* ALRM came before all was loaded */
	struct dirwalk walk;
	struct idset seen; /* what came in meanwhile */
	int64_t not_before;
};

struct send_config {
	struct buf bouncefrom, bouncehost, doublebounceto, doublebouncehost;
	struct buf bouncestyle;
	bool is_dsn; /* bouncestyle says so */
	int64_t lifetime;
	int64_t concurrency[CHANNEL_COUNT];
};

struct send {
	int64_t now;
	struct queue_layout layout;
	int queue_fd, lock_fd;
	struct send_config config;
	struct resolver *resolver;
	struct slog log;
	struct lane lanes[CHANNEL_COUNT];
	struct cleaner cleaner;
	struct todo_client todo;
	struct injector injectors[INJECTORS];
	struct id_fifo inject_waiting;
	struct message_table messages;
	struct entry_heap later; /* messages to settle again */
	struct idset due;        /* ... or to try now, whatever their time */
	struct loader loader;
	uint64_t deliveries; /* counter of the log */
	int64_t aged_at;     /* when old fresh messages were looked for */
	bool exit_wanted;    /* TERM, or a helper is lost */
	bool exiting;
	bool expedited; /* times on disk are not those in memory */
};

/* qmail-send.c */
void send_sleep_nomem(struct send *s);
void send_status(struct send *s);
int64_t send_fresh_age_max(const struct send *s);
void send_lose_helper(struct send *s, const char *which);

/* events.c */
void events_wait(struct send *s);

/* config.c */
/* In the home: 0, or the code of what could not be read. */
int config_read(struct send *s);
/* After HUP; what cannot be read stays as it was. */
void config_reread(struct send *s);
/* Concurrency as configured, as far as the spawners can follow. */
void config_apply_limits(struct send *s);

/* message.c */
struct message *message_find(struct send *s, uint64_t id);
/* A new one, all zero but the id.  Never NULL. */
struct message *message_add(struct send *s, uint64_t id);
/*
 * The message, from info/ if it is not in memory: NULL if it is gone (*wait
 * is 0), or cannot be read, or is held: to be asked for again in *wait
 * seconds.
 */
struct message *message_open(struct send *s, uint64_t id, int *wait);
void message_drop(struct send *s, struct message *m);
void message_enter_s4(struct send *s, struct message *m);
void message_leave_s4(struct send *s, struct message *m);
struct strv message_sender(const struct message *m);
struct strv message_recipient(const struct message *m, unsigned i);
void message_path(const struct send *s, const struct message *m,
    enum queue_area area, char path[QUEUE_PATH_MAX]);

/* settle.c */
void message_settle(struct send *s, struct message *m);
/* The message is settled again then, whatever becomes of it. */
void settle_later(struct send *s, int64_t when, uint64_t id);
/* Those that wait for another try. */
void settle_due(struct send *s);
/* todo/ is gone, or is not. */
void message_todo_cleaned(struct send *s, uint64_t id, bool done);
/* LINK_WRITTEN */
void message_written(struct send *s, uint64_t id, bool done);
void schedule_first(struct send *s, enum channel c, uint64_t id);
void schedule_retry(struct send *s, enum channel c, int64_t when, uint64_t id);

/* finish.c */
/* No recipients are left: the message is on its way out. */
void message_finish(struct send *s, struct message *m);
/* The last step.  The message is dropped. */
void message_end(struct send *s, struct message *m);
/* At rest again; what went wrong is tried once more later. */
void message_give_up(struct send *s, struct message *m);
/* The bounce is in the queue, or is not. */
void message_bounced(struct send *s, uint64_t id, bool done, uint64_t qp);
/* 0 or QE_SYS, which has been said. */
int message_remove_file(
    struct send *s, struct message *m, enum queue_area area);
/* 1 it exists, 0 it does not, QE_SYS, which has been said. */
int message_has_file(struct send *s, struct message *m, enum queue_area area);

/* pass.c */
/* Begins a pass: 0; QE_ABSENT (no list: nothing is left to do); QE_TEMP. */
int pass_begin(struct send *s, struct message *m, enum channel c);
/* True if t->next is a recipient to start; else the pass is exhausted. */
bool pass_peek(struct send *s, struct message *m, enum channel c);
/* The recipient has been started. */
void pass_advance(struct message *m, enum channel c);
void pass_close(struct send *s, struct message *m, enum channel c);
/* As if pass_begin had not been called; nothing has been started. */
void pass_cancel(struct send *s, struct message *m, enum channel c);
void pass_mark(
    struct send *s, struct message *m, enum channel c, uint64_t offset);

/* delivery.c */
int lane_open(struct send *s, enum channel c, int requests_fd, int reports_fd);
void lane_fill(struct send *s, enum channel c);
/* No more recipients of open passes are started. */
void lane_cut(struct send *s, enum channel c);
bool lane_has_room(const struct send *s, enum channel c);
/* When something can be started; SCHEDULE_NEVER: not by itself. */
int64_t lane_next(const struct send *s, enum channel c);

/* report.c */
void lane_read(struct send *s, enum channel c);

/* bounce.c */
void bounce_add_paragraph(
    struct buf *out, struct strv recipient, struct strv report);
/* 0 or QE_SYS; the file is as before then. */
int bounce_append(const char *path, struct strv paragraphs);
struct bounce {
	struct buf sender, recipient;
	bool is_double, is_triple;
};
int bounce_address(
    struct bounce *b, const struct send_config *config, struct strv sender);
/* Date, From, To and Subject. */
void bounce_add_fields(struct buf *out, const struct send_config *config,
    const struct bounce *b, int64_t now);
/* What is said to people in front of the paragraphs. */
void bounce_add_text(
    struct buf *out, const struct send_config *config, const struct bounce *b);
void bounce_add_return_path(struct buf *out, struct strv sender);
void bounce_add_head(struct buf *out, const struct send_config *config,
    const struct bounce *b, int64_t now);
void bounce_add_middle(
    struct buf *out, const struct bounce *b, struct strv sender);
struct strv bounce_original_sender(struct strv sender);

/* inject.c */
void inject_begin(struct send *s, struct message *m);
void inject_read(struct send *s, struct injector *i);
bool inject_is_idle(const struct send *s);

/* cleaner.c */
void cleaner_open(struct cleaner *c, int requests_fd, int replies_fd);
void cleaner_ask(struct send *s, enum clean_kind kind, uint64_t id);
/* True if something about this id is not answered yet. */
bool cleaner_has(const struct send *s, uint64_t id);
void cleaner_read(struct send *s);

/* todo_client.c */
int todo_client_start(struct send *s);
void todo_client_read(struct send *s);
void todo_client_tell(struct send *s, enum link_type type, uint64_t id);
void todo_client_write(struct send *s, struct message *m);
/* Closes the pipes and waits for its end. */
void todo_client_end(struct send *s);

/* loader.c */
void loader_start(struct send *s);
void loader_turn(struct send *s);
/* A message that the loader must not add again. */
void loader_note(struct send *s, uint64_t id);

#endif
