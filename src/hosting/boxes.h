/*
 * What qmail-mailbox does in a domain's directory: mailboxes, aliases and the
 * catch-all, with the rights of the domain's user (owner.h).
 */
#ifndef HOSTING_BOXES_H
#define HOSTING_BOXES_H

#include "hosting/site.h"

struct box {
	struct strv local;      /* in lower case; "default": the catch-all */
	const char *quota;      /* "1000000S" for maildirsize, or NULL */
	char *const *addresses; /* of an alias; NULL at the end */
};

/* Each for owner_run(); arg is a struct box.  They end with a sentence. */
int boxes_make(const struct domain *d, const void *arg);
int boxes_set_aside(const struct domain *d, const void *arg);
int boxes_point(const struct domain *d, const void *arg);
int boxes_unpoint(const struct domain *d, const void *arg);
/* Prints "mailbox address", "alias address to ...", "catch-all to ...". */
int boxes_list(const struct domain *d, const void *arg);

#endif
