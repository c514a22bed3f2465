/* qmail-scand's packets and controls, and whom its front waits for. */
#include "base/io.h"
#include "conf/control.h"
#include "conf/scan_alerts.h"
#include "scan/keeper.h"
#include "scan/pool.h"
#include "scan/report.h"
#include "scan/settings.h"
#include "scan/wire.h"
#include "unit.h"

#include <sys/socket.h>

static void
test_packets(void **state)
{
	struct wire_message m;
	char inside[3] = "";
	int ends[2], file[2];

	(void)state;
	assert_int_equal(wire_pair(ends), 0);
	assert_int_equal(io_pipe(file), 0);
	assert_int_equal(wire_send(ends[0], WIRE_FOUND, STRV("a\0b"), -1), 0);
	assert_int_equal(wire_send(ends[0], WIRE_JOB, STRV(""), file[1]), 0);
	io_close(&file[1]);
	io_close(&ends[0]);
	assert_int_equal(wire_receive(ends[1], &m), 0);
	assert_int_equal(m.kind, WIRE_FOUND);
	assert_int_equal(m.fd, -1);
	assert_same(strv_from(m.text, m.len), STRV("a\0b"));
	assert_int_equal(wire_receive(ends[1], &m), 0);
	assert_int_equal(m.kind, WIRE_JOB);
	assert_int_equal(m.len, 0);
	assert_true(fcntl(m.fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(write(m.fd, "hi", 2), 2);
	assert_int_equal(read(file[0], inside, 2), 2);
	assert_string_equal(inside, "hi");
	io_close(&m.fd);
	assert_int_equal(wire_receive(ends[1], &m), QE_EOF);
	assert_int_equal(m.fd, -1);
	io_close(&ends[1]);
	io_close(&file[0]);
}

static void
test_packets_that_are_too_long(void **state)
{
	char text[WIRE_TEXT_MAX + 100];
	struct wire_message m;
	int ends[2];

	(void)state;
	memset(text, 'x', sizeof(text));
	assert_int_equal(wire_pair(ends), 0);
	assert_int_equal(
	    wire_send(ends[0], WIRE_ERROR, strv_from(text, sizeof(text)), -1),
	    0);
	assert_int_equal(wire_receive(ends[1], &m), 0);
	assert_int_equal(m.len, WIRE_TEXT_MAX);
	/* Not by our own sender. */
	assert_int_equal(send(ends[0], text, sizeof(text), 0), sizeof(text));
	assert_int_equal(wire_receive(ends[1], &m), QE_SYNTAX);
	io_close(&ends[0]);
	io_close(&ends[1]);
}

/* More descriptors than one are nobody's. */
static void
test_packet_with_many_descriptors(void **state)
{
	int fds[3] = { 0, 1, 2 };
	union {
		char bytes[CMSG_SPACE(sizeof(fds))];
		struct cmsghdr align;
	} control = { .bytes = "" };
	struct iovec part = { .iov_base = fds, .iov_len = 1 };
	struct msghdr m = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	struct wire_message got;
	int ends[2], next;

	(void)state;
	assert_int_equal(wire_pair(ends), 0);
	next = dup(0);
	close(next);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(c), fds, sizeof(fds));
	assert_int_equal(sendmsg(ends[0], &m, 0), 1);
	assert_int_equal(wire_receive(ends[1], &got), QE_SYNTAX);
	assert_int_equal(got.fd, -1);
	/* None of them stays open. */
	assert_int_equal(dup(0), next);
	close(next);
	io_close(&ends[0]);
	io_close(&ends[1]);
}

static void
put(const char *name, const char *text)
{
	FILE *f = fopen(name, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void
test_settings(void **state)
{
	char dir[] = "/tmp/qmail-md-unit-XXXXXX";
	struct scan_settings s;
	struct control_error err = { .text = "" };

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(mkdir("control", 0700), 0);
	assert_int_equal(scan_settings_load(&s, &err), 0);
	assert_string_equal(s.database.data, "/var/lib/clamav");
	assert_int_equal(s.seconds, 30);
	assert_false(s.alerts.encrypted || s.alerts.exceeded ||
		     s.alerts.macros || s.alerts.broken);
	scan_settings_free(&s);
	put("control/scandb", "/db\n");
	put("control/scantime", "7\n");
	put("control/scanalerts", "# some\nMacros\nencrypted\n");
	assert_int_equal(scan_settings_load(&s, &err), 0);
	assert_string_equal(s.database.data, "/db");
	assert_int_equal(s.seconds, 7);
	assert_true(s.alerts.encrypted && s.alerts.macros);
	assert_false(s.alerts.exceeded || s.alerts.broken);
	scan_settings_free(&s);
	put("control/scanalerts", "macros\nviruses\n");
	assert_int_equal(scan_settings_load(&s, &err), QE_SYNTAX);
	assert_non_null(strstr(err.text, "control/scanalerts line 2"));
	scan_settings_free(&s);
	unlink("control/scandb");
	unlink("control/scantime");
	unlink("control/scanalerts");
	assert_int_equal(rmdir("control"), 0);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(rmdir(dir), 0);
}

/* What the pool needs of other files. */
void
keeper_clean(const char *prefix)
{
	(void)prefix;
}

void
report(const char *format, ...)
{
	(void)format;
}

static int cue[2];

/* With one worker, which takes no job and finds nothing, at each cue. */
_Noreturn void
keeper_run(int channel, const struct scan_settings *settings)
{
	struct wire_message m;
	char byte;

	(void)settings;
	io_close(&cue[1]);
	if (wire_send(channel, WIRE_READY, STRV("1/2/3"), -1) != 0 ||
	    wire_receive(channel, &m) != 0)
		_exit(1);
	while (io_read(cue[0], &byte, 1) == 1)
		(void)wire_send(m.fd, WIRE_CLEAN, STRV(""), -1);
	_exit(0);
}

static void
count_answer(void *owner, char kind, struct strv text)
{
	unsigned *answers = owner;

	(void)text;
	assert_int_equal(kind, WIRE_CLEAN);
	(*answers)++;
}

static void
take_turn(struct pool *p)
{
	struct pollfd polled[POOL_FDS];
	int64_t wake_ms = INT64_MAX;
	size_t count = pool_poll(p, polled, &wake_ms);

	assert_true(poll(polled, count, 10) >= 0);
	pool_run(p, polled);
}

/* A worker that answers for jobs which it leaves where they are. */
static void
test_worker_that_takes_no_jobs(void **state)
{
	struct scan_settings settings = {
		.database = BUF_LIMIT(64), .workers = 1, .seconds = 3600
	};
	unsigned answers = 0, jobs = 0;
	struct pool p;

	(void)state;
	buf_add_str(&settings.database, "/nowhere");
	assert_non_null(buf_cstr(&settings.database));
	assert_int_equal(io_pipe(cue), 0);
	alarm(60);
	pool_init(&p, &settings, count_answer);
	while (pool_about(&p) == NULL)
		take_turn(&p);
	/* Then the next one would take its place. */
	while (jobs < WORKER_JOBS - 1 && pool_start(&p, cue[0], &answers)) {
		jobs++;
		assert_int_equal(write(cue[1], "", 1), 1);
		while (answers < jobs)
			take_turn(&p);
	}
	alarm(0);
	assert_in_range(jobs, 2, WORKER_JOBS);
	assert_int_equal(pool_count(&p, true), 0);
	io_close(&cue[0]);
	io_close(&cue[1]);
	buf_free(&settings.database);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_packets),
		cmocka_unit_test(test_packets_that_are_too_long),
		cmocka_unit_test(test_packet_with_many_descriptors),
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_worker_that_takes_no_jobs),
	};

	return RUN_TESTS(tests);
}
