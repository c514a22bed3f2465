/*
 * smtp/dot: decoding does not depend on cuts; what is encoded has exactly one
 * end of data and no bare CR or LF.
 */
#include "fuzz.h"
#include "smtp/dot.h"

static void
check_decoder(struct strv in, unsigned steer)
{
	struct buf whole = BUF_INIT, cut = BUF_INIT;
	struct dot_decoder a, b;
	size_t at = fuzz_cut(steer, in);
	size_t used, twice;

	dot_decoder_init(&a);
	used = dot_decode(&a, in, &whole);
	require(used <= in.len && whole.len <= used);
	require(used == in.len || a.done || a.flaws != 0);
	dot_decoder_init(&b);
	twice = dot_decode(&b, strv_head(in, at), &cut);
	if (twice == at)
		twice += dot_decode(&b, strv_skip(in, at), &cut);
	require(used == twice && a.done == b.done && a.flaws == b.flaws);
	require(strv_eq(buf_view(&whole), buf_view(&cut)));
	buf_free(&whole);
	buf_free(&cut);
}

static void
check_wire(struct strv wire)
{
	bool start = true; /* of a line, NULs not counted */

	for (size_t i = 0; i < wire.len; i++) {
		char c = wire.ptr[i];

		if (c == '\r') {
			require(i + 1 < wire.len && wire.ptr[i + 1] == '\n');
			i++;
			start = true;
			continue;
		}
		require(c != '\n');
		if (start && c == '.') {
			require(i + 1 < wire.len && wire.ptr[i + 1] == '.');
			i++;
		}
		start = start && c == '\0';
	}
}

static void
check_encoder(struct strv in, unsigned steer)
{
	struct buf wire = BUF_INIT, back = BUF_INIT;
	struct dot_encoder e;
	struct dot_decoder d;
	size_t at = fuzz_cut(steer, in);
	size_t used;

	dot_encoder_init(&e);
	dot_encode(&e, strv_head(in, at), &wire);
	dot_encode(&e, strv_skip(in, at), &wire);
	dot_encode_end(&e, &wire);
	check_wire(buf_view(&wire));
	buf_add_str(&wire, ".\r\n");
	dot_decoder_init(&d);
	used = dot_decode(&d, buf_view(&wire), &back);
	if (strv_find(in, '\0') == STRV_NPOS)
		require(d.done && d.flaws == 0 && used == wire.len);
	else
		require(!d.done);
	buf_free(&wire);
	buf_free(&back);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strv in = fuzz_input(data, size);
	unsigned steer = fuzz_take(&in);

	check_decoder(in, steer);
	check_encoder(in, steer);
	return 0;
}
