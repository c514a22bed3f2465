/*
 * What a delivery knows, and the environment programs see of it
 * (dot-qmail(5)): addresses and their parts, and the three lines that go in
 * front of a delivered message.
 */
#ifndef LOCAL_ENVIRONMENT_H
#define LOCAL_ENVIRONMENT_H

#include "base/buf.h"

#include <stdint.h>

/* The arguments of qmail-local, borrowed. */
struct local_mail {
	const char *user, *home, *local, *dash, *ext, *domain, *sender;
	const char *default_delivery;
	const char *remainder; /* DEFAULT; NULL: not set */
};

/* Each ends in its LF and holds no other. */
struct local_lines {
	struct buf recipient;   /* local@domain, no LF */
	struct buf return_path; /* RPLINE */
	struct buf delivered;   /* DTLINE */
	struct buf from;        /* UFLINE */
};

/* 0 or QE_NOMEM. */
int local_lines_make(
    struct local_lines *lines, const struct local_mail *mail, int64_t now);
void local_lines_clear(struct local_lines *lines);

/* Sets all variables: 0 or QE_NOMEM. */
int local_environment_set(const struct local_mail *mail,
    const struct local_lines *lines, const char *new_sender);

/* What follows the nth '-' of ext; empty if there are fewer. */
struct strv local_ext_after(struct strv ext, unsigned nth);
/* What stands before the nth dot from the end, as far as there are dots. */
struct strv local_host_before(struct strv host, unsigned nth);

#endif
