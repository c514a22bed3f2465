/* send/todo_link: what goes in comes out, and nothing else is believed. */
#include "send/todo_link.h"
#include "unit.h"

static struct link_message
fresh(void)
{
	struct link_message m = { .type = LINK_FRESH,
		.id = 1106519,
		.size = 257,
		.uid = 1000,
		.qp = 20657,
		.birth = 1795310514,
		.text = STRV("a@b"),
		.recipient_count = 2 };

	m.recipients[0] =
	    (struct link_recipient){ CHANNEL_LOCAL, false, STRV("c@d") };
	m.recipients[1] =
	    (struct link_recipient){ CHANNEL_REMOTE, true, STRV("") };
	return m;
}

static void
test_link_round_trip(void **state)
{
	struct buf wire = BUF_INIT;
	struct link_message in = fresh(), out;
	size_t used = 0;

	(void)state;
	link_encode(&wire, &in);
	assert_int_equal(wire.err, 0);
	assert_int_equal(link_decode(buf_view(&wire), &out, &used), 0);
	assert_int_equal(used, wire.len);
	assert_int_equal(out.type, LINK_FRESH);
	assert_true(out.id == in.id && out.size == in.size &&
		    out.uid == in.uid && out.qp == in.qp &&
		    out.birth == in.birth);
	assert_view(out.text, "a@b");
	assert_int_equal(out.recipient_count, 2);
	assert_view(out.recipients[0].address, "c@d");
	assert_int_equal(out.recipients[0].channel, CHANNEL_LOCAL);
	assert_false(out.recipients[0].done);
	assert_view(out.recipients[1].address, "");
	assert_int_equal(out.recipients[1].channel, CHANNEL_REMOTE);
	assert_true(out.recipients[1].done);
	buf_free(&wire);
}

static void
test_link_all_types(void **state)
{
	struct buf wire = BUF_INIT;
	struct strv rest;

	(void)state;
	for (int type = LINK_GRANT; type <= LINK_STRAY; type++) {
		struct link_message m = fresh();

		m.type = (enum link_type)type;
		m.count = 3;
		m.birth = -5;
		link_encode(&wire, &m);
	}
	assert_int_equal(wire.err, 0);
	rest = buf_view(&wire);
	for (int type = LINK_GRANT; type <= LINK_STRAY; type++) {
		struct link_message m;
		size_t used;

		assert_int_equal(link_decode(rest, &m, &used), 0);
		assert_int_equal(m.type, type);
		rest = strv_skip(rest, used);
	}
	assert_int_equal(rest.len, 0);
	buf_free(&wire);
}

static void
test_link_needs_every_byte(void **state)
{
	struct buf wire = BUF_INIT;
	struct link_message in = fresh(), out;
	size_t used;

	(void)state;
	link_encode(&wire, &in);
	for (size_t n = 0; n < wire.len; n++)
		assert_int_equal(
		    link_decode(strv_head(buf_view(&wire), n), &out, &used),
		    QE_EOF);
	buf_free(&wire);
}

static void
test_link_refuses_garbage(void **state)
{
	const struct strv bad[] = {
		/* no type; unknown types; too short and too long bodies */
		STRV("\0\0\0\0"),
		STRV("\1\0\0\0\0"),
		STRV("\1\0\0\0\x0b"),
		STRV("\1\0\0\0\1"),
		STRV("\2\0\0\0\4\0"),
		STRV("\2\0\0\0\5\0"),
		STRV("\xff\xff\xff\xff\1"),
		STRV("\1\0\1\0\1"),
		/* a text longer than its message */
		STRV("\6\0\0\0\x09\5\0\0\0x"),
	};
	struct link_message out;
	size_t used;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(link_decode(bad[i], &out, &used), QE_SYNTAX);
}

static void
test_link_survives_random_bytes(void **state)
{
	uint32_t seed = 3;

	(void)state;
	for (int i = 0; i < 50000; i++) {
		struct buf wire = BUF_INIT;
		struct link_message m = fresh();
		size_t used = 0;
		int r;

		link_encode(&wire, &m);
		for (int k = 0; k < 3; k++)
			wire.data[unit_random(&seed) % wire.len] =
			    (char)unit_random(&seed);
		r = link_decode(buf_view(&wire), &m, &used);
		assert_true(r == 0 || r == QE_EOF || r == QE_SYNTAX);
		if (r == 0)
			assert_true(used <= wire.len);
		buf_free(&wire);
	}
}

static void
test_link_has_a_limit(void **state)
{
	struct buf wire = BUF_INIT, big = BUF_INIT;
	struct link_message m = { .type = LINK_NOTE };

	(void)state;
	memset(buf_reserve(&big, LINK_MESSAGE_MAX), 'x', LINK_MESSAGE_MAX);
	big.len = LINK_MESSAGE_MAX;
	m.text = buf_view(&big);
	link_encode(&wire, &m);
	assert_int_equal(wire.err, QE_LIMIT);
	buf_free(&wire);
	buf_free(&big);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_link_round_trip),
		cmocka_unit_test(test_link_all_types),
		cmocka_unit_test(test_link_needs_every_byte),
		cmocka_unit_test(test_link_refuses_garbage),
		cmocka_unit_test(test_link_survives_random_bytes),
		cmocka_unit_test(test_link_has_a_limit),
	};

	return RUN_TESTS(tests);
}
