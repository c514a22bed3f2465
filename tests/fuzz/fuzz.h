/*
 * What the fuzz targets share.  A target feeds one parser, and besides not
 * crashing it asks for properties: the same result in every cutting, a round
 * trip, bounds.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold; a trap is what the fuzzer reports. */
static inline void
require(bool fact)
{
	if (!fact)
		__builtin_trap();
}

static inline struct strv
fuzz_input(const uint8_t *data, size_t size)
{
	return size == 0 ? STRV_EMPTY : strv_from((const char *)data, size);
}

/* Takes one byte off the front to steer the target with; 0 at the end. */
static inline unsigned
fuzz_take(struct strv *in)
{
	unsigned value = in->len == 0 ? 0 : (unsigned char)in->ptr[0];

	*in = strv_skip(*in, 1);
	return value;
}

/* A place to cut the input at. */
static inline size_t
fuzz_cut(unsigned steer, struct strv in)
{
	return steer % (in.len + 1);
}

#endif
