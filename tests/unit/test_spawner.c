/* The spawners' request reader, report tables and look-up codec. */
#include "unit.h"

#include "base/error.h"
#include "send/lookup.h"
#include "send/spawner_report.h"
#include "send/spawner_request.h"

#include <string.h>

/* Reads one request given in portions of so many bytes. */
static void
read_request(struct spawner_request *r, struct strv bytes, size_t portion)
{
	bool complete = false;

	spawner_request_reset(r);
	while (bytes.len > 0) {
		struct strv part = strv_head(bytes, portion);

		bytes = strv_skip(bytes, portion);
		assert_false(complete);
		complete = spawner_request_feed(r, &part);
		assert_int_equal(part.len, 0);
	}
	assert_true(complete);
}

static void
test_request_in_portions(void **state)
{
	static const char bytes[] = "\005"
				    "12/34\0s@x\0joe@host";
	struct spawner_request r;

	(void)state;
	spawner_request_init(&r, 1);
	for (size_t portion = 1; portion <= sizeof(bytes); portion++) {
		read_request(&r, strv_from(bytes, sizeof(bytes)), portion);
		assert_int_equal(r.number, 5);
		assert_string_equal(buf_cstr(&r.id), "12/34");
		assert_string_equal(buf_cstr(&r.sender), "s@x");
		assert_string_equal(buf_cstr(&r.recipient), "joe@host");
		assert_null(spawner_request_flaw(&r));
	}
	spawner_request_clear(&r);
}

static void
test_request_wide_number_and_rest(void **state)
{
	static const char bytes[] = "\0\001"
				    "1\0\0a@b\0\0\0"
				    "2\0\0c@d";
	struct strv rest = strv_from(bytes, sizeof(bytes));
	struct spawner_request r;

	(void)state;
	spawner_request_init(&r, 2);
	assert_true(spawner_request_feed(&r, &rest));
	assert_int_equal(r.number, 256);
	assert_string_equal(buf_cstr(&r.recipient), "a@b");
	spawner_request_reset(&r);
	assert_true(spawner_request_feed(&r, &rest));
	assert_int_equal(r.number, 0);
	assert_string_equal(buf_cstr(&r.recipient), "c@d");
	assert_int_equal(rest.len, 0);
	spawner_request_clear(&r);
}

static void
expect_flaw(const char *id, const char *recipient, const char *flaw)
{
	struct buf bytes = BUF_INIT;
	struct spawner_request r;

	buf_add_char(&bytes, 1);
	buf_add(&bytes, id, strlen(id) + 1);
	buf_add(&bytes, "s", 2);
	buf_add(&bytes, recipient, strlen(recipient) + 1);
	spawner_request_init(&r, 1);
	read_request(&r, buf_view(&bytes), 1000);
	if (flaw == NULL)
		assert_null(spawner_request_flaw(&r));
	else
		assert_string_equal(spawner_request_flaw(&r), flaw);
	spawner_request_clear(&r);
	buf_free(&bytes);
}

static void
test_request_flaws(void **state)
{
	static const char nonnumerics[] =
	    "DInternal error: messid has nonnumerics. (#5.3.5)\n";
	static const char too_long[] =
	    "DInternal error: messid too long. (#5.3.5)\n";
	static const char memory[] = "Zqmail-spawn out of memory. (#4.3.0)\n";
	char digits[SPAWNER_ID_MAX + 2], address[SPAWNER_ADDRESS_MAX + 10];

	(void)state;
	expect_flaw("1/2", "a@b", NULL);
	expect_flaw("1/2", "@b", NULL);
	expect_flaw(
	    "1/2", "a", "DSorry, address must include host name. (#5.1.3)\n");
	expect_flaw("", "a@b", "DInternal error: messid too short. (#5.3.5)\n");
	expect_flaw("1/2a", "a@b", nonnumerics);
	expect_flaw("../1", "a@b", nonnumerics);
	expect_flaw("/1/2", "a@b", nonnumerics);
	memset(digits, '1', sizeof(digits));
	digits[SPAWNER_ID_MAX] = '\0';
	expect_flaw(digits, "a@b", NULL);
	digits[SPAWNER_ID_MAX] = '1';
	digits[SPAWNER_ID_MAX + 1] = '\0';
	expect_flaw(digits, "a@b", too_long);
	memset(address, '@', sizeof(address));
	address[SPAWNER_ADDRESS_MAX + 1] = '\0';
	expect_flaw("1/2", address, memory);
}

static void
expect_local(int code, struct strv output, bool cut, const char *report)
{
	const struct spawner_child child = { code, output, cut };
	struct buf out = BUF_INIT;

	spawner_report_local(&child, &out);
	assert_string_equal(buf_cstr(&out), report);
	assert_int_equal(out.len, strlen(report));
	buf_free(&out);
}

static void
test_report_local(void **state)
{
	static const int temporary[] = { 111, 71, 74, 75 };
	static const int permanent[] = { 100, 1, 64, 77, 99, 114, 122, 127,
		255 };

	(void)state;
	expect_local(0, STRV("did\n"), false, "Kdid\n");
	for (size_t i = 0; i < sizeof(temporary) / sizeof(int); i++)
		expect_local(temporary[i], STRV("x\n"), false, "Zx\n");
	for (size_t i = 0; i < sizeof(permanent) / sizeof(int); i++)
		expect_local(permanent[i], STRV("x\n"), false, "Dx\n");
	expect_local(0, STRV("a\0b"), false, "Ka");
	expect_local(0, STRV("a"), true, "Ka\nError report too long, sorry.\n");
	expect_local(0, STRV("a\0b"), true, "Ka");
	expect_local(-1, STRV("x"), false, "Zqmail-local crashed.\n");
	expect_local(112, STRV("x"), false, "ZInternal qmail-lspawn bug.\n");
	expect_local(113, STRV("x"), false,
	    "ZNot allowed to perform deliveries as root.\n");
	expect_local(115, STRV("x"), false, "ZNFS failure in qmail-local.\n");
	expect_local(116, STRV("x"), false, "ZUnable to find alias user!\n");
	expect_local(117, STRV("x"), false,
	    "ZTrouble reading users/cdb in qmail-lspawn.\n");
	expect_local(
	    118, STRV("x"), false, "ZTemporary failure in qmail-lspawn.\n");
	expect_local(
	    119, STRV("x"), false, "ZOut of memory in qmail-lspawn.\n");
	expect_local(120, STRV("x"), false, "ZUnable to run qmail-local.\n");
	expect_local(121, STRV("x"), false, "ZUnable to run qmail-getpw.\n");
	expect_local(126, STRV("x"), false, "DUnable to run qmail-local.\n");
}

static void
expect_remote(int code, struct strv output, bool cut, const char *report)
{
	const struct spawner_child child = { code, output, cut };
	struct buf out = BUF_INIT;

	spawner_report_remote(&child, &out);
	assert_string_equal(buf_cstr(&out), report);
	assert_int_equal(out.len, strlen(report));
	buf_free(&out);
}

static void
test_report_remote(void **state)
{
	(void)state;
	expect_remote(0, STRV("r\0Kok\n\0"), false, "Kok\n");
	expect_remote(0, STRV("hbad\n\0Dgiving\n\0"), false, "Dbad\ngiving\n");
	expect_remote(
	    0, STRV("slater\n\0Dgiving\n\0"), false, "Zlater\ngiving\n");
	expect_remote(0, STRV("hbad\n\0Kok\n\0"), false, "Dbad\n");
	expect_remote(0, STRV("slater\n\0Kok\n\0"), false, "Zlater\n");
	expect_remote(0, STRV("Zno\n\0"), false, "Zno\n");
	expect_remote(0, STRV("Dno\n\0"), false, "Dno\n");
	expect_remote(0, STRV("Kx"), false, "D");
	expect_remote(0, STRV("Kx"), true, "Z");
	expect_remote(0, STRV("x\0y\0"), false, "D");
	expect_remote(0, STRV("\0Kok\0"), false, "Kok");
	expect_remote(0, STRV("r\0x\0Kok\0"), false, "K");
	expect_remote(0, STRV("\0\0\0"), false, "D");
	expect_remote(
	    0, STRV_EMPTY, false, "Zqmail-remote produced no output.\n");
	expect_remote(
	    -1, STRV("r\0Kok\n\0"), false, "Zqmail-remote crashed.\n");
	expect_remote(
	    111, STRV("r\0Kok\n\0"), false, "ZUnable to run qmail-remote.\n");
	expect_remote(100, STRV("x"), false, "DUnable to run qmail-remote.\n");
}

static void
test_report_remote_is_bounded(void **state)
{
	static char output[2 * SPAWNER_REPORT_MAX];
	struct spawner_child child = {
		.output = {output, sizeof(output)}
	};
	struct buf out = BUF_INIT;

	(void)state;
	memset(output, 'x', sizeof(output));
	output[0] = 'r';
	output[100] = '\0';
	output[101] = 'K';
	output[sizeof(output) - 1] = '\0';
	spawner_report_remote(&child, &out);
	assert_int_equal(out.data[0], 'K');
	assert_true(out.len < SPAWNER_REPORT_MAX + 100);
	buf_free(&out);
}

static void
test_lookup_codec(void **state)
{
	struct user_entry entry = { .user = "joe",
		.home = "/home/joe",
		.dash = "-",
		.ext = "a.B",
		.uid = 507,
		.gid = 100 };
	struct user_entry found = { .bytes = BUF_INIT };
	struct buf answer = BUF_INIT;
	int code = -1;

	(void)state;
	lookup_encode(0, &entry, &answer);
	assert_int_equal(lookup_decode(buf_view(&answer), &code, &found), 0);
	assert_int_equal(code, 0);
	assert_string_equal(found.user, "joe");
	assert_string_equal(found.home, "/home/joe");
	assert_string_equal(found.dash, "-");
	assert_string_equal(found.ext, "a.B");
	assert_int_equal(found.uid, 507);
	assert_int_equal(found.gid, 100);
	user_entry_free(&found);
	buf_reset(&answer);
	lookup_encode(116, &entry, &answer);
	assert_int_equal(lookup_decode(buf_view(&answer), &code, &found), 0);
	assert_int_equal(code, 116);
	buf_free(&answer);
}

static void
test_lookup_decode_refuses(void **state)
{
	struct user_entry found = { .bytes = BUF_INIT };
	int code = -1;

	(void)state;
	assert_int_equal(lookup_decode(STRV_EMPTY, &code, &found), QE_SYNTAX);
	assert_int_equal(lookup_decode(STRV("\0"), &code, &found), QE_SYNTAX);
	assert_int_equal(
	    lookup_decode(STRV("\164x"), &code, &found), QE_SYNTAX);
	assert_int_equal(lookup_decode(STRV("\0joe\0-1\0"
					    "1\0/\0\0"),
			     &code, &found),
	    QE_SYNTAX);
	assert_int_equal(lookup_decode(STRV("\0joe\0"
					    "1\0"
					    "1\0/"),
			     &code, &found),
	    QE_SYNTAX);
	assert_int_equal(code, -1);
}

/* Bytes that matter to the codecs are frequent. */
static size_t
random_bytes(uint32_t *seed, char *out, size_t max)
{
	static const char frequent[] = "\0\0KZDrsh@/123";
	size_t n = unit_random(seed) % max;

	for (size_t i = 0; i < n; i++) {
		uint32_t r = unit_random(seed);

		out[i] = r % 4 == 0
			     ? (char)(r >> 8)
			     : frequent[(r >> 8) % (sizeof(frequent) - 1)];
	}
	return n;
}

static void
test_codecs_stand_random_bytes(void **state)
{
	uint32_t seed = 4711;
	char bytes[400];
	struct spawner_request r;

	(void)state;
	spawner_request_init(&r, 1);
	for (int i = 0; i < 20000; i++) {
		struct strv in =
		    strv_from(bytes, random_bytes(&seed, bytes, sizeof(bytes)));
		struct spawner_child child = { .output = in, .cut = i % 2 };
		struct buf out = BUF_INIT;

		spawner_report_remote(&child, &out);
		assert_true(strv_find(STRV("KZD"), out.data[0]) != STRV_NPOS);
		assert_true(strv_find(buf_view(&out), '\0') == STRV_NPOS);
		buf_reset(&out);
		spawner_report_local(&child, &out);
		assert_true(strv_find(buf_view(&out), '\0') == STRV_NPOS);
		buf_free(&out);
		while (spawner_request_feed(&r, &in)) {
			if (spawner_request_flaw(&r) == NULL)
				assert_true(r.id.data[0] != '/');
			spawner_request_reset(&r);
		}
	}
	spawner_request_clear(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request_in_portions),
		cmocka_unit_test(test_request_wide_number_and_rest),
		cmocka_unit_test(test_request_flaws),
		cmocka_unit_test(test_report_local),
		cmocka_unit_test(test_report_remote),
		cmocka_unit_test(test_report_remote_is_bounded),
		cmocka_unit_test(test_lookup_codec),
		cmocka_unit_test(test_lookup_decode_refuses),
		cmocka_unit_test(test_codecs_stand_random_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
