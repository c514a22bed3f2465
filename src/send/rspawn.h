/*
 * qmail-rspawn's inside.  Deliveries that are there together, of one message
 * for one host, form a group: one transaction.  Groups wait at their
 * destination until its limits and the exchanger's allow another one, and are
 * then given to a qmail-remote that stays alive (a worker), at best to one
 * that has a connection to this host; or each delivery is run for itself, if
 * another program stands in qmail-remote's place.
 *
 *   qmail-rspawn.c  start-up, what comes from qmail-send
 *   dispatch.c      whose turn it is
 *   destination.c   destinations by name, their rules
 *   worker.c        processes that stay alive
 *   stand_in.c      what runs as qmail-remote
 *   tls_helper.c    the process that does TLS for them
 */
#ifndef SEND_RSPAWN_H
#define SEND_RSPAWN_H

#include "conf/control.h"
#include "send/limiter.h"
#include "send/spawner.h"
#include "spool/remote_link.h"

enum {
	DESTINATION_BUCKETS = 1024,
	DESTINATIONS_KEPT = 4096, /* above, those at rest are forgotten ... */
	DESTINATION_KEEP_MS = 120000, /* ... that nothing learnt is needed of */
	/* A delivery that finds no place in this time is deferred. */
	GROUP_WAIT_MS = 60000,
	GROUP_BYTES_MAX = REMOTE_LINK_PACKET_MAX - 4096,
	WORKER_JOBS_MAX = 5000, /* messages in the life of a process */
	WORKER_LIFE_MS = 3600000,
	WORKER_IDLE_MS = 10000,    /* without a connection */
	WORKER_GREETING_MS = 5000, /* then it is another program */
	WORKER_RETRY_MS = 1000,    /* where the system has no process left */
	RULES_LOOK_MS = 1000,      /* between looks at changed files */
	STAND_IN_RETRY_MS = 60000,
	TLS_HELPER_LIFE_MS = 1000, /* one that lives no longer is of no use */
	TLS_HELPER_RETRY_MS = 10000
};

/* One message for one host. */
struct group {
	struct group *next; /* of those that wait */
	struct destination *destination;
	struct destination *via;   /* the exchanger whose place it has */
	struct spawner_job **jobs; /* owned; NULL: answered */
	unsigned count, cap, answered;
	size_t bytes; /* of its packet */
	int64_t since_ms;
	bool is_alone; /* no worker: each delivery for itself */
	char id[SPAWNER_ID_MAX + 1];
};

struct destination {
	struct destination *next; /* in its bucket */
	struct destination *next_waiting;
	bool is_waiting;
	struct limiter limiter;
	unsigned generation;     /* of the rules */
	struct destination *via; /* the exchanger, if it is another name */
	unsigned references;     /* of all who go or have gone this way */
	unsigned resting;        /* connections to it that wait for work */
	struct group *first, *last;
	struct worker *idle; /* with a connection */
	int64_t used_ms;
	size_t name_len;
	char name[]; /* lower case */
};

struct worker {
	struct worker *next, *previous; /* of all */
	struct worker *next_idle;
	struct destination
	    *destination;        /* of its work or connection; or NULL */
	struct destination *via; /* where its idle connection goes */
	struct group *group;     /* in work */
	int fd;
	pid_t pid;
	bool has_greeted;
	unsigned generation; /* of what runs as qmail-remote */
	unsigned jobs;
	int64_t born_ms, idle_ms;
};

struct stand_in {
	struct buf control; /* control/qmailremote */
	/* Why it cannot be read; empty: it can, or does not exist. */
	char trouble[sizeof(((struct control_error *)0)->text)];
	const char *environment;         /* $QMAILREMOTE, or NULL */
	uint64_t device, inode, changed; /* of qmail-remote */
	bool is_native;                  /* a program that may stay alive */
	int64_t classic_until_ms;        /* it did not */
	unsigned generation;
};

struct tls_helper {
	int place, orders; /* for orders; -1: there is none */
	bool was_opened;
	pid_t pid; /* of qmail-tlsd; 0: it does not run */
	int life;  /* the pipe with which it ends, while it runs */
	int64_t born_ms, not_before_ms;
};

struct rspawn {
	struct spawner *spawner;
	int home_fd, mess_fd, epoll_fd;
	int64_t now_ms;
	int64_t looked_ms;
	struct stand_in stand_in;
	struct tls_helper tls;
	struct control_set *rules; /* owned; control/destinations */
	int64_t rules_changed_ns;
	bool rules_missed; /* could not be read; that has been said */
	unsigned rules_generation;
	struct destination *buckets[DESTINATION_BUCKETS];
	unsigned destination_count;
	struct destination *first_waiting, *last_waiting;
	struct worker *workers, *blank; /* idle, without a connection */
	unsigned worker_count;
	struct buf packet;
	char received[REMOTE_LINK_PACKET_MAX];
};

/* dispatch.c */
void dispatch_add(struct rspawn *r, struct spawner_job *job, const char *id);
/* Starts what can be started; when something can happen again by itself. */
int64_t dispatch_turn(struct rspawn *r);
/* One delivery that ran for itself is over. */
void dispatch_released(struct rspawn *r, struct spawner_job *job);
/* The group has left its worker: every delivery without an answer gets this. */
void group_end(struct rspawn *r, struct group *g, const char *report);
/* Back to the head of its destination. */
void group_again(struct rspawn *r, struct group *g);

/* destination.c */
/* Found or made; NULL without memory. */
struct destination *destination_get(struct rspawn *r, struct strv name);
/* Its rule, as it stands now. */
void destination_refresh(struct rspawn *r, struct destination *d);
bool destination_may_start(
    struct rspawn *r, struct destination *d, int64_t *when_us);
/* Takes and gives back a place there, and at the exchanger. */
void destination_started(struct rspawn *r, struct group *g);
void destination_heard(
    struct rspawn *r, struct group *g, enum limiter_outcome outcome);
void destination_ended(struct rspawn *r, struct group *g);
/* It has a connection to this exchanger, and takes a place there, too. */
void destination_connected(
    struct rspawn *r, struct group *g, struct strv exchanger);
/* The exchanger that a connection for it went to. */
void destination_learn(
    struct rspawn *r, struct destination *d, struct strv exchanger);
void destinations_forget(struct rspawn *r);
/* control/destinations again, if it has changed.  In the home. */
void destination_rules_look(struct rspawn *r);

/* worker.c */
/* Gives the group to a worker: true; false: none can be had now. */
bool worker_take(struct rspawn *r, struct group *g);
void workers_ready(struct rspawn *r);
/* Ends those that nobody needs; when the next one will be. */
int64_t workers_retire(struct rspawn *r);
void worker_reaped(struct rspawn *r, pid_t pid);

/* tls_helper.c */
void tls_helper_init(struct tls_helper *h);
/* Tells a new process at the other end of this link of the place. */
void tls_helper_offer(struct rspawn *r, int link);
/* An order is there, and nobody to take it; for the events of epoll_fd. */
void tls_helper_ready(struct rspawn *r);
/* True if it was this one. */
bool tls_helper_reaped(struct rspawn *r, pid_t pid);

/* stand_in.c */
/* Again, if it has changed.  In the home. */
void stand_in_look(struct rspawn *r);
/* What to run for one delivery. */
const char *stand_in_path(const struct rspawn *r);
/* Why nothing can be run for now, in words; or NULL. */
const char *stand_in_trouble(const struct rspawn *r);
bool stand_in_is_classic(const struct rspawn *r);

#endif
