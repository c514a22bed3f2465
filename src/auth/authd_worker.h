/*
 * A worker of qmail-authd: the only one of its processes that reads what
 * clients have said.
 */
#ifndef AUTH_AUTHD_WORKER_H
#define AUTH_AUTHD_WORKER_H

#include "auth/authd_files.h"

#include <signal.h>

enum {
	AUTHD_NEWS_EXIT = 3 /* the files have changed: another is needed */
};

struct authd_work {
	int listener; /* does not block */
	const struct authd_files *files;
	pid_t master;           /* whom it does not outlive */
	const sigset_t *waited; /* signals that it takes again */
	/* Started by root: whom to become, and who besides root may ask. */
	bool by_root;
	uid_t uid, server;
	gid_t gid;
};

/* Exit code 0: old age; AUTHD_NEWS_EXIT; else it could not begin. */
_Noreturn void authd_work(const struct authd_work *w);

#endif
