/* MTA-STS: policies, records and the files in which they are kept. */
#include "smtp/sts_policy.h"

#include "unit.h"

static void
test_policy(void **state)
{
	static const char text[] = "version: STSv1\r\n"
				   "mode: enforce\r\n"
				   "mx: mail.example.com\r\n"
				   "mx:*.example.net\r\n"
				   "unknown: x\r\n"
				   "max_age: 604800\r\n";
	struct sts_policy p;

	(void)state;
	assert_int_equal(sts_policy_parse(STRV(text), &p), 0);
	assert_int_equal(p.mode, STS_ENFORCE);
	assert_int_equal(p.max_age, 604800);
	assert_int_equal(p.mx_count, 2);
	assert_true(sts_policy_allows(&p, STRV("Mail.Example.com")));
	assert_true(sts_policy_allows(&p, STRV("mail.example.com.")));
	assert_false(sts_policy_allows(&p, STRV("a.mail.example.com")));
	assert_true(sts_policy_allows(&p, STRV("mx1.example.net")));
	assert_false(sts_policy_allows(&p, STRV("example.net")));
	assert_false(sts_policy_allows(&p, STRV(".example.net")));
	assert_false(sts_policy_allows(&p, STRV("a.b.example.net")));
	assert_false(sts_policy_allows(&p, STRV("*.example.net.evil")));
	assert_false(sts_policy_allows(&p, STRV("")));
}

static void
test_policies_of_all_modes(void **state)
{
	struct sts_policy p;

	(void)state;
	assert_int_equal(
	    sts_policy_parse(
		STRV("max_age: 1\nmode: none\nversion: STSv1"), &p),
	    0);
	assert_int_equal(p.mode, STS_NONE);
	assert_int_equal(
	    sts_policy_parse(
		STRV("version:STSv1\nmode:testing\nmax_age:0\nmx:a\n\n"), &p),
	    0);
	assert_int_equal(p.mode, STS_TESTING);
	/* The first of two counts. */
	assert_int_equal(
	    sts_policy_parse(STRV("version: STSv1\nmode: enforce\nmode: none\n"
				  "max_age: 5\nmax_age: 6\nmx: a\n"),
		&p),
	    0);
	assert_int_equal(p.mode, STS_ENFORCE);
	assert_int_equal(p.max_age, 5);
}

static void
test_what_is_no_policy(void **state)
{
	static const char *const bad[] = {
		"",
		"<html>no</html>\n",
		"version: STSv2\nmode: none\nmax_age: 1\n",
		"mode: none\nmax_age: 1\n",
		"version: STSv1\nmax_age: 1\n",
		"version: STSv1\nmode: none\n",
		"version: STSv1\nmode: enforce\nmax_age: 1\n",
		"version: STSv1\nmode: strict\nmx: a\nmax_age: 1\n",
		"version: STSv1\nmode: enforce\nmx: a\nmax_age: -1\n",
		"version: STSv1\nmode: enforce\nmx: a\nmax_age: 31557601\n",
		"version: STSv1\nmode: enforce\nmx: a b\nmax_age: 1\n",
		"version: STSv1\nmode: enforce\nmx: *\nmax_age: 1\n",
		"version: STSv1\nmode: enforce\nmx: *.*.a\nmax_age: 1\n",
		"version: STSv1\nmode: enforce\nmx:\nmax_age: 1\n",
		"version: STSv1\nnonsense\nmode: none\nmax_age: 1\n",
	};
	struct sts_policy p;
	struct buf many = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(
		    sts_policy_parse(strv_of(bad[i]), &p), QE_SYNTAX);
	assert_int_equal(
	    sts_policy_parse(
		STRV("version: STSv1\nmode: none\nmax_age: 1\n\0"), &p),
	    QE_SYNTAX);
	buf_add_str(&many, "version: STSv1\nmode: enforce\nmax_age: 1\n");
	for (int i = 0; i <= STS_MX_MAX; i++)
		buf_addf(&many, "mx: mx%d\n", i);
	assert_int_equal(sts_policy_parse(buf_view(&many), &p), QE_LIMIT);
	buf_free(&many);
}

static void
test_record(void **state)
{
	static const char *const bad[] = { "", "v=STSv1", "v=STSv1;",
		"v=STSv1; id=", "v=STSv1; id=a-b", "v=STSv2; id=a",
		"id=a; v=STSv1", "v=spf1 -all",
		"v=STSv1; id=123456789012345678901234567890123" };
	struct strv id;

	(void)state;
	assert_int_equal(
	    sts_record_parse(STRV("v=STSv1; id=20160831085700Z;"), &id), 0);
	assert_view(id, "20160831085700Z");
	assert_int_equal(
	    sts_record_parse(STRV("v=STSv1;x=y; id=a1 ; id=b"), &id), 0);
	assert_view(id, "a1");
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(
		    sts_record_parse(strv_of(bad[i]), &id), QE_SYNTAX);
}

static void
test_file(void **state)
{
	static const char text[] =
	    "checked: 2000\nfetched: 1000\nid: a1\n\n"
	    "version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 500\n";
	struct sts_file f;

	(void)state;
	assert_int_equal(sts_file_parse(STRV(text), &f), 0);
	assert_int_equal(f.checked, 2000);
	assert_int_equal(f.fetched, 1000);
	assert_view(f.id, "a1");
	assert_int_equal(f.policy.mx_count, 1);
	assert_true(sts_file_holds(&f, 1000));
	assert_true(sts_file_holds(&f, 1499));
	assert_false(sts_file_holds(&f, 1500));
	assert_false(sts_file_holds(&f, 999));
	assert_int_equal(sts_file_parse(STRV("checked: 7\n"), &f), 0);
	assert_int_equal(f.checked, 7);
	assert_false(sts_file_holds(&f, 7));
}

static void
test_damaged_files(void **state)
{
	static const char *const bad[] = { "checked\n", "checked: x\n",
		"checked: 1\nfetched: 1\n", "other: 1\n", "id: a-b\n",
		"checked: 1\nfetched: 1\nid: a\n\nversion: STSv1\n" };
	struct sts_file f;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(
		    sts_file_parse(strv_of(bad[i]), &f), QE_SYNTAX);
}

static void
test_domains(void **state)
{
	static const char *const bad[] = { "", ".", "..", ".a", "a.", "a..b",
		"A", "a/b", "../a", "a b", "a\n", "\xc3\xa4" };
	struct buf longest = BUF_INIT;

	(void)state;
	assert_true(sts_is_domain(STRV("a")));
	assert_true(sts_is_domain(STRV("xn--a-1.b_c.example")));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(sts_is_domain(strv_of(bad[i])));
	for (int i = 0; i < STS_NAME_MAX; i++)
		buf_add_char(&longest, 'a');
	assert_true(sts_is_domain(buf_view(&longest)));
	buf_add_char(&longest, 'a');
	assert_false(sts_is_domain(buf_view(&longest)));
	buf_free(&longest);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_policy),
		cmocka_unit_test(test_policies_of_all_modes),
		cmocka_unit_test(test_what_is_no_policy),
		cmocka_unit_test(test_record),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_damaged_files),
		cmocka_unit_test(test_domains),
	};

	return RUN_TESTS(tests);
}
