/* Sender and recipients of an injected message. */
#ifndef INJECT_ENVELOPE_H
#define INJECT_ENVELOPE_H

#include "inject/rewrite.h"
#include "inject/settings.h"

struct envelope {
	struct buf sender;
	struct buf recipients; /* each ended by NUL */
};

/*
 * Parses text as one address and appends its meaning to out ("" for an empty
 * one and for <>).  0; QE_SYNTAX (none, or several); QE_LIMIT; QE_NOMEM.
 */
int envelope_parse_one(
    const struct settings *s, struct strv text, struct buf *out);
/* The same for user and host, neither of them quoted yet. */
int envelope_own_address(const struct settings *s, const char *user,
    const char *host, struct buf *out);

/*
 * Ends the program with a message if an argument or a variable holds no
 * address.
 */
void envelope_make(
    const struct settings *s, const struct rewriting *r, struct envelope *out);
void envelope_free(struct envelope *e);
/* True if recipients are to be taken from the header. */
bool envelope_wants_header(const struct settings *s);
/* "unable to parse address: ..." and exit 100; 111 for want of memory. */
_Noreturn void envelope_die_address(int result, struct strv address);

#endif
