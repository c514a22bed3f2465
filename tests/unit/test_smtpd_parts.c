/* Parts of qmail-smtpd: paths, transactions, answers, tarpit arithmetic. */
#include "smtpd/answer.h"
#include "smtpd/path.h"
#include "smtpd/tarpit.h"
#include "smtpd_session.h"
#include "unit.h"

static const struct path_rules from = {
	{"FROM", 4},
        true, "5.1.7"
};
static const struct path_rules from_lax = {
	{"FROM", 4},
        false, "5.1.7"
};

static void
check_path(const struct path_rules *rules, const char *argument, int result,
    const char *address, const char *parameters)
{
	struct buf out = BUF_LIMIT(10);
	struct strv rest = STRV_EMPTY;

	assert_int_equal(
	    path_parse(rules, strv_of(argument), &out, &rest), result);
	if (result == 0) {
		assert_true(strv_eq(buf_view(&out), strv_of(address)));
		assert_true(
		    strv_eq(strv_trim_blanks(rest), strv_of(parameters)));
	}
	buf_free(&out);
}

static void
test_paths(void **state)
{
	(void)state;
	check_path(&from, "FROM:<a@b>", 0, "a@b", "");
	check_path(&from, "from: <a@b> SIZE=1", 0, "a@b", "SIZE=1");
	check_path(&from, "FROM :<a@b>", 0, "a@b", "");
	check_path(&from, "FROM:<>", 0, "", "");
	check_path(&from, "FROM:<@x,@y:a@b>", 0, "a@b", "");
	check_path(&from, "FROM:<\"a b\"@c>", 0, "a b@c", "");
	check_path(&from, "FROM:<a\\>b@c>", 0, "a>b@c", "");
	check_path(&from, "FROM:<1234567890>", 0, "1234567890", "");
}

static void
test_paths_that_are_none(void **state)
{
	(void)state;
	check_path(&from, "", QE_SYNTAX, NULL, NULL);
	check_path(&from, "FROM", QE_SYNTAX, NULL, NULL);
	check_path(&from, "FROM<a@b>", QE_SYNTAX, NULL, NULL);
	check_path(&from, "TO:<a@b>", QE_SYNTAX, NULL, NULL);
	check_path(&from, "xFROM:<a@b>", QE_SYNTAX, NULL, NULL);
	check_path(&from, "FROM:<a@b", QE_SYNTAX, NULL, NULL);
	check_path(&from, "FROM:<\"a@b>", QE_SYNTAX, NULL, NULL);
	check_path(&from, "FROM:<12345678901>", QE_LIMIT, NULL, NULL);
	check_path(&from, "FROM:a@b", QE_DENIED, NULL, NULL);
	check_path(&from, "FROM:a <a@b>", QE_DENIED, NULL, NULL);
	check_path(&from, "FROM:", QE_DENIED, NULL, NULL);
	check_path(&from_lax, "FROM:a@b SIZE=1", 0, "a@b", "SIZE=1");
	check_path(&from_lax, "FROM:<a@b> X", 0, "a@b", "X");
}

static void
test_path_refusals(void **state)
{
	struct reply reply = path_refusal(&from, QE_LIMIT);

	(void)state;
	assert_int_equal(reply.code, 553);
	assert_string_equal(reply.enhanced, "5.1.7");
	assert_int_equal(path_refusal(&from, QE_DENIED).code, 501);
	assert_int_equal(path_refusal(&from, QE_SYNTAX).code, 501);
	assert_int_equal(path_refusal(&from, QE_NOMEM).code, 451);
}

static void
check_answer(bool permanent, const char *text, const char *expected)
{
	struct submit_result result = { .permanent = permanent };
	struct reply reply;
	char said[REPLY_TEXT_MAX + 8];

	snprintf(result.text, sizeof(result.text), "%s", text);
	reply = answer_of_queue(&result);
	assert_null(reply.enhanced);
	snprintf(said, sizeof(said), "%d %s", reply.code, reply.text);
	assert_string_equal(said, expected);
	assert_false(reply.close);
}

static void
test_answers(void **state)
{
	(void)state;
	check_answer(false, "qq timeout (#4.3.0)", "451 4.3.0 qq timeout");
	check_answer(false, "net (#4.4.123)", "451 4.4.123 net");
	check_answer(true, "too long (#5.1.3)", "554 5.1.3 too long");
	check_answer(true, "spam", "554 5.3.0 spam");
	check_answer(false, "", "451 4.3.0 ");
	check_answer(false, "(#4.3.0)", "451 4.3.0 ");
	/* Not a code, or one of the other class: it stays in the text. */
	check_answer(true, "x (#4.3.0)", "554 5.3.0 x (#4.3.0)");
	check_answer(true, "x (#5.3)", "554 5.3.0 x (#5.3)");
	check_answer(true, "x (#5.3.0) y", "554 5.3.0 x (#5.3.0) y");
	check_answer(true, "x (#)", "554 5.3.0 x (#)");
	check_answer(true, "x ()", "554 5.3.0 x ()");
	check_answer(true, "(", "554 5.3.0 (");
	check_answer(true, "x (#5.1234.1)", "554 5.3.0 x (#5.1234.1)");
	check_answer(true, "x (#5.1.1.1)", "554 5.3.0 x (#5.1.1.1)");
	check_answer(true, "x (#5..1)", "554 5.3.0 x (#5..1)");
}

static void
add_recipient(struct transaction *t, const char *address, int result)
{
	assert_int_equal(transaction_add(t, strv_of(address)), result);
}

static void
test_transaction_keeps_recipients_in_order(void **state)
{
	struct transaction t;
	struct strv rest, one;

	(void)state;
	transaction_init(&t);
	add_recipient(&t, "a@b", 0);
	add_recipient(&t, "", 0);
	add_recipient(&t, "c", 0);
	rest = buf_view(&t.recipients);
	assert_true(transaction_next_recipient(&rest, &one));
	assert_true(strv_eq(one, STRV("a@b")));
	assert_true(transaction_next_recipient(&rest, &one));
	assert_true(strv_eq(one, STRV_EMPTY));
	assert_true(transaction_next_recipient(&rest, &one));
	assert_true(strv_eq(one, STRV("c")));
	assert_false(transaction_next_recipient(&rest, &one));
	transaction_reset(&t);
	assert_int_equal(t.recipient_count, 0);
	assert_int_equal(t.recipients.len, 0);
	transaction_free(&t);
}

static void
test_transaction_refuses_without_losing_the_others(void **state)
{
	struct transaction t;
	size_t before;

	(void)state;
	transaction_init(&t);
	t.recipients.max = 10;
	add_recipient(&t, "12345", 0);
	before = t.recipients.len;
	add_recipient(&t, "1234", QE_LIMIT);
	assert_int_equal(t.recipients.len, before);
	add_recipient(&t, "123", 0);
	assert_int_equal(t.recipient_count, 2);
	t.recipient_count = RECIPIENTS_MAX;
	add_recipient(&t, "", QE_LIMIT);
	transaction_free(&t);
}

static void
test_tarpit_counts(void **state)
{
	struct tarpit_settings tarpit = { .enabled = true, .count = 2 };

	(void)state;
	assert_false(tarpit_counts(&tarpit, 2));
	assert_true(tarpit_counts(&tarpit, 3));
	tarpit.count = 0;
	assert_false(tarpit_counts(&tarpit, 1000));
}

static void
test_own_address_that_was_called(void **state)
{
	struct session s;
	struct buf address = BUF_INIT;

	(void)state;
	session_fake(&s);
	s.peer.local_ip = STRV("192.0.2.1");
	buf_add_str(&address, "u@[192.0.2.250]");
	assert_int_equal(path_localize(&s, &address).code, 0);
	assert_true(strv_eq(buf_view(&address), STRV("u@[192.0.2.250]")));
	buf_reset(&address);
	buf_add_str(&address, "u@[not an address]");
	assert_int_equal(path_localize(&s, &address).code, 0);
	buf_free(&address);
	session_unfake(&s);
}

static void
test_session_that_lasts_too_long_ends(void **state)
{
	struct session s;
	unsigned flaws;
	int ends[2];

	(void)state;
	session_fake(&s);
	assert_int_equal(io_pipe(ends), 0);
	io_close(&s.in.fd);
	s.in.fd = ends[0];
	assert_int_equal(io_write_all(ends[1], "NOOP\r\nNOOP\r\n", 12), 0);
	s.line.max = 512;
	assert_int_equal(session_read_command(&s, &flaws), 0);
	assert_buf(&s.line, "NOOP");
	s.deadline_ms = 0;
	assert_int_equal(session_read_command(&s, &flaws), QE_TIMEOUT);
	io_close(&ends[1]);
	session_unfake(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_paths_that_are_none),
		cmocka_unit_test(test_path_refusals),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_transaction_keeps_recipients_in_order),
		cmocka_unit_test(
		    test_transaction_refuses_without_losing_the_others),
		cmocka_unit_test(test_tarpit_counts),
		cmocka_unit_test(test_own_address_that_was_called),
		cmocka_unit_test(test_session_that_lasts_too_long_ends),
	};

	return RUN_TESTS(tests);
}
