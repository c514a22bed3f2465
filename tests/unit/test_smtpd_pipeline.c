/* The check pipeline: order, verdicts, modes, and the relay that is closed. */
#include "base/error.h"
#include "smtpd/checks/list.h"
#include "smtpd/pipeline.h"
#include "smtpd_session.h"
#include "unit.h"

static struct verdict
run_pass(const struct session *s, struct notes *notes)
{
	(void)s;
	(void)notes;
	return verdict_pass();
}

static struct verdict
run_accept(const struct session *s, struct notes *notes)
{
	(void)s;
	(void)notes;
	return verdict_accept();
}

static struct verdict
run_reject(const struct session *s, struct notes *notes)
{
	(void)s;
	(void)notes;
	return verdict_reject(550, "5.7.1", "no");
}

static struct verdict
run_tarpit(const struct session *s, struct notes *notes)
{
	(void)s;
	(void)notes;
	return (struct verdict){ .kind = VERDICT_TARPIT,
		.tarpit = TARPIT_REJECTION };
}

static struct verdict
run_good(const struct session *s, struct notes *notes)
{
	(void)s;
	(void)notes;
	return verdict_good();
}

#define CHECK(stage_, report_, skip_, run_)                                    \
	{                                                                      \
		.name = #run_, .stage = (stage_), .report = (report_),         \
		.skip = (skip_), .run = (run_)                                 \
	}

static const struct check rcpt_pass =
    CHECK(STAGE_RCPT, STAGE_RCPT, 0, run_pass);
static const struct check rcpt_accept =
    CHECK(STAGE_RCPT, STAGE_RCPT, 0, run_accept);
static const struct check rcpt_reject = CHECK(STAGE_RCPT, STAGE_RCPT,
    SKIP_TRUSTED | SKIP_POSTMASTER | SKIP_GOOD_SENDER, run_reject);
static const struct check rcpt_tarpit =
    CHECK(STAGE_RCPT, STAGE_RCPT, 0, run_tarpit);
static const struct check relay_pass =
    CHECK(STAGE_RELAY, STAGE_RELAY, 0, run_pass);
static const struct check relay_accept =
    CHECK(STAGE_RELAY, STAGE_RELAY, 0, run_accept);
static const struct check connect_late =
    CHECK(STAGE_CONNECT, STAGE_RCPT, 0, run_reject);
static const struct check mail_late =
    CHECK(STAGE_MAIL, STAGE_RCPT, 0, run_reject);
static const struct check rcpt_late =
    CHECK(STAGE_RCPT, STAGE_DATA, 0, run_reject);
static const struct check mail_good =
    CHECK(STAGE_MAIL, STAGE_MAIL, 0, run_good);
static const struct check mail_reject =
    CHECK(STAGE_MAIL, STAGE_MAIL, SKIP_GOOD_SENDER, run_reject);
static const struct check mail_strict =
    CHECK(STAGE_MAIL, STAGE_MAIL, 0, run_reject);
static const struct check helo_pass =
    CHECK(STAGE_HELO, STAGE_HELO, 0, run_pass);
static const struct check helo_reject =
    CHECK(STAGE_HELO, STAGE_HELO, SKIP_TRUSTED, run_reject);

static struct session s;

static int
setup(void **state)
{
	(void)state;
	session_fake(&s);
	session_aim(&s, "u@a.example");
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	session_unfake(&s);
	return 0;
}

static struct verdict
ask(enum stage stage, const struct check *a, const struct check *b)
{
	const struct check *const checks[] = { a, b };

	return pipeline_run_list(&s, stage, checks, 2);
}

static void
test_first_opinion_ends_the_stage(void **state)
{
	(void)state;
	assert_int_equal(
	    ask(STAGE_RCPT, &rcpt_accept, &rcpt_reject).kind, VERDICT_ACCEPT);
	assert_int_equal(
	    ask(STAGE_RCPT, &rcpt_reject, &rcpt_accept).kind, VERDICT_REJECT);
	assert_int_equal(
	    ask(STAGE_RCPT, &rcpt_pass, &rcpt_reject).kind, VERDICT_REJECT);
	assert_int_equal(
	    ask(STAGE_RCPT, &rcpt_pass, &rcpt_pass).kind, VERDICT_PASS);
}

static void
test_other_stages_are_not_asked(void **state)
{
	(void)state;
	assert_int_equal(
	    ask(STAGE_MAIL, &rcpt_reject, &rcpt_accept).kind, VERDICT_PASS);
}

static void
test_tarpit_goes_on_and_is_kept(void **state)
{
	struct verdict v = ask(STAGE_RCPT, &rcpt_tarpit, &rcpt_accept);

	(void)state;
	assert_int_equal(v.kind, VERDICT_ACCEPT);
	assert_int_equal(v.tarpit, TARPIT_REJECTION);
	v = ask(STAGE_RCPT, &rcpt_tarpit, &rcpt_pass);
	assert_int_equal(v.kind, VERDICT_PASS);
	assert_int_equal(v.tarpit, TARPIT_REJECTION);
}

static void
test_relay_fails_closed(void **state)
{
	struct verdict v = ask(STAGE_RELAY, &relay_pass, &rcpt_accept);

	(void)state;
	assert_int_equal(v.kind, VERDICT_REJECT);
	assert_int_equal(v.reply.code, 553);
	assert_string_equal(v.reply.enhanced, "5.7.1");
	assert_string_equal(v.reply.text,
	    "sorry, that domain isn't in my list of allowed rcpthosts");
	v = pipeline_run_list(&s, STAGE_RELAY, NULL, 0);
	assert_int_equal(v.kind, VERDICT_REJECT);
	v = ask(STAGE_RELAY, &relay_pass, &relay_accept);
	assert_int_equal(v.kind, VERDICT_ACCEPT);
}

static void
test_switched_off_relay_checks_leave_it_closed(void **state)
{
	(void)state;
	s.notes.modes[0] = CHECK_OFF;
	s.notes.modes[1] = CHECK_WATCH;
	assert_int_equal(ask(STAGE_RELAY, &relay_accept, &relay_accept).kind,
	    VERDICT_REJECT);
}

static void
test_off_and_watch_do_not_reject(void **state)
{
	(void)state;
	s.notes.modes[0] = CHECK_OFF;
	assert_int_equal(
	    ask(STAGE_RCPT, &rcpt_reject, &rcpt_pass).kind, VERDICT_PASS);
	s.notes.modes[0] = CHECK_WATCH;
	assert_int_equal(
	    ask(STAGE_RCPT, &rcpt_reject, &rcpt_pass).kind, VERDICT_PASS);
	assert_int_equal(
	    ask(STAGE_RCPT, &rcpt_pass, &rcpt_reject).kind, VERDICT_REJECT);
}

static void
test_skips(void **state)
{
	(void)state;
	session_aim(&s, "PostMaster@a.example");
	assert_int_equal(
	    ask(STAGE_RCPT, &rcpt_reject, &rcpt_pass).kind, VERDICT_PASS);
	session_aim(&s, "postmaster");
	assert_int_equal(
	    ask(STAGE_RCPT, &rcpt_reject, &rcpt_pass).kind, VERDICT_PASS);
	session_aim(&s, "postmaster2@a.example");
	assert_int_equal(
	    ask(STAGE_RCPT, &rcpt_reject, &rcpt_pass).kind, VERDICT_REJECT);
	s.relay = true;
	assert_int_equal(
	    ask(STAGE_RCPT, &rcpt_reject, &rcpt_pass).kind, VERDICT_PASS);
	s.relay = false;
	s.notes.good_sender = true;
	assert_int_equal(
	    ask(STAGE_RCPT, &rcpt_reject, &rcpt_pass).kind, VERDICT_PASS);
	notes_reset(&s.notes);
	assert_int_equal(
	    ask(STAGE_RCPT, &rcpt_reject, &rcpt_pass).kind, VERDICT_REJECT);
}

static void
test_late_report_waits_and_survives_resets(void **state)
{
	(void)state;
	assert_int_equal(
	    ask(STAGE_CONNECT, &connect_late, &rcpt_pass).kind, VERDICT_PASS);
	assert_int_equal(
	    ask(STAGE_MAIL, &connect_late, &rcpt_pass).kind, VERDICT_PASS);
	notes_reset(&s.notes);
	assert_int_equal(
	    ask(STAGE_RCPT, &connect_late, &rcpt_accept).kind, VERDICT_REJECT);
}

static void
test_late_report_of_a_transaction_ends_with_it(void **state)
{
	(void)state;
	assert_int_equal(
	    ask(STAGE_MAIL, &mail_late, &rcpt_pass).kind, VERDICT_PASS);
	assert_int_equal(
	    ask(STAGE_RCPT, &mail_late, &rcpt_pass).kind, VERDICT_REJECT);
	notes_reset(&s.notes);
	assert_int_equal(
	    ask(STAGE_RCPT, &mail_late, &rcpt_pass).kind, VERDICT_PASS);
}

static void
test_late_report_of_one_recipient_survives_the_next(void **state)
{
	(void)state;
	assert_int_equal(
	    ask(STAGE_RCPT, &rcpt_late, &rcpt_pass).kind, VERDICT_PASS);
	assert_int_equal(
	    ask(STAGE_RCPT, &rcpt_pass, &rcpt_pass).kind, VERDICT_PASS);
	assert_int_equal(
	    ask(STAGE_DATA, &rcpt_pass, &rcpt_pass).kind, VERDICT_REJECT);
}

static void
test_refused_helo_is_no_way_to_mail(void **state)
{
	(void)state;
	assert_int_equal(
	    ask(STAGE_HELO, &helo_reject, &mail_good).kind, VERDICT_REJECT);
	assert_int_equal(
	    ask(STAGE_MAIL, &helo_reject, &mail_good).kind, VERDICT_REJECT);
	notes_reset(&s.notes);
	assert_int_equal(
	    ask(STAGE_MAIL, &helo_reject, &mail_good).kind, VERDICT_REJECT);
	/* Trust that comes later lifts it, as it would have at HELO. */
	s.relay = true;
	assert_int_equal(
	    ask(STAGE_MAIL, &helo_reject, &mail_good).kind, VERDICT_PASS);
	s.relay = false;
	assert_int_equal(
	    ask(STAGE_HELO, &helo_pass, &mail_good).kind, VERDICT_PASS);
	assert_int_equal(
	    ask(STAGE_MAIL, &helo_pass, &mail_good).kind, VERDICT_PASS);
}

static void
test_good_sender_is_spared_some_checks_only(void **state)
{
	(void)state;
	assert_int_equal(
	    ask(STAGE_MAIL, &mail_good, &mail_reject).kind, VERDICT_PASS);
	assert_true(s.notes.good_sender);
	assert_int_equal(
	    ask(STAGE_MAIL, &mail_good, &mail_strict).kind, VERDICT_REJECT);
	notes_reset(&s.notes);
	s.notes.modes[0] = CHECK_WATCH;
	assert_int_equal(
	    ask(STAGE_MAIL, &mail_good, &mail_reject).kind, VERDICT_REJECT);
	assert_false(s.notes.good_sender);
}

/* -- control/checks ---------------------------------------------------- */
static char directory[64];

static int
setup_home(void **state)
{
	setup(state);
	unit_make_dir(directory);
	assert_int_equal(chdir(directory), 0);
	return mkdir("control", 0700);
}

static int
teardown_home(void **state)
{
	unit_remove(directory);
	return teardown(state);
}

static void
test_modes_come_from_a_file(void **state)
{
	struct control_error err;

	(void)state;
	assert_int_equal(notes_load_modes(&s.notes, &err), 0);
	unit_write("control/checks",
	    STRV("# comment\nmaxrcpt: watch\nRCPTHOSTS:Off\nmaxrcpt:ON\n"
		 "relayclient:watch\n"));
	assert_int_equal(notes_load_modes(&s.notes, &err), 0);
	for (size_t i = 0; i < checks_count; i++) {
		enum check_mode expected = CHECK_ON;

		if (checks_list[i] == &check_rcpthosts)
			expected = CHECK_OFF;
		if (checks_list[i] == &check_relayclient)
			expected = CHECK_WATCH;
		assert_int_equal(s.notes.modes[i], expected);
	}
}

static void
test_modes_hold_for_every_place_of_a_check(void **state)
{
	struct control_error err;

	(void)state;
	for (size_t i = 0; i < checks_count; i++) {
		struct buf line = BUF_INIT;

		buf_addf(&line, "%s:watch\n", checks_list[i]->name);
		unit_write("control/checks", buf_view(&line));
		buf_free(&line);
		notes_init(&s.notes);
		assert_int_equal(notes_load_modes(&s.notes, &err), 0);
		for (size_t j = 0; j < checks_count; j++)
			assert_int_equal(
			    s.notes.modes[j], strcmp(checks_list[j]->name,
						  checks_list[i]->name) == 0
						  ? CHECK_WATCH
						  : CHECK_ON);
	}
}

static void
test_modes_that_make_no_sense_are_named(void **state)
{
	struct control_error err;

	(void)state;
	unit_write("control/checks", STRV("\nnosuch:off\n"));
	assert_int_equal(notes_load_modes(&s.notes, &err), QE_SYNTAX);
	assert_string_equal(err.text, "control/checks line 2: no such check");
	unit_write("control/checks", STRV("maxrcpt:maybe\n"));
	assert_int_equal(notes_load_modes(&s.notes, &err), QE_SYNTAX);
	assert_string_equal(
	    err.text, "control/checks line 1: neither off, watch nor on");
	unit_write("control/checks", STRV("maxrcpt:\n"));
	assert_int_equal(notes_load_modes(&s.notes, &err), QE_SYNTAX);
	unit_write("control/checks", STRV("maxrcpt:off\r\n"));
	assert_int_equal(notes_load_modes(&s.notes, &err), QE_SYNTAX);
}

/* -- the checks of the list -------------------------------------------- */
static void
test_relayclient(void **state)
{
	(void)state;
	assert_int_equal(
	    check_relayclient.run(&s, &s.notes).kind, VERDICT_PASS);
	s.relay = true;
	assert_int_equal(
	    check_relayclient.run(&s, &s.notes).kind, VERDICT_ACCEPT);
}

static void
test_bare_recipient(void **state)
{
	(void)state;
	assert_int_equal(
	    check_bare_recipient.run(&s, &s.notes).kind, VERDICT_PASS);
	session_aim(&s, "u@");
	assert_int_equal(
	    check_bare_recipient.run(&s, &s.notes).kind, VERDICT_PASS);
	session_aim(&s, "postmaster");
	assert_int_equal(
	    check_bare_recipient.run(&s, &s.notes).kind, VERDICT_ACCEPT);
}

static void
test_maxrcpt(void **state)
{
	struct verdict v;

	(void)state;
	s.settings.recipients_max = 2;
	s.tx.recipient_count = 1;
	assert_int_equal(check_maxrcpt.run(&s, &s.notes).kind, VERDICT_PASS);
	s.tx.recipient_count = 2;
	v = check_maxrcpt.run(&s, &s.notes);
	assert_int_equal(v.kind, VERDICT_REJECT);
	assert_int_equal(v.reply.code, 452);
	assert_string_equal(v.reply.enhanced, "4.5.3");
	assert_int_equal(v.tarpit, TARPIT_LIMIT);
	s.settings.recipients_max = 0;
	assert_int_equal(check_maxrcpt.run(&s, &s.notes).kind, VERDICT_PASS);
}

static void
test_list_is_complete(void **state)
{
	(void)state;
	for (size_t i = 0; i < checks_count; i++) {
		const struct check *check = checks_list[i];

		assert_non_null(check->name);
		assert_non_null(check->run);
		assert_non_null(check->controls);
		assert_true(check->report >= check->stage);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_first_opinion_ends_the_stage, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_other_stages_are_not_asked, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_tarpit_goes_on_and_is_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_relay_fails_closed, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_switched_off_relay_checks_leave_it_closed, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    test_off_and_watch_do_not_reject, setup, teardown),
		cmocka_unit_test_setup_teardown(test_skips, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_late_report_waits_and_survives_resets, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    test_late_report_of_a_transaction_ends_with_it, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    test_late_report_of_one_recipient_survives_the_next, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    test_refused_helo_is_no_way_to_mail, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_good_sender_is_spared_some_checks_only, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    test_modes_come_from_a_file, setup_home, teardown_home),
		cmocka_unit_test_setup_teardown(
		    test_modes_hold_for_every_place_of_a_check, setup_home,
		    teardown_home),
		cmocka_unit_test_setup_teardown(
		    test_modes_that_make_no_sense_are_named, setup_home,
		    teardown_home),
		cmocka_unit_test_setup_teardown(
		    test_relayclient, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_bare_recipient, setup, teardown),
		cmocka_unit_test_setup_teardown(test_maxrcpt, setup, teardown),
		cmocka_unit_test(test_list_is_complete),
	};

	return RUN_TESTS(tests);
}
