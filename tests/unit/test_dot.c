/*
 * smtp/dot: the decoder ends a message in one place only; what the encoder
 * sends has one end in every reading, however it is cut.
 */
#include "smtp/dot.h"
#include "smtp/line.h"
#include "unit.h"

static void
encode(struct strv message, size_t cut, struct buf *out)
{
	struct dot_encoder e;

	dot_encoder_init(&e);
	dot_encode(&e, strv_head(message, cut), out);
	dot_encode(&e, strv_skip(message, cut), out);
	dot_encode_end(&e, out);
}

struct pair {
	struct strv message, wire;
};

#define PAIR(a, b)                                                             \
	{                                                                      \
		{ (a), sizeof(a) - 1 },                                        \
		{                                                              \
			(b), sizeof(b) - 1                                     \
		}                                                              \
	}

static const struct pair encoded[] = {
	PAIR("", ""),
	PAIR("a", "a\r\n"),
	PAIR("a\n", "a\r\n"),
	PAIR("\n", "\r\n"),
	PAIR("a\nb\n", "a\r\nb\r\n"),
	PAIR(".\n", "..\r\n"),
	PAIR("..\n.a\n", "...\r\n..a\r\n"),
	PAIR("a\r\nb\r\n", "a\r\nb\r\n"),
	PAIR("a\rb", "a\r\nb\r\n"),
	PAIR("a\r.\r\nb\n", "a\r\n..\r\nb\r\n"),
	PAIR("a\r.\n", "a\r\n..\r\n"),
	PAIR("a\n\r.\r\n", "a\r\n\r\n..\r\n"),
	PAIR("\r\r\n\n", "\r\n\r\n\r\n"),
	PAIR("a\r", "a\r\n"),
	PAIR("a\n.", "a\r\n..\r\n"),
	PAIR("a\n\0.\n", "a\r\n\0..\r\n"),
	PAIR("a\n\0", "a\r\n\0\r\n"),
	PAIR("a\r\0\n.\n", "a\r\n\0\r\n..\r\n"),
};

static void
test_dot_encodes_in_every_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(encoded) / sizeof(*encoded); i++) {
		const struct pair *p = &encoded[i];

		for (size_t cut = 0; cut <= p->message.len; cut++) {
			struct buf out = BUF_INIT;

			encode(p->message, cut, &out);
			assert_same(buf_view(&out), p->wire);
			buf_free(&out);
		}
	}
}

static void
test_dot_encode_end_tells_of_a_partial_line(void **state)
{
	struct dot_encoder e;
	struct buf out = BUF_INIT;

	(void)state;
	dot_encoder_init(&e);
	assert_false(dot_encode_end(&e, &out));
	dot_encode(&e, STRV("a\n"), &out);
	assert_false(dot_encode_end(&e, &out));
	dot_encode(&e, STRV("b"), &out);
	assert_true(dot_encode_end(&e, &out));
	assert_false(dot_encode_end(&e, &out));
	assert_buf(&out, "a\r\nb\r\n");
	buf_free(&out);
}

/* Decodes in two cuts; returns what was consumed of the whole. */
static size_t
decode(struct dot_decoder *d, struct strv wire, size_t cut, struct buf *out)
{
	size_t used;

	dot_decoder_init(d);
	used = dot_decode(d, strv_head(wire, cut), out);
	if (used < cut)
		return used;
	return used + dot_decode(d, strv_skip(wire, cut), out);
}

static const struct pair decoded[] = {
	PAIR("", ".\r\n"),
	PAIR("a\n", "a\r\n.\r\n"),
	PAIR("\n", "\r\n.\r\n"),
	PAIR(".\n", "..\r\n.\r\n"),
	PAIR("a\n", ".a\r\n.\r\n"),
	PAIR(".a\n..\n", "..a\r\n...\r\n.\r\n"),
	PAIR("a.\n\nb\n", "a.\r\n\r\nb\r\n.\r\n"),
};

static void
test_dot_decodes_in_every_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(decoded) / sizeof(*decoded); i++) {
		const struct pair *p = &decoded[i];

		for (size_t cut = 0; cut <= p->wire.len; cut++) {
			struct buf out = BUF_INIT;
			struct dot_decoder d;

			assert_int_equal(
			    decode(&d, p->wire, cut, &out), p->wire.len);
			assert_true(d.done);
			assert_int_equal(d.flaws, 0);
			assert_same(buf_view(&out), p->message);
			buf_free(&out);
		}
	}
}

static void
test_dot_decoder_leaves_what_follows_the_end(void **state)
{
	struct buf out = BUF_INIT;
	struct dot_decoder d;

	(void)state;
	assert_int_equal(decode(&d, STRV("a\r\n.\r\nQUIT\r\n"), 0, &out), 6);
	assert_true(d.done);
	assert_int_equal(dot_decode(&d, STRV("QUIT\r\n"), &out), 0);
	assert_buf(&out, "a\n");
	buf_free(&out);
}

struct flaw_case {
	struct strv wire;
	unsigned flaws;
	size_t consumed;
};

/* Every end of data that some other server has taken for one. */
static const struct flaw_case flawed[] = {
	{{ "a\n.\n", 4 },        LINE_BARE_LF, 1},
	{ { "a\n.\r\n", 5 },     LINE_BARE_LF, 1},
	{ { "a\r\n.\n", 5 },     LINE_BARE_LF, 4},
	{ { "a\r.\r", 4 },       LINE_BARE_CR, 2},
	{ { "a\r.\r\n", 5 },     LINE_BARE_CR, 2},
	{ { "a\r\n.\rb", 6 },    LINE_BARE_CR, 5},
	{ { "a\r\n.\r\r\n", 7 }, LINE_BARE_CR, 5},
	{ { "a\r\r\n", 4 },      LINE_BARE_CR, 2},
	{ { "a\0\r\n", 4 },      LINE_HAS_NUL, 1},
	{ { "a\r\0\n", 4 },      LINE_BARE_CR, 2},
	{ { "a\r\n\0.\r\n", 7 }, LINE_HAS_NUL, 3},
	{ { "a\r\n.\0\r\n", 7 }, LINE_HAS_NUL, 4},
	{ { "\n", 1 },           LINE_BARE_LF, 0},
	{ { "\0", 1 },           LINE_HAS_NUL, 0},
	{ { ".\n", 2 },          LINE_BARE_LF, 1},
};

static void
test_dot_decoder_refuses_in_every_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(flawed) / sizeof(*flawed); i++) {
		const struct flaw_case *c = &flawed[i];

		for (size_t cut = 0; cut <= c->wire.len; cut++) {
			struct buf out = BUF_INIT;
			struct dot_decoder d;

			assert_int_equal(
			    decode(&d, c->wire, cut, &out), c->consumed);
			assert_false(d.done);
			assert_int_equal(d.flaws, c->flaws);
			assert_int_equal(
			    dot_decode(&d, STRV("\r\n.\r\n"), &out), 0);
			assert_false(d.done);
			buf_free(&out);
		}
	}
}

/* What a message is after a journey: all line ends LF, the last one there. */
static void
normalize(struct strv message, struct buf *out)
{
	for (size_t i = 0; i < message.len; i++) {
		char c = message.ptr[i];

		if (c == '\r') {
			buf_add_char(out, '\n');
			if (i + 1 < message.len && message.ptr[i + 1] == '\n')
				i++;
		} else {
			buf_add_char(out, c);
		}
	}
	if (out->len > 0 && out->data[out->len - 1] != '\n')
		buf_add_char(out, '\n');
}

/* No bare CR or LF, and no line of a lone dot even to readers without NUL. */
static void
check_wire(struct strv wire)
{
	size_t column = 0; /* not counting NUL */

	for (size_t i = 0; i < wire.len; i++) {
		char c = wire.ptr[i];

		if (c == '\r') {
			assert_true(
			    i + 1 < wire.len && wire.ptr[i + 1] == '\n');
			continue;
		}
		if (c == '\n') {
			assert_true(i > 0 && wire.ptr[i - 1] == '\r');
			column = 0;
			continue;
		}
		if (c == '.' && column == 0)
			assert_true(i + 1 < wire.len && wire.ptr[++i] == '.');
		column += c != '\0';
	}
	if (wire.len > 0)
		assert_int_equal(wire.ptr[wire.len - 1], '\n');
}

static void
random_message(
    uint32_t *seed, const char *alphabet, size_t letters, struct buf *out)
{
	size_t n = unit_random(seed) % 12;

	while (n-- > 0)
		buf_add_char(out, alphabet[unit_random(seed) % letters]);
}

static void
test_dot_round_trip(void **state)
{
	uint32_t seed = 20261122;

	(void)state;
	for (int i = 0; i < 50000; i++) {
		struct buf message = BUF_INIT, want = BUF_INIT;
		struct buf wire = BUF_INIT, back = BUF_INIT;
		struct dot_decoder d;
		size_t cut;

		random_message(&seed, "\r\n.ax", 5, &message);
		cut = unit_random(&seed) % (message.len + 1);
		normalize(buf_view(&message), &want);
		encode(buf_view(&message), cut, &wire);
		check_wire(buf_view(&wire));
		buf_add_str(&wire, ".\r\n");
		cut = unit_random(&seed) % (wire.len + 1);
		assert_int_equal(
		    decode(&d, buf_view(&wire), cut, &back), wire.len);
		assert_true(d.done);
		assert_int_equal(d.flaws, 0);
		assert_same(buf_view(&back), buf_view(&want));
		buf_free(&message);
		buf_free(&want);
		buf_free(&wire);
		buf_free(&back);
	}
}

static void
test_dot_wire_is_safe_with_nul_too(void **state)
{
	uint32_t seed = 7;

	(void)state;
	for (int i = 0; i < 50000; i++) {
		struct buf message = BUF_INIT, wire = BUF_INIT;

		random_message(&seed, "\r\n.\0a", 5, &message);
		encode(buf_view(&message),
		    unit_random(&seed) % (message.len + 1), &wire);
		check_wire(buf_view(&wire));
		buf_free(&message);
		buf_free(&wire);
	}
}

/* Byte by byte and in one piece give the same, over all byte values. */
static void
test_dot_decoder_does_not_depend_on_cuts(void **state)
{
	uint32_t seed = 99;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		struct buf wire = BUF_INIT, one = BUF_INIT, many = BUF_INIT;
		struct dot_decoder a, b;
		size_t used, at = 0;

		for (int parts = 0; parts < 4; parts++) {
			random_message(&seed, "\r\n.\0ab\xff", 7, &wire);
			buf_add_str(&wire, "\r\n");
		}
		dot_decoder_init(&a);
		used = dot_decode(&a, buf_view(&wire), &one);
		dot_decoder_init(&b);
		while (at < wire.len &&
		       dot_decode(&b, strv_from(wire.data + at, 1), &many) == 1)
			at++;
		assert_int_equal(used, at);
		assert_int_equal(a.done, b.done);
		assert_int_equal(a.flaws, b.flaws);
		assert_same(buf_view(&one), buf_view(&many));
		assert_true(one.len <= used);
		buf_free(&wire);
		buf_free(&one);
		buf_free(&many);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dot_encodes_in_every_cut),
		cmocka_unit_test(test_dot_encode_end_tells_of_a_partial_line),
		cmocka_unit_test(test_dot_decodes_in_every_cut),
		cmocka_unit_test(test_dot_decoder_leaves_what_follows_the_end),
		cmocka_unit_test(test_dot_decoder_refuses_in_every_cut),
		cmocka_unit_test(test_dot_round_trip),
		cmocka_unit_test(test_dot_wire_is_safe_with_nul_too),
		cmocka_unit_test(test_dot_decoder_does_not_depend_on_cuts),
	};

	return RUN_TESTS(tests);
}
