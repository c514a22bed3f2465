/* What qmail-showctl --check found. */
#ifndef ADMIN_FINDINGS_H
#define ADMIN_FINDINGS_H

#include "base/buf.h"

#include <stdbool.h>
#include <sys/types.h>

/* Whose home it is decides what its owners have to be. */
struct installation {
	bool by_root; /* roles are users of their own */
	uid_t owner;  /* of the home: the only uid unless by_root */
};

struct findings {
	struct installation installation;
	struct buf text;   /* a line for each */
	unsigned problems; /* that are certain */
	unsigned unseen;   /* things that could not be looked at */
};

void finding_problem(struct findings *f, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* path could not be looked at for errnum; a missing one is a problem. */
void finding_unseen(struct findings *f, const char *path, int errnum);

/* The three parts; all paths are relative to the home. */
void check_controls(struct findings *f);
void check_users(struct findings *f);
void check_home(struct findings *f);

/* users/assign or a list, and the cdb that tool makes of it. */
void check_made(
    struct findings *f, const char *source, const char *cdb, const char *tool);

#endif
