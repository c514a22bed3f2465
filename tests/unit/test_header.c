/* mail/header: hops counted in any cutting, fields found. */
#include "mail/header.h"
#include "unit.h"

static size_t
hops(struct strv message)
{
	struct hop_counter h;

	hop_counter_init(&h);
	hop_counter_feed(&h, message);
	return h.hops;
}

static void
test_header_counts_hops(void **state)
{
	(void)state;
	assert_int_equal(hops(STRV("Received: x\nDelivered-To: y\n\n")), 2);
	assert_int_equal(hops(STRV("RECEIVED\nreceivedfoo: z\n")), 2);
	assert_int_equal(hops(STRV("deliveredx\nDELIVERED\n")), 2);
	assert_int_equal(hops(STRV("X: 1\n received: no\n\treceived\n")), 0);
	assert_int_equal(hops(STRV("receive\ndelivere\nxreceived\n")), 0);
	assert_int_equal(hops(STRV("Received")), 1);
	assert_int_equal(hops(STRV_EMPTY), 0);
}

static void
test_header_stops_at_the_body(void **state)
{
	(void)state;
	assert_int_equal(hops(STRV("Received: 1\n\nReceived: 2\n")), 1);
	assert_int_equal(hops(STRV("\nReceived: 2\n")), 0);
	/* A line of one blank is no empty line. */
	assert_int_equal(hops(STRV("A: b\n \nReceived: 2\n")), 1);
}

static void
test_header_counts_the_same_in_every_cut(void **state)
{
	static const char text[] = "Received: a\nSubject: received\n"
				   " received: folded\nDELIVERED-to: b\n"
				   "deliver\n\nReceived: body\n";
	struct strv all = strv_from(text, sizeof(text) - 1);

	(void)state;
	for (size_t i = 0; i <= all.len; i++) {
		for (size_t j = i; j <= all.len; j++) {
			struct hop_counter h;

			hop_counter_init(&h);
			hop_counter_feed(&h, strv_head(all, i));
			hop_counter_feed(&h, strv_skip(strv_head(all, j), i));
			hop_counter_feed(&h, strv_skip(all, j));
			assert_int_equal(h.hops, 2);
			assert_true(h.in_body);
		}
	}
}

static void
test_header_field_name(void **state)
{
	(void)state;
	assert_view(header_field_name(STRV("Subject: hi\n")), "Subject");
	assert_view(header_field_name(STRV("Subject \t: hi")), "Subject");
	assert_view(header_field_name(STRV("X:")), "X");
	assert_view(header_field_name(STRV(": x")), "");
	assert_view(header_field_name(STRV(" A: x")), "");
	assert_view(header_field_name(STRV("A b: x")), "");
	assert_view(header_field_name(STRV("A")), "");
	assert_view(header_field_name(STRV("A\xc3: x")), "");
	assert_view(header_field_name(STRV("A\x7f: x")), "");
	assert_view(header_field_name(STRV("\n")), "");
	assert_view(header_field_name(STRV_EMPTY), "");
}

static void
test_header_field_is_and_value(void **state)
{
	(void)state;
	assert_true(header_field_is(STRV("TO : a@b\n"), STRV("to")));
	assert_false(header_field_is(STRV("Tox: a@b\n"), STRV("to")));
	assert_false(header_field_is(STRV("To a@b\n"), STRV("to")));
	assert_false(header_field_is(STRV(": a"), STRV_EMPTY));
	assert_view(header_field_value(STRV("To : a:b\n")), " a:b\n");
	assert_view(header_field_value(STRV("To")), "");
	assert_view(header_field_value(STRV("To:")), "");
}

static void
test_header_next(void **state)
{
	struct strv rest = STRV("A: 1\n 2\n\t3\nB:\n\nbody\n");
	struct strv field;

	(void)state;
	assert_true(header_next(&rest, &field));
	assert_view(field, "A: 1\n 2\n\t3");
	assert_true(header_next(&rest, &field));
	assert_view(field, "B:");
	assert_false(header_next(&rest, &field));
	assert_view(rest, "body\n");
	rest = STRV("A: 1\n ");
	assert_true(header_next(&rest, &field));
	assert_view(field, "A: 1\n ");
	assert_false(header_next(&rest, &field));
	assert_view(rest, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header_next),
		cmocka_unit_test(test_header_counts_hops),
		cmocka_unit_test(test_header_stops_at_the_body),
		cmocka_unit_test(test_header_counts_the_same_in_every_cut),
		cmocka_unit_test(test_header_field_name),
		cmocka_unit_test(test_header_field_is_and_value),
	};

	return RUN_TESTS(tests);
}
