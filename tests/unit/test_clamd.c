/* clamd's protocol: replies as they should be and as they should not. */
#include "smtp/clamd.h"
#include "unit.h"

static void
check_reply(struct strv reply, enum clamd_verdict want, const char *about)
{
	struct strv got;

	assert_int_equal(clamd_reply_parse(reply, &got), want);
	assert_same(got, strv_of(about));
}

static void
test_replies(void **state)
{
	(void)state;
	check_reply(STRV("stream: OK"), CLAMD_CLEAN, "stream: OK");
	check_reply(
	    STRV("stream: Eicar-Test FOUND"), CLAMD_FOUND, "Eicar-Test");
	check_reply(STRV("stream: a b FOUND"), CLAMD_FOUND, "a b");
	check_reply(STRV("stream: x OK FOUND"), CLAMD_FOUND, "x OK");
	check_reply(STRV("INSTREAM size limit exceeded. ERROR"),
	    CLAMD_TOO_LARGE, "INSTREAM size limit exceeded. ERROR");
	check_reply(STRV("stream: no memory ERROR"), CLAMD_FAILED, "no memory");
	check_reply(
	    STRV("Error condition ERROR"), CLAMD_FAILED, "Error condition");
}

static void
test_nonsense(void **state)
{
	static const char *const wrong[] = { "", "OK", "FOUND", "ERROR",
		" ERROR", "stream:", "stream: ", "stream: FOUND",
		"stream:  FOUND", "stream: OK ", "stream: OKAY", "xstream: OK",
		"stream: X FOUN", "X FOUND", "stream: XFOUND", "250 ok" };

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		struct strv about;
		enum clamd_verdict v =
		    clamd_reply_parse(strv_of(wrong[i]), &about);

		if (v != CLAMD_NONSENSE)
			print_error("\"%s\"\n", wrong[i]);
		assert_int_equal(v, CLAMD_NONSENSE);
		assert_same(about, strv_of(wrong[i]));
	}
}

static void
test_names_are_made_harmless(void **state)
{
	struct buf out = BUF_INIT;
	char longest[CLAMD_NAME_MAX + 50];

	(void)state;
	clamd_add_name(&out, STRV("Win.Test-1_x(a)"));
	assert_buf(&out, "Win.Test-1_x(a)");
	buf_reset(&out);
	clamd_add_name(&out, STRV("a\"b\\c\r\nd\0e\x7f\xffg"));
	assert_buf(&out, "a?b?c??d?e??g");
	buf_reset(&out);
	memset(longest, 'x', sizeof(longest));
	clamd_add_name(&out, strv_from(longest, sizeof(longest)));
	assert_int_equal(out.len, CLAMD_NAME_MAX);
	buf_free(&out);
}

static int
parse(struct strv input, enum clamd_command *command, char *end, size_t *used)
{
	*command = CLAMD_UNKNOWN;
	*end = '?';
	*used = 999;
	return clamd_command_parse(input, command, end, used);
}

static void
check_command(
    struct strv input, enum clamd_command want, char terminator, size_t taken)
{
	enum clamd_command command;
	char end;
	size_t used;

	assert_int_equal(parse(input, &command, &end, &used), 0);
	assert_int_equal(command, want);
	assert_int_equal(end, terminator);
	assert_int_equal(used, taken);
}

static void
test_commands(void **state)
{
	(void)state;
	check_command(STRV("zPING\0"), CLAMD_PING, '\0', 6);
	check_command(STRV("nVERSION\nmore"), CLAMD_VERSION, '\n', 9);
	check_command(STRV("RELOAD\r\n"), CLAMD_RELOAD, '\n', 8);
	check_command(STRV("PING"), CLAMD_PING, '\n', 4);
	check_command(STRV("zINSTREAM\0\0\0\0\1x"), CLAMD_INSTREAM, '\0', 10);
	check_command(STRV("INSTREAM\n"), CLAMD_INSTREAM, '\n', 9);
	check_command(STRV("nSTATS\n"), CLAMD_STATS, '\n', 7);
	check_command(STRV("zSCAN /etc\0"), CLAMD_UNKNOWN, '\0', 11);
	check_command(STRV("zping\0"), CLAMD_UNKNOWN, '\0', 6);
	check_command(STRV("\n"), CLAMD_UNKNOWN, '\n', 1);
}

static void
test_commands_that_go_on(void **state)
{
	enum clamd_command command;
	char end;
	size_t used;

	(void)state;
	assert_int_equal(parse(STRV(""), &command, &end, &used), QE_EOF);
	assert_int_equal(parse(STRV("z"), &command, &end, &used), QE_EOF);
	assert_int_equal(parse(STRV("zPING"), &command, &end, &used), QE_EOF);
	assert_int_equal(parse(STRV("nPING\r"), &command, &end, &used), QE_EOF);
	assert_int_equal(parse(STRV("PIN"), &command, &end, &used), QE_EOF);
	assert_int_equal(
	    parse(STRV("INSTREAM"), &command, &end, &used), QE_EOF);
	assert_int_equal(parse(STRV("GET /0123456789012345678901234567890"),
			     &command, &end, &used),
	    QE_LIMIT);
	assert_int_equal(
	    parse(STRV("z0123456789012345678901234567890123456789\0"), &command,
		&end, &used),
	    QE_LIMIT);
	assert_int_equal(used, 999);
}

/* A stream in pieces of n bytes: what it holds, and that it has an end. */
static void
check_stream(struct strv wire, size_t n, const char *want)
{
	struct clamd_stream s = { .seen = 0 };
	struct buf out = BUF_INIT;

	while (wire.len > 0 && !s.done) {
		struct strv piece = strv_head(wire, n), data;
		size_t before = piece.len;

		while (piece.len > 0 && !s.done) {
			clamd_stream_take(&s, &piece, &data);
			buf_add_view(&out, data);
		}
		wire = strv_skip(wire, before - piece.len);
	}
	assert_true(s.done);
	assert_same(wire, STRV("rest"));
	assert_same(buf_view(&out), strv_of(want));
	buf_free(&out);
}

static void
test_streams_round_trip(void **state)
{
	struct buf wire = BUF_INIT;

	(void)state;
	clamd_add_chunk(&wire, STRV("one"));
	clamd_add_chunk(&wire, STRV(""));
	clamd_add_chunk(&wire, STRV("t"));
	clamd_add_chunk(&wire, STRV("wo"));
	clamd_add_end(&wire);
	assert_int_equal(wire.len, 4 + 3 + 4 + 1 + 4 + 2 + 4);
	buf_add_str(&wire, "rest");
	for (size_t n = 1; n <= wire.len; n++)
		check_stream(buf_view(&wire), n, "onetwo");
	buf_reset(&wire);
	clamd_add_end(&wire);
	buf_add_str(&wire, "rest");
	check_stream(buf_view(&wire), 2, "");
	buf_free(&wire);
}

static void
test_length_of_four_bytes(void **state)
{
	struct strv wire = STRV("\1\2\3\4x"), data;
	struct clamd_stream s = { .seen = 0 };

	(void)state;
	clamd_stream_take(&s, &wire, &data);
	assert_view(data, "x");
	assert_int_equal(s.left, 0x01020304 - 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_names_are_made_harmless),
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_commands_that_go_on),
		cmocka_unit_test(test_streams_round_trip),
		cmocka_unit_test(test_length_of_four_bytes),
	};

	return RUN_TESTS(tests);
}
