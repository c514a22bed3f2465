/*
 * What the hosting tools share: one of them at a time, the domains that are
 * hosted, and how a change reaches the programs that run.  These functions
 * end the program with a sentence where something is wrong.
 *
 * A hosted domain is a line "+example.org-:example.org:uid:gid:dir:-::" of
 * users/assign and a line "example.org:example.org" of
 * control/virtualdomains; the rest is .qmail files in dir.
 */
#ifndef HOSTING_SITE_H
#define HOSTING_SITE_H

#include "base/buf.h"
#include "hosting/lines.h"

#include <stdbool.h>
#include <sys/types.h>

#define SITE_ASSIGN         "users/assign"
#define SITE_VIRTUALDOMAINS "control/virtualdomains"
#define SITE_RCPTHOSTS      "control/rcpthosts"

enum {
	SITE_LOCK_SECONDS = 30,
	SITE_FILE_MAX = 256 << 20, /* bytes of a file we change */
	SITE_UID_FIRST = 70000,    /* uids that domains get */
	SITE_UID_LAST = 99999
};

struct domain {
	struct buf bytes; /* owns the strings */
	const char *name, *home;
	uid_t uid;
	gid_t gid;
};

/* Enters the home and takes users/hosting.lock until the program ends. */
void site_enter(void);
/* Loads a file of this site with the mode it would get, or ends. */
void site_load(const char *path, mode_t mode, struct lines *out);
/* Saves it and frees the lines, or ends. */
void site_save(struct lines *lines, const char *path);

/* "example.org" to "+example.org-", in lower case. */
void site_add_key(struct buf *out, struct strv domain);
/* The domain of this line of users/assign, or false: another kind of line. */
bool site_parse_domain(struct strv line, struct domain *out);
/* False if no such domain is hosted. */
bool site_find_domain(struct strv name, struct domain *out);
/* The same, or the end. */
void site_need_domain(struct strv name, struct domain *out);
void domain_free(struct domain *d);

/* users/assign to users/cdb, by qmail-newu. */
void site_compile_users(void);
/* users/mailboxes to users/mailboxes.cdb. */
void site_compile_logins(void);
/* Lets qmail-send read control/virtualdomains again; says if it is not up. */
void site_reload_send(void);

#endif
