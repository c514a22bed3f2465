/* SipHash under a key made of /etc/machine-id, which nobody outside knows. */
#include "base/lot.h"
#include "base/file.h"

#include <string.h>

#define MACHINE_ID "/etc/machine-id"

enum { ID_MAX = 256 /* bytes; it has 33 */ };

void
lot_init(struct lot *lot)
{
	static const unsigned char none[SIPHASH_KEY];
	struct buf id = BUF_LIMIT(ID_MAX);
	struct siphash hash;

	siphash_init(&hash, none);
	if (file_read(MACHINE_ID, &id) == 0)
		siphash_feed(&hash, buf_view(&id));
	siphash_end(&hash, lot->key);
	buf_free(&id);
}

uint64_t
lot_draw(const struct lot *lot, struct strv name)
{
	unsigned char out[SIPHASH_SIZE];
	struct siphash hash;
	uint64_t place = 0;

	siphash_init(&hash, lot->key);
	siphash_feed(&hash, name);
	siphash_end(&hash, out);
	for (size_t i = 0; i < sizeof(place); i++)
		place = place << 8 | out[i];
	return place;
}
