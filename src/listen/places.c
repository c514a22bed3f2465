/* An unordered array: a walk over all places takes microseconds. */
#include "listen/places.h"
#include "base/die.h"
#include "base/error.h"

#include <stdlib.h>
#include <string.h>

/* No IPv6 network of clients begins with the bytes that mark IPv4 here. */
static void
client_key(const struct ipaddr *client, unsigned char key[8])
{
	memset(key, 0, 8);
	if (client->family == AF_INET)
		memcpy(key + 4, client->bytes, 4);
	else
		memcpy(key, client->bytes, 8);
}

int
places_init(struct places *p, size_t max)
{
	p->items = calloc(max, sizeof(*p->items));
	p->count = 0;
	p->max = max;
	return p->items == NULL ? QE_NOMEM : 0;
}

void
places_free(struct places *p)
{
	free(p->items);
	memset(p, 0, sizeof(*p));
}

size_t
places_of(const struct places *p, const struct ipaddr *client)
{
	unsigned char key[8];
	size_t n = 0;

	client_key(client, key);
	for (size_t i = 0; i < p->count; i++)
		if (memcmp(p->items[i].client, key, sizeof(key)) == 0)
			n++;
	return n;
}

void
places_take(struct places *p, pid_t pid, const struct ipaddr *client)
{
	if (p->count == p->max)
		bug("no place is free");
	p->items[p->count].pid = pid;
	client_key(client, p->items[p->count].client);
	p->count++;
}

bool
places_leave(struct places *p, pid_t pid)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->items[i].pid == pid) {
			p->items[i] = p->items[--p->count];
			return true;
		}
	return false;
}
