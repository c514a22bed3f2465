/*
 * Keepers and their workers, from the side of the front.
 *
 * One keeper serves.  Another may be loading a newer database, and a third
 * finishes what it had begun when it was replaced.  A worker that is late or
 * dies is replaced; its message gets an error for an answer.
 */
#ifndef SCAN_POOL_H
#define SCAN_POOL_H

#include "base/buf.h"
#include "scan/settings.h"
#include "scan/wire.h"

#include <poll.h>
#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

enum {
	KEEPERS_MAX = 3,
	WORKER_JOBS = 100,   /* messages before a worker is replaced */
	LOAD_SECONDS = 900,  /* for a database to be loaded */
	RETRY_SECONDS = 10,  /* between attempts to load one */
	AGAIN_SECONDS = 1,   /* when one that was good has been lost */
	CHECK_SECONDS = 600, /* between looks for a newer one */
	POOL_FDS = KEEPERS_MAX * (1 + SCAN_WORKERS_MAX)
};

struct worker {
	int channel;         /* -1: there is none */
	unsigned jobs;       /* it has had */
	int64_t deadline_ms; /* of its present job; 0: idle */
	int64_t made_ms;
	void *owner; /* whose job it is; NULL: nobody's any more */
};

enum keeper_state {
	KEEPER_NONE,
	KEEPER_LOADING,
	KEEPER_SERVING,
	KEEPER_RETIRING
};

struct keeper_link {
	enum keeper_state state;
	int channel;
	pid_t pid;
	int64_t deadline_ms; /* while it is loading */
	char about[WIRE_TEXT_MAX + 1];
	struct worker workers[SCAN_WORKERS_MAX];
};

/* What came of a job: text only for WIRE_FOUND and WIRE_ERROR. */
typedef void (*pool_answer)(void *owner, char kind, struct strv text);

struct pool {
	const struct scan_settings *settings;
	pool_answer answer;
	struct keeper_link keepers[KEEPERS_MAX];
	bool wants_load;    /* as soon as that is possible */
	int64_t load_at_ms; /* not before */
	int64_t check_at_ms;
	struct timespec loaded; /* change of the database that is in use */
};

void pool_init(
    struct pool *p, const struct scan_settings *settings, pool_answer answer);
/* A newer database is to be loaded. */
void pool_reload(struct pool *p);
/* What the serving keeper has loaded; NULL: there is none. */
const char *pool_about(const struct pool *p);
size_t pool_count(const struct pool *p, bool busy);
/* False if no worker is free; then later.  file is lent. */
bool pool_start(struct pool *p, int file, void *owner);
/* The owner is gone; the scan may end, but nobody hears of it. */
void pool_forget(struct pool *p, const void *owner);

/* Fills in what to wait for, and how many; *wake_ms becomes sooner. */
size_t pool_poll(const struct pool *p, struct pollfd *out, int64_t *wake_ms);
/* Deals with what has come, and with what is due. */
void pool_run(struct pool *p, const struct pollfd *polled);
/* Takes processes that have ended. */
void pool_reap(struct pool *p);

#endif
