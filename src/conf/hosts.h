/*
 * Look-ups by address and domain in lists and maps, most specific first, as
 * rcpthosts, smtproutes and virtualdomains do them.
 */
#ifndef CONF_HOSTS_H
#define CONF_HOSTS_H

#include "conf/control.h"

/*
 * domain itself, then each suffix that begins at a '.', then, if
 * with_default, the empty key.
 */
const struct control_entry *hosts_find_domain(
    const struct control_set *set, struct strv domain, bool with_default);
/* The whole address first, then as above: virtualdomains. */
const struct control_entry *hosts_find_address(
    const struct control_set *set, struct strv address);

/*
 * rcpthosts and morercpthosts.cdb together.  A missing rcpthosts means the
 * host's own names: me, locals and the domains of virtualdomains.
 */
struct rcpthosts; /* opaque */

int rcpthosts_open(struct rcpthosts **out, struct control_error *err);
/* 0 listed, QE_ABSENT not listed, QE_CORRUPT or QE_SYS: answer 451 4.3.0. */
int rcpthosts_find(struct rcpthosts *hosts, struct strv domain);
void rcpthosts_free(struct rcpthosts **hosts);

#endif
