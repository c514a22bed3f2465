/* Unit tests of src/admin: lines of users/assign, pieces for syslog. */
#include "admin/assign.h"
#include "admin/logline.h"
#include "unit.h"

#include <syslog.h>

static void
expect_assign(const char *line, struct strv key, const char *user, char wild)
{
	struct buf k = BUF_INIT, v = BUF_INIT;
	char wildcard = 'x';

	assert_int_equal(assign_parse(strv_of(line), &k, &v, &wildcard), 0);
	assert_same(buf_view(&k), key);
	assert_string_equal(buf_cstr(&v), user);
	assert_int_equal(wildcard, wild);
	buf_free(&k);
	buf_free(&v);
}

static void
test_assign_good(void **state)
{
	(void)state;
	expect_assign("=Joe:joe:1:2:/h:-:e:", STRV("!joe\0"), "joe", '\0');
	expect_assign("+Joe-X:joe:1:2:/h:-:e:", STRV("!joe-x"), "joe", 'x');
	expect_assign("+:alias:1:2:/h:-::", STRV("!"), "alias", '\0');
	expect_assign("?odd:u:1:2:/h:-:e:more", STRV("!odd\0"), "u", '\0');
	assert_true(assign_is_end(STRV(".")));
	assert_true(assign_is_end(STRV(".x")));
	assert_false(assign_is_end(STRV("")));
}

static void
test_assign_bad(void **state)
{
	static const char *const bad[] = { "", "=", "=joe",
		"=joe:joe:1:2:/h:-:", "=joe:joe:1:2:/h:-:e",
		"=joe:joe::2:/h:-:e:", "=joe:joe:-1:2:/h:-:e:",
		"=joe::1:2:/h:-:e:" };
	struct buf k = BUF_INIT, v = BUF_INIT;
	char wildcard;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(
		    assign_parse(strv_of(bad[i]), &k, &v, &wildcard),
		    QE_SYNTAX);
	assert_int_equal(
	    assign_parse(STRV("=j\0e:joe:1:2:/h:-:e:"), &k, &v, &wildcard),
	    QE_SYNTAX);
	buf_free(&k);
	buf_free(&v);
}

/* Each piece as "<priority><space or plus><text>|". */
static void
collect(void *context, const struct logline *piece)
{
	struct buf *out = context;

	assert_true(piece->len <= LOGLINE_PIECE);
	buf_addf(out, "%d%c%s|", piece->priority, piece->continued ? '+' : ' ',
	    piece->text);
}

static void
test_logline(void **state)
{
	struct logline line = { .len = 0 };
	struct buf out = BUF_INIT;

	(void)state;
	logline_feed(&line, STRV("one\n\ntw"), collect, &out);
	logline_feed(
	    &line, STRV("o\talert: \xe9\nalert: no fire\n"), collect, &out);
	logline_feed(&line, STRV("warning: x\nlast"), collect, &out);
	logline_end(&line, collect, &out);
	logline_end(&line, collect, &out);
	assert_buf(&out, "6 one|6 two?alert: ?|1 alert: no fire|"
			 "4 warning: x|6 last|");
	buf_free(&out);
}

static void
test_logline_pieces(void **state)
{
	struct logline line = { .len = 0 };
	struct buf in = BUF_INIT, out = BUF_INIT, want = BUF_INIT;

	(void)state;
	buf_add_str(&in, "alert:");
	buf_add_str(&want, "1 alert:");
	for (int i = 6; i < 2 * LOGLINE_PIECE; i++) {
		if (i == LOGLINE_PIECE)
			buf_add_str(&want, "|1+");
		buf_add_char(&in, 'x');
		buf_add_char(&want, 'x');
	}
	buf_add_str(&in, "\nnext\n");
	buf_add_str(&want, "|6 next|");
	logline_feed(&line, buf_view(&in), collect, &out);
	assert_same(buf_view(&out), buf_view(&want));
	buf_free(&in);
	buf_free(&out);
	buf_free(&want);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_assign_good),
		cmocka_unit_test(test_assign_bad),
		cmocka_unit_test(test_logline),
		cmocka_unit_test(test_logline_pieces),
	};

	return RUN_TESTS(tests);
}
