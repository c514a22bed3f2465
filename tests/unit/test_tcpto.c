/* The table of addresses that timed out. */
#include "base/error.h"
#include "scratch.h"
#include "spool/tcpto.h"

#include <sys/socket.h>

enum { NOW = 1700000000, BYTES = 1024 };

static const struct ipaddr one = {
	AF_INET, {192, 0, 2, 1}
};
static const struct ipaddr six = {
	AF_INET6, {0x20, 1, 0xd, 0xb8}
};

static int
enter(void **state)
{
	static const char zero[BYTES];

	if (scratch_enter(state) != 0 || mkdir("queue", 0700) != 0 ||
	    mkdir("queue/lock", 0700) != 0)
		return -1;
	scratch_write("queue/lock/tcpto", zero, sizeof(zero), 0644);
	return 0;
}

static void
test_two_timeouts(void **state)
{
	(void)state;
	assert_false(tcpto_should_skip(&one, NOW, 0));
	tcpto_note_timeout(&one, NOW);
	assert_false(tcpto_should_skip(&one, NOW, 0));
	tcpto_note_timeout(&one, NOW + 119); /* too young to count */
	assert_false(tcpto_should_skip(&one, NOW + 119, 0));
	tcpto_note_timeout(&one, NOW + 120);
	assert_true(tcpto_should_skip(&one, NOW + 120, 0));
	assert_true(tcpto_should_skip(&one, NOW + 120 + 60 * 64 - 1, 0));
	assert_false(tcpto_should_skip(&one, NOW + 120 + 60 * 64, 0));
	assert_true(tcpto_should_skip(&one, NOW + 120 + 60 * 64, 1));
	assert_true(tcpto_should_skip(&one, NOW + 120 + 91 * 64 - 1, 31));
	assert_false(tcpto_should_skip(&one, NOW + 120 + 91 * 64, 31));
	assert_false(tcpto_should_skip(&one, NOW + 120 + 61 * 64, 32));
	tcpto_note_success(&one);
	assert_false(tcpto_should_skip(&one, NOW + 121, 0));
}

static void
test_format(void **state)
{
	unsigned char bytes[BYTES];
	int fd;

	(void)state;
	tcpto_note_timeout(&one, NOW);
	fd = open("queue/lock/tcpto", O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(fd, bytes, sizeof(bytes)), BYTES);
	close(fd);
	/* 1700000000 is 0x6553f100. */
	assert_memory_equal(
	    bytes, "\xc0\x00\x02\x01\1\0\0\0\x00\xf1\x53\x65\0\0\0\0", 16);
	for (size_t i = 16; i < sizeof(bytes); i++)
		assert_int_equal(bytes[i], 0);
}

static void
test_count_ceiling(void **state)
{
	struct tcpto_record r[TCPTO_RECORDS];

	(void)state;
	for (int i = 0; i < 20; i++)
		tcpto_note_timeout(&one, NOW + 200 * i);
	assert_int_equal(tcpto_read(r), 0);
	assert_int_equal(r[0].count, 10);
	assert_true(r[0].when == NOW + 200 * 19);
	assert_int_equal(r[1].count, 0);
}

/* The record with the least time + 1024 * count gives way. */
static void
test_replacement(void **state)
{
	struct tcpto_record r[TCPTO_RECORDS];

	(void)state;
	for (unsigned i = 0; i < TCPTO_FAMILY_RECORDS; i++) {
		struct ipaddr ip = {
			AF_INET, {10, 0, 0, (unsigned char)i}
		};

		tcpto_note_timeout(&ip, NOW - (i == 9 ? 500 : 0));
	}
	tcpto_note_timeout(&one, NOW);
	assert_int_equal(tcpto_read(r), 0);
	assert_true(ipaddr_eq(&r[9].ip, &one));
	assert_int_equal(r[9].count, 1);
	assert_int_equal(r[8].ip.bytes[3], 8);
}

/* IPv6 has records of its own, behind those that all programs know. */
static void
test_other_family(void **state)
{
	static const unsigned char mapped[16] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0xff, 0xff, 192, 0, 2, 1 };
	struct tcpto_record r[TCPTO_RECORDS];
	struct ipaddr other = six;
	struct buf file;

	(void)state;
	tcpto_note_timeout(&six, NOW);
	tcpto_note_timeout(&six, NOW + 500);
	assert_true(tcpto_should_skip(&six, NOW + 500, 0));
	other.bytes[15] = 1;
	assert_false(tcpto_should_skip(&other, NOW + 500, 0));
	assert_false(tcpto_should_skip(&one, NOW + 500, 0));
	assert_int_equal(tcpto_read(r), 0);
	assert_int_equal(r[0].count, 0);
	assert_int_equal(r[TCPTO_FAMILY_RECORDS].count, 2);
	assert_true(ipaddr_eq(&r[TCPTO_FAMILY_RECORDS].ip, &six));
	file = unit_read("queue/lock/tcpto");
	for (size_t i = 0; i < BYTES; i++)
		assert_int_equal(file.data[i], 0);
	/* NOW + 500 is 0x6553f2f4. */
	assert_memory_equal(file.data + BYTES,
	    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\0"
	    "\2\0\0\0\xf4\xf2\x53\x65\0\0\0\0\0\0\0\0",
	    32);
	buf_free(&file);
	tcpto_note_success(&six);
	assert_false(tcpto_should_skip(&six, NOW + 501, 0));
	/* What is IPv4 in disguise is IPv4. */
	ipaddr_set(&other, AF_INET6, mapped);
	tcpto_note_timeout(&other, NOW);
	tcpto_note_timeout(&one, NOW + 500);
	assert_true(tcpto_should_skip(&one, NOW + 500, 0));
	assert_int_equal(tcpto_clear(), 0);
	file = unit_read("queue/lock/tcpto");
	assert_int_equal(file.len, BYTES);
	buf_free(&file);
}

static void
test_clear(void **state)
{
	struct tcpto_record r[TCPTO_RECORDS];

	(void)state;
	tcpto_note_timeout(&one, NOW);
	assert_int_equal(tcpto_clear(), 0);
	assert_int_equal(tcpto_read(r), 0);
	assert_int_equal(r[0].count, 0);
	assert_int_equal(r[0].ip.bytes[0], 0);
}

static void
test_missing_or_short(void **state)
{
	struct tcpto_record r[TCPTO_RECORDS];

	(void)state;
	assert_int_equal(truncate("queue/lock/tcpto", 3), 0);
	assert_false(tcpto_should_skip(&one, NOW, 0));
	tcpto_note_timeout(&one, NOW);
	assert_int_equal(tcpto_read(r), 0);
	assert_int_equal(r[0].count, 1);
	assert_int_equal(unlink("queue/lock/tcpto"), 0);
	tcpto_note_timeout(&one, NOW);
	tcpto_note_success(&one);
	assert_false(tcpto_should_skip(&one, NOW, 0));
	assert_int_equal(tcpto_read(r), QE_ABSENT);
	assert_int_equal(tcpto_clear(), QE_SYS);
}

/* A record from the future must not silence an address for years. */
static void
test_future(void **state)
{
	(void)state;
	tcpto_note_timeout(&one, NOW);
	tcpto_note_timeout(&one, NOW + 1000);
	assert_false(tcpto_should_skip(&one, NOW, 0));
}

#define IN_SCRATCH(f) cmocka_unit_test_setup_teardown(f, enter, scratch_leave)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		IN_SCRATCH(test_two_timeouts),
		IN_SCRATCH(test_format),
		IN_SCRATCH(test_count_ceiling),
		IN_SCRATCH(test_replacement),
		IN_SCRATCH(test_other_family),
		IN_SCRATCH(test_clear),
		IN_SCRATCH(test_missing_or_short),
		IN_SCRATCH(test_future),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
