/* p0f's API: questions, and answers good and bad. */
#include "smtp/p0f.h"
#include "unit.h"

static unsigned char answer[P0F_ANSWER_BYTES];

static void
put_number(size_t at, uint32_t n)
{
	memcpy(answer + at, &n, sizeof(n));
}

static int
setup(void **state)
{
	int16_t distance = 3;

	(void)state;
	memset(answer, 0, sizeof(answer));
	put_number(0, 0x50304602);
	put_number(4, 0x10);
	put_number(20, 754);
	memcpy(answer + 36, &distance, sizeof(distance));
	memcpy(answer + 40, "Linux", 5);
	memcpy(answer + 72, "3.11 and newer", 14);
	memcpy(answer + 168, "DSL", 3);
	return 0;
}

static void
check(int want, const char *os_text, const char *about_text)
{
	struct buf os = BUF_LIMIT(P0F_OS_MAX), about = BUF_LIMIT(P0F_ABOUT_MAX);

	assert_int_equal(p0f_answer_parse(answer, &os, &about), want);
	assert_same(buf_view(&os), strv_of(os_text));
	assert_same(buf_view(&about), strv_of(about_text));
	buf_free(&os);
	buf_free(&about);
}

static void
test_questions(void **state)
{
	static const char v4[] = "\1\x46\x30\x50\4\300\0\2\7";
	unsigned char out[P0F_QUESTION_BYTES], zero[16] = { 0 };
	struct ipaddr ip;

	(void)state;
	assert_int_equal(ipaddr_parse(STRV("192.0.2.7"), &ip), 0);
	p0f_question(&ip, out);
	assert_memory_equal(out, v4, 9);
	assert_memory_equal(out + 9, zero, 12);
	assert_int_equal(ipaddr_parse(STRV("2001:db8::7"), &ip), 0);
	p0f_question(&ip, out);
	assert_int_equal(out[4], 6);
	assert_memory_equal(out + 5, ip.bytes, 16);
}

static void
test_guess(void **state)
{
	(void)state;
	check(0, "Linux 3.11 and newer",
	    "Linux 3.11 and newer (distance 3, up 12 h, DSL)");
}

static void
test_guess_without_details(void **state)
{
	(void)state;
	put_number(20, 0);
	memset(answer + 36, 0xff, 2);
	memset(answer + 72, 0, 32);
	memset(answer + 168, 0, 32);
	check(0, "Linux", "Linux");
}

static void
test_no_guess(void **state)
{
	(void)state;
	put_number(4, 0x20);
	check(QE_ABSENT, "", "");
	setup(NULL);
	answer[40] = '\0';
	check(QE_ABSENT, "", "");
}

static void
test_no_answer_of_a_p0f(void **state)
{
	(void)state;
	put_number(4, 0);
	check(QE_SYNTAX, "", "");
	setup(NULL);
	put_number(0, 0x50304601);
	check(QE_SYNTAX, "", "");
}

static void
test_texts_are_made_harmless(void **state)
{
	(void)state;
	memset(answer + 40, 'x', 64); /* no NUL */
	answer[41] = '\n';
	answer[42] = 0xff;
	memset(answer + 168, '\r', 32);
	check(0,
	    "x??xxxxxxxxxxxxxxxxxxxxxxxxxxxxx "
	    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
	    "x??xxxxxxxxxxxxxxxxxxxxxxxxxxxxx "
	    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx (distance 3, up 12 h, "
	    "????????????????????????????????"
	    ")");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_questions, setup),
		cmocka_unit_test_setup(test_guess, setup),
		cmocka_unit_test_setup(test_guess_without_details, setup),
		cmocka_unit_test_setup(test_no_guess, setup),
		cmocka_unit_test_setup(test_no_answer_of_a_p0f, setup),
		cmocka_unit_test_setup(test_texts_are_made_harmless, setup),
	};

	return RUN_TESTS(tests);
}
