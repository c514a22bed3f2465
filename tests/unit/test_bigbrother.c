/* Watched addresses of control/bigbrother. */
#include "queue/bigbrother.h"
#include "scratch.h"

static int
enter(void **state)
{
	return scratch_enter(state) != 0 || mkdir("control", 0755) != 0;
}

static void
lay(const char *text)
{
	unit_write("control/bigbrother", strv_of(text));
}

/* What is added to an envelope, fed in pieces. */
static void
expect(struct strv envelope, struct strv added)
{
	for (size_t piece = 1; piece <= envelope.len; piece++) {
		struct buf out = BUF_INIT;
		struct strv rest = envelope;
		struct bigbrother b;

		assert_int_equal(bigbrother_load(&b), 0);
		while (rest.len > 0) {
			bigbrother_watch(&b, strv_head(rest, piece));
			rest = strv_skip(rest, piece);
		}
		bigbrother_add(&b, &out);
		assert_same(buf_view(&out), added);
		buf_free(&out);
		bigbrother_free(&b);
	}
}

static void
test_none(void **state)
{
	(void)state;
	expect(STRV("Fa@b\0Tc@d\0"), STRV(""));
	lay("# nobody\n");
	expect(STRV("Fa@b\0Tc@d\0"), STRV(""));
}

static void
test_from_and_to(void **state)
{
	(void)state;
	lay("bad@guy.example:big@brother.example \nx@y.example:z\n");
	expect(
	    STRV("Fbad@guy.example\0Tc@d\0"), STRV("Tbig@brother.example\0"));
	expect(STRV("F\0Tc@d\0TBAD@guy.Example\0"),
	    STRV("Tbig@brother.example\0"));
	expect(STRV("Fbad@guy.example\0Tbad@guy.example\0"),
	    STRV("Tbig@brother.example\0"));
	expect(STRV("Fbad@guy.example\0Tx@y.example\0"),
	    STRV("Tbig@brother.example\0Tz\0"));
	expect(STRV("Fbad@guy.example.org\0Tad@guy.example\0T\0"), STRV(""));
}

static void
test_longest_address(void **state)
{
	struct buf line = BUF_INIT, envelope = BUF_INIT;

	(void)state;
	for (int i = 0; i < ADDRESS_MAX; i++)
		buf_add_char(&line, 'x');
	record_add(&envelope, 'F', buf_view(&line));
	buf_add_str(&line, ":o\n");
	unit_write("control/bigbrother", buf_view(&line));
	expect(buf_view(&envelope), STRV("To\0"));
	buf_free(&line);
	buf_free(&envelope);
}

static void
test_broken(void **state)
{
	static const char *const bad[] = { "a@b:\n", ":c@d\n", "a@b: \n",
		"a@b:c\rd\n", "a@b:c\n\rx:y\n" };
	struct bigbrother b;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		lay(bad[i]);
		assert_int_equal(bigbrother_load(&b), QE_SYNTAX);
	}
	assert_int_equal(unlink("control/bigbrother"), 0);
	assert_int_equal(mkdir("control/bigbrother", 0755), 0);
	assert_int_equal(bigbrother_load(&b), QE_SYS);
}

#define IN_SCRATCH(f) cmocka_unit_test_setup_teardown(f, enter, scratch_leave)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		IN_SCRATCH(test_none),
		IN_SCRATCH(test_from_and_to),
		IN_SCRATCH(test_longest_address),
		IN_SCRATCH(test_broken),
	};

	return RUN_TESTS(tests);
}
