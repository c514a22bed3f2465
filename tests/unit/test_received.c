/* mail/received: the byte-exact form, and what strangers put in it. */
#include "mail/received.h"
#include "unit.h"

static const struct received plain = {
	.remote_host = {"mx.example",      10},
	.remote_ip = { "192.0.2.1",      9 },
	.local_host = { "me.example",     10},
	.helo = { "client.example", 14},
	.protocol = { "ESMTP",          5 },
	.time = 1795310305,
};

static void
check(const struct received *r, const char *want)
{
	struct buf out = BUF_INIT;

	received_add(&out, r);
	assert_int_equal(out.err, 0);
	assert_same(buf_view(&out), strv_of(want));
	buf_free(&out);
}

static void
test_received_full(void **state)
{
	struct received r = plain;

	(void)state;
	r.remote_info = STRV("joe");
	check(&r,
	    "Received: from mx.example (HELO client.example) (joe@192.0.2.1)\n"
	    "  by me.example with ESMTP; 22 Nov 2026 01:18:25 -0000\n");
}

static void
test_received_names_tls(void **state)
{
	struct received r = plain;

	(void)state;
	r.protocol = STRV("ESMTPSA");
	r.tls = STRV("TLSv1.3 TLS_AES_256_GCM_SHA384");
	check(&r,
	    "Received: from mx.example (HELO client.example) (192.0.2.1)\n"
	    "  by me.example with ESMTPSA "
	    "(TLSv1.3 TLS_AES_256_GCM_SHA384); "
	    "22 Nov 2026 01:18:25 -0000\n");
}

static void
test_received_leaves_out_an_equal_helo(void **state)
{
	struct received r = plain;

	(void)state;
	r.helo = STRV("MX.Example");
	check(&r, "Received: from mx.example (192.0.2.1)\n"
		  "  by me.example with ESMTP; 22 Nov 2026 01:18:25 -0000\n");
	r.helo = STRV_EMPTY;
	check(&r, "Received: from mx.example (192.0.2.1)\n"
		  "  by me.example with ESMTP; 22 Nov 2026 01:18:25 -0000\n");
}

static void
test_received_unknown(void **state)
{
	struct received r = { .protocol = STRV("QMTP"), .time = 0 };

	(void)state;
	check(&r, "Received: from unknown (unknown)\n"
		  "  by unknown with QMTP; 1 Jan 1970 00:00:00 -0000\n");
	r.helo = STRV("unknown");
	check(&r, "Received: from unknown (unknown)\n"
		  "  by unknown with QMTP; 1 Jan 1970 00:00:00 -0000\n");
}

static void
test_received_filters_foreign_bytes(void **state)
{
	struct received r = plain;

	(void)state;
	r.helo = STRV("a_b (c)\r\nX: y\0z\xff[1.2]");
	r.remote_info = STRV("j;e\"");
	r.tls = STRV("T(x)\n_");
	check(&r, "Received: from mx.example (HELO a?b??c???X:?y?z?[1.2]) "
		  "(j?e?@192.0.2.1)\n"
		  "  by me.example with ESMTP (T?x??_); "
		  "22 Nov 2026 01:18:25 -0000\n");
}

static void
test_received_bounds_every_word(void **state)
{
	static char lots[5000];
	struct received r = plain;
	struct buf out = BUF_INIT;

	(void)state;
	memset(lots, 'x', sizeof(lots));
	r.helo = r.remote_host = r.remote_info = r.local_host = r.tls =
	    strv_from(lots, sizeof(lots));
	received_add(&out, &r);
	assert_true(out.len < 2000);
	assert_non_null(memmem(out.data, out.len, "x...", 4));
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_received_full),
		cmocka_unit_test(test_received_names_tls),
		cmocka_unit_test(test_received_leaves_out_an_equal_helo),
		cmocka_unit_test(test_received_unknown),
		cmocka_unit_test(test_received_filters_foreign_bytes),
		cmocka_unit_test(test_received_bounds_every_word),
	};

	return RUN_TESTS(tests);
}
