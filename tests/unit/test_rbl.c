/* rblsmtpd's names, answers and decisions. */
#include "base/error.h"
#include "smtp/rbl.h"
#include "unit.h"

enum { SOURCES = 4 };

struct lists {
	struct rbl_source sources[SOURCES];
	struct dns_question questions[SOURCES];
	struct ipaddr_list addresses[SOURCES];
	struct buf texts[SOURCES];
	size_t count;
};

/* One more source and its answer; address NULL: result is all there is. */
static void
add(struct lists *l, const char *option, bool anti, int result,
    const char *address)
{
	size_t i = l->count++;
	struct dns_question *q = &l->questions[i];
	struct ipaddr ip;

	assert_int_equal(
	    rbl_source_parse(strv_of(option), anti, &l->sources[i]), 0);
	q->found.addresses = &l->addresses[i];
	q->found.text = &l->texts[i];
	q->done = result != QE_TIMEOUT;
	q->result = result;
	if (address == NULL)
		return;
	if (ipaddr_parse(strv_of(address), &ip) == 0)
		assert_int_equal(ipaddr_list_add(&l->addresses[i], &ip), 0);
	else
		buf_add_str(&l->texts[i], address);
}

static struct rbl_verdict
decide(struct lists *l, bool permanent, bool closed)
{
	const struct rbl_policy policy = { permanent, closed };
	struct rbl_verdict v;

	assert_true(rbl_decide(l->sources, l->questions, l->count, &policy,
	    true, STRV("192.0.2.7"), &v));
	for (size_t i = 0; i < SOURCES; i++) {
		ipaddr_list_free(&l->addresses[i]);
		buf_free(&l->texts[i]);
	}
	*l = (struct lists){ .count = 0 };
	return v;
}

static void
name_is(const char *address, const char *want)
{
	struct buf out = BUF_INIT;
	struct ipaddr ip;

	assert_int_equal(ipaddr_parse(strv_of(address), &ip), 0);
	rbl_name(&ip, STRV("z.example"), &out);
	assert_string_equal(buf_cstr(&out), want);
	buf_free(&out);
}

static void
test_rbl_name(void **state)
{
	(void)state;
	name_is("192.0.2.7", "7.2.0.192.z.example");
	name_is("::ffff:192.0.2.7", "7.2.0.192.z.example");
	name_is("2001:db8::1f", "f.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
				"0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.z.example");
}

static void
test_rbl_source_parse(void **state)
{
	static const char *const bad[] = { "", ":", ":text",
		"z.example:", "z.example: ", "z..example", "z example",
		"z(.example:x" };
	struct rbl_source s;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(
		    rbl_source_parse(strv_of(bad[i]), false, &s), QE_SYNTAX);
	assert_int_equal(rbl_source_parse(STRV("z.example"), false, &s), 0);
	assert_false(s.asks_address);
	assert_int_equal(rbl_source_parse(STRV("z.example"), true, &s), 0);
	assert_true(s.asks_address);
	assert_int_equal(
	    rbl_source_parse(STRV("z.example:a: b"), false, &s), 0);
	assert_true(s.asks_address);
	assert_true(strv_eq(s.zone, STRV("z.example")));
	assert_true(strv_eq(s.text, STRV("a: b")));
}

static void
test_rbl_text(void **state)
{
	char out[RBL_TEXT_MAX + 1], endless[3 * RBL_TEXT_MAX];

	(void)state;
	rbl_text(STRV("see %IP% at %IP, %IP%\r\n\x80"), STRV("::1"), out);
	assert_string_equal(out, "see ::1 at %IP, ::1???");
	rbl_text(STRV(""), STRV("::1"), out);
	assert_string_equal(out, "");
	memset(endless, 'x', sizeof(endless));
	rbl_text(strv_from(endless, sizeof(endless)), STRV("::1"), out);
	assert_int_equal(strlen(out), RBL_TEXT_MAX);
}

static void
test_rbl_listed(void **state)
{
	struct lists l = { .count = 0 };
	struct rbl_verdict v;

	(void)state;
	add(&l, "a.example", false, QE_DENIED, NULL);
	add(&l, "b.example", false, QE_ABSENT, NULL);
	assert_int_equal(decide(&l, true, true).kind, RBL_CLEAN);
	add(&l, "a.example", false, QE_DENIED, NULL);
	add(&l, "b.example:no %IP%", false, 0, "127.0.0.2");
	add(&l, "c.example", false, 0, "later");
	v = decide(&l, false, false);
	assert_int_equal(v.kind, RBL_LISTED);
	assert_int_equal(v.code, 451);
	assert_string_equal(v.text, "no 192.0.2.7");
	add(&l, "c.example", false, 0, "said %IP%");
	v = decide(&l, true, false);
	assert_int_equal(v.code, 553);
	assert_string_equal(v.text, "said 192.0.2.7");
}

static void
test_rbl_addresses_that_are_no_listing(void **state)
{
	struct lists l = { .count = 0 };

	(void)state;
	add(&l, "a.example:x", false, 0, "127.255.255.254");
	assert_int_equal(decide(&l, false, false).kind, RBL_CLEAN);
	add(&l, "a.example:x", false, 0, "127.255.255.254");
	assert_int_equal(decide(&l, false, true).kind, RBL_DOUBT);
	add(&l, "a.example:x", false, 0, "192.0.2.80");
	assert_int_equal(decide(&l, false, false).kind, RBL_CLEAN);
	/* -a: what the operator's own list says, is his. */
	add(&l, "w.example", true, 0, "192.0.2.80");
	add(&l, "a.example:x", false, 0, "127.0.0.2");
	assert_int_equal(decide(&l, false, false).kind, RBL_CLEAN);
}

static void
test_rbl_anti(void **state)
{
	struct lists l = { .count = 0 };

	(void)state;
	add(&l, "w.example", true, 0, "127.0.0.1");
	add(&l, "a.example", false, 0, "x");
	assert_int_equal(decide(&l, true, true).kind, RBL_CLEAN);
	add(&l, "a.example", false, 0, "x");
	add(&l, "w.example", true, 0, "127.0.0.1");
	assert_int_equal(decide(&l, true, true).kind, RBL_LISTED);
	add(&l, "w.example", true, QE_DENIED, NULL);
	add(&l, "a.example", false, 0, "x");
	assert_int_equal(decide(&l, true, true).kind, RBL_LISTED);
}

static void
test_rbl_failures(void **state)
{
	struct lists l = { .count = 0 };
	struct rbl_verdict v;

	(void)state;
	add(&l, "a.example", false, QE_TEMP, NULL);
	assert_int_equal(decide(&l, true, false).kind, RBL_CLEAN);
	add(&l, "a.example", false, QE_TIMEOUT, NULL);
	v = decide(&l, true, true);
	assert_int_equal(v.kind, RBL_DOUBT);
	assert_int_equal(v.code, 451);
	add(&l, "w.example", true, QE_TEMP, NULL);
	add(&l, "a.example", false, 0, "x");
	assert_int_equal(decide(&l, true, false).kind, RBL_CLEAN);
	add(&l, "w.example", true, QE_TEMP, NULL);
	add(&l, "a.example", false, 0, "x");
	v = decide(&l, true, true);
	assert_int_equal(v.kind, RBL_LISTED);
	assert_int_equal(v.code, 451);
}

static void
test_rbl_waits_for_the_order(void **state)
{
	const struct rbl_policy policy = { false, false };
	struct lists l = { .count = 0 };
	struct rbl_verdict v;

	(void)state;
	add(&l, "a.example", false, QE_TIMEOUT, NULL);
	add(&l, "b.example", false, 0, "second");
	assert_false(rbl_decide(
	    l.sources, l.questions, 2, &policy, false, STRV("192.0.2.7"), &v));
	l.questions[0].done = true;
	l.questions[0].result = QE_DENIED;
	assert_true(rbl_decide(
	    l.sources, l.questions, 2, &policy, false, STRV("192.0.2.7"), &v));
	assert_string_equal(v.text, "second");
	buf_free(&l.texts[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rbl_name),
		cmocka_unit_test(test_rbl_source_parse),
		cmocka_unit_test(test_rbl_text),
		cmocka_unit_test(test_rbl_listed),
		cmocka_unit_test(test_rbl_addresses_that_are_no_listing),
		cmocka_unit_test(test_rbl_anti),
		cmocka_unit_test(test_rbl_failures),
		cmocka_unit_test(test_rbl_waits_for_the_order),
	};

	return RUN_TESTS(tests);
}
