/* SipHash-2-4, 128 bits, as its authors describe it: little-endian words. */
#include "base/siphash.h"

enum { WORD = 8, ROUNDS = 2, LAST_ROUNDS = 4 };

static uint64_t
rotate(uint64_t x, unsigned n)
{
	return x << n | x >> (64 - n);
}

static uint64_t
get_word(const unsigned char *p)
{
	uint64_t w = 0;

	for (int i = WORD - 1; i >= 0; i--)
		w = w << 8 | p[i];
	return w;
}

static void
put_word(unsigned char *p, uint64_t w)
{
	for (int i = 0; i < WORD; i++)
		p[i] = (unsigned char)(w >> (8 * i));
}

static void
mix(uint64_t v[4], int rounds)
{
	while (rounds-- > 0) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] = rotate(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[2] = rotate(v[2], 32);
	}
}

void
siphash_init(struct siphash *h, const unsigned char key[SIPHASH_KEY])
{
	uint64_t k0 = get_word(key);
	uint64_t k1 = get_word(key + WORD);

	*h = (struct siphash){ .len = 0 };
	h->v[0] = k0 ^ UINT64_C(0x736f6d6570736575);
	h->v[1] = k1 ^ UINT64_C(0x646f72616e646f6d) ^ 0xee;
	h->v[2] = k0 ^ UINT64_C(0x6c7967656e657261);
	h->v[3] = k1 ^ UINT64_C(0x7465646279746573);
}

static void
absorb(struct siphash *h, uint64_t word)
{
	h->v[3] ^= word;
	mix(h->v, ROUNDS);
	h->v[0] ^= word;
}

void
siphash_feed(struct siphash *h, struct strv bytes)
{
	const unsigned char *at = (const unsigned char *)bytes.ptr;
	size_t left = bytes.len;

	while (left > 0) {
		if (h->len % WORD == 0 && left >= WORD) {
			absorb(h, get_word(at));
			h->len += WORD;
			at += WORD;
			left -= WORD;
			continue;
		}
		h->tail[h->len++ % WORD] = *at++;
		left--;
		if (h->len % WORD == 0)
			absorb(h, get_word(h->tail));
	}
}

void
siphash_end(struct siphash *h, unsigned char out[SIPHASH_SIZE])
{
	uint64_t last = h->len << 56;

	for (uint64_t i = h->len % WORD; i > 0; i--)
		last |= (uint64_t)h->tail[i - 1] << (8 * (i - 1));
	absorb(h, last);
	h->v[2] ^= 0xee;
	mix(h->v, LAST_ROUNDS);
	put_word(out, h->v[0] ^ h->v[1] ^ h->v[2] ^ h->v[3]);
	h->v[1] ^= 0xdd;
	mix(h->v, LAST_ROUNDS);
	put_word(out + WORD, h->v[0] ^ h->v[1] ^ h->v[2] ^ h->v[3]);
}
