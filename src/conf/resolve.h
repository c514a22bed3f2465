/*
 * Where an address goes: local or remote, by envnoathost, percenthack, locals
 * and virtualdomains (qmail-address(5)).  One piece for the preprocessor,
 * for qmail-send's bounces and for qmail-smtpd's recipient checks.
 */
#ifndef CONF_RESOLVE_H
#define CONF_RESOLVE_H

#include "conf/control.h"

struct resolver; /* opaque */

int resolver_open(struct resolver **out, struct control_error *err);
/*
 * Re-reads all but control/me; on failure all old values stay, and *failed
 * names the file ("locals", "virtualdomains" ...).
 */
int resolver_reread(
    struct resolver *resolver, const char **failed, struct control_error *err);
void resolver_free(struct resolver **resolver);

enum channel { CHANNEL_LOCAL, CHANNEL_REMOTE, CHANNEL_COUNT };

/* Appends the rewritten recipient to out (out->err tells of trouble). */
enum channel resolver_route(
    const struct resolver *resolver, struct strv recipient, struct buf *out);
/*
 * The recipient as people know it: without the prepend of a matching domain
 * entry of virtualdomains.  A view of recipient.
 */
struct strv resolver_strip_prepend(
    const struct resolver *resolver, struct strv recipient);

#endif
