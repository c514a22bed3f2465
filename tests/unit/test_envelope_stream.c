/* The envelope on its way into qmail-queue, in pieces of any size. */
#include "base/error.h"
#include "spool/envelope_stream.h"
#include "spool/queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

enum { BIG = 4096 };

/* Feeds bytes in pieces; the sum of what was used, or the error. */
static long
feed(struct envelope_stream *e, const char *bytes, size_t n, size_t piece)
{
	long sum = 0;

	*e = (struct envelope_stream){ .complete = false };
	while (n > 0 && !e->complete) {
		size_t now = n < piece ? n : piece;
		size_t used = 0;
		int r = envelope_stream_feed(e, strv_from(bytes, now), &used);

		if (r != 0)
			return r;
		assert_true(used <= now);
		sum += (long)used;
		bytes += now;
		n -= now;
	}
	return sum;
}

static void
expect(const char *bytes, size_t n, long result, bool complete)
{
	struct envelope_stream e;

	for (size_t piece = 1; piece <= n; piece++) {
		assert_int_equal(feed(&e, bytes, n, piece), result);
		if (result >= 0)
			assert_int_equal(e.complete, complete);
	}
}

static void
test_whole(void **state)
{
	(void)state;
	expect("Fa@b\0Tc@d\0Te\0\0", 14, 13, true);
	expect("F\0\0", 3, 2, true);
	expect("F\0T\0\0", 5, 4, true);
	/* What follows the end is nobody's business. */
	expect("Fa\0\0garbage\n", 12, 3, true);
}

static void
test_torn(void **state)
{
	static const char whole[] = "Fa@b\0Tc@d\0Te\0";

	(void)state;
	for (size_t n = 1; n < sizeof(whole); n++)
		expect(whole, n, (long)n, false);
}

static void
test_syntax(void **state)
{
	(void)state;
	expect("\0", 1, QE_SYNTAX, false);
	expect("Ta\0", 3, QE_SYNTAX, false);
	expect("Fa\0Fb\0", 6, QE_SYNTAX, false);
	expect("Fa\0Xb\0", 6, QE_SYNTAX, false);
	expect("fa\0\0", 4, QE_SYNTAX, false);
	expect("Fa\nb\0\0", 6, QE_SYNTAX, false);
	expect("Fa\0Tb\r\0\0", 8, QE_SYNTAX, false);
}

static void
expect_length(char letter, size_t length, long result)
{
	char bytes[BIG] = "Fs";
	size_t n = letter == 'F' ? 0 : 3;

	bytes[n++] = letter;
	memset(bytes + n, 'x', length);
	n += length;
	bytes[n++] = '\0';
	bytes[n++] = '\0';
	for (size_t piece = 1; piece <= n; piece += 97) {
		struct envelope_stream e;
		long want = result != 0 ? result : (long)n - 1;

		assert_int_equal(feed(&e, bytes, n, piece), want);
	}
}

static void
test_length(void **state)
{
	(void)state;
	expect_length('F', ADDRESS_MAX, 0);
	expect_length('T', ADDRESS_MAX, 0);
	expect_length('F', ADDRESS_MAX + 1, QE_LIMIT);
	expect_length('T', ADDRESS_MAX + 1, QE_LIMIT);
	expect_length('T', BIG - 8, QE_LIMIT);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_torn),
		cmocka_unit_test(test_syntax),
		cmocka_unit_test(test_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
