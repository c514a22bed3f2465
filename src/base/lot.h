/*
 * Drawing lots by name, with a key of this host: the same name draws the same
 * place every time, and who does not know the key cannot tell which.
 *
 * Who asks for a login that does not exist is refused after the work that
 * somebody else's login costs.  If that were always the same one, every login
 * that costs something else would be known to exist; so names draw.
 */
#ifndef BASE_LOT_H
#define BASE_LOT_H

#include "base/siphash.h"

struct lot {
	unsigned char key[SIPHASH_KEY];
};

/* By /etc/machine-id; without one all hosts draw alike. */
void lot_init(struct lot *lot);
/* A place on a circle: distances are differences modulo 2^64. */
uint64_t lot_draw(const struct lot *lot, struct strv name);

#endif
