/* The line "!lmtp:": server, recipient, variables. */
#include "local/lmtp_line.h"
#include "unit.h"

static const struct local_mail mail = { .user = "joe",
	.local = "joe-x-ann",
	.ext = "x-ann",
	.domain = "h.example",
	.remainder = "ann" };

static void
expect(const char *text, const char *host, unsigned port, const char *to)
{
	struct lmtp_line line;

	assert_int_equal(lmtp_line_parse(strv_of(text), &mail, &line), 0);
	assert_string_equal(line.server.host, host);
	assert_int_equal(line.server.port, port);
	assert_same(buf_view(&line.recipient), strv_of(to));
	lmtp_line_clear(&line);
}

static void
refuse(const char *text, int result)
{
	struct lmtp_line line;

	assert_int_equal(lmtp_line_parse(strv_of(text), &mail, &line), result);
	lmtp_line_clear(&line);
}

static void
test_line_server_and_recipient(void **state)
{
	(void)state;
	expect("/run/lmtp", "/run/lmtp", 0, "joe-x-ann@h.example");
	expect(" h:24 ", "h", 24, "joe-x-ann@h.example");
	expect("h:24 ann@b", "h", 24, "ann@b");
	expect("h:24\t $DEFAULT@$HOST", "h", 24, "ann@h.example");
	expect("h:24 $USER+$EXT", "h", 24, "joe+x-ann");
	expect("h:24 a$LOCAL", "h", 24, "ajoe-x-ann");
	refuse("", QE_SYNTAX);
	refuse("h:24 $HOME", QE_SYNTAX);
	refuse("h:24 $", QE_SYNTAX);
	refuse("h ann@b", QE_SYNTAX);
}

static void
test_line_without_default(void **state)
{
	struct local_mail exact = mail;
	struct lmtp_line line;

	(void)state;
	exact.remainder = NULL;
	assert_int_equal(
	    lmtp_line_parse(STRV("/x $DEFAULT"), &exact, &line), QE_SYNTAX);
	lmtp_line_clear(&line);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line_server_and_recipient),
		cmocka_unit_test(test_line_without_default),
	};

	return RUN_TESTS(tests);
}
