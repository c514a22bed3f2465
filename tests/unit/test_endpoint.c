/* Endpoints: what names one, and connections that are bounded. */
#include "base/clock.h"
#include "base/endpoint.h"
#include "base/io.h"
#include "unit.h"

#include <errno.h>
#include <sys/un.h>

static void
test_parse(void **state)
{
	struct endpoint e;

	(void)state;
	assert_int_equal(endpoint_parse(STRV("127.0.0.1:3310"), &e), 0);
	assert_string_equal(e.path, "");
	assert_int_equal(e.ip.family, AF_INET);
	assert_int_equal(e.port, 3310);
	assert_int_equal(endpoint_parse(STRV("[::1]:65535"), &e), 0);
	assert_int_equal(e.ip.family, AF_INET6);
	assert_int_equal(e.port, 65535);
	assert_int_equal(endpoint_parse(STRV("/run/clamd.ctl"), &e), 0);
	assert_string_equal(e.path, "/run/clamd.ctl");
}

static void
test_parse_refuses(void **state)
{
	static const char *const wrong[] = { "", "3310", ":3310", "127.0.0.1",
		"127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:33x",
		"localhost:3310", "::1:3310", "[::1]", "[::1]3310", "run/clamd",
		"127.0.0.1:3310 " };
	struct endpoint e;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_int_equal(
		    endpoint_parse(strv_of(wrong[i]), &e), QE_SYNTAX);
	assert_int_equal(endpoint_parse(STRV("/a\0b"), &e), QE_SYNTAX);
}

static void
test_parse_long_path(void **state)
{
	char path[ENDPOINT_PATH_MAX + 1];
	struct endpoint e;

	(void)state;
	memset(path, 'x', sizeof(path));
	path[0] = '/';
	assert_int_equal(
	    endpoint_parse(strv_from(path, ENDPOINT_PATH_MAX - 1), &e), 0);
	assert_int_equal(
	    endpoint_parse(strv_from(path, ENDPOINT_PATH_MAX), &e), QE_LIMIT);
}

static void
test_connect_local(void **state)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	char dir[] = "/tmp/qmail-md-unit-XXXXXX";
	struct endpoint e = { .port = 0 };
	int waiting[3] = { -1, -1, -1 };
	int r = 0, listener;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(e.path, sizeof(e.path), "%s/s", dir);
	assert_int_equal(
	    endpoint_connect(&e, clock_deadline(5), &waiting[0]), QE_SYS);
	assert_int_equal(errno, ENOENT);
	memcpy(name.sun_path, e.path, sizeof(name.sun_path));
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(
	    bind(listener, (struct sockaddr *)&name, sizeof(name)), 0);
	assert_int_equal(listen(listener, 0), 0);
	/* Nobody accepts: the first is in line, a later one waits in vain. */
	for (int i = 0; i < 3 && r == 0; i++)
		r = endpoint_connect(&e, clock_mono_ms() + 50, &waiting[i]);
	assert_int_equal(r, QE_TIMEOUT);
	assert_true(waiting[0] >= 0);
	assert_true(fcntl(waiting[0], F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(waiting[0], F_GETFD) & FD_CLOEXEC);
	assert_int_equal(
	    endpoint_connect(&e, clock_mono_ms() - 1, &r), QE_TIMEOUT);
	for (int i = 0; i < 3; i++)
		io_close(&waiting[i]);
	io_close(&listener);
	unlink(e.path);
	rmdir(dir);
}

static void
test_connect_local_of_other_type(void **state)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	char dir[] = "/tmp/qmail-md-unit-XXXXXX";
	char path[64], longer[200];
	int fd = -1, listener;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
	memcpy(name.sun_path, path, strlen(path) + 1);
	listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	assert_int_equal(
	    bind(listener, (struct sockaddr *)&name, sizeof(name)), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(
	    endpoint_connect_local(path, SOCK_STREAM, IO_FOREVER, &fd), QE_SYS);
	assert_int_equal(errno, EPROTOTYPE);
	assert_int_equal(
	    endpoint_connect_local(path, SOCK_SEQPACKET, IO_FOREVER, &fd), 0);
	io_close(&fd);
	assert_int_equal(endpoint_connect_local(
			     path, SOCK_SEQPACKET, clock_mono_ms() - 1, &fd),
	    QE_TIMEOUT);
	assert_int_equal(errno, ETIMEDOUT);
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(
	    endpoint_connect_local(longer, SOCK_STREAM, IO_FOREVER, &fd),
	    QE_LIMIT);
	assert_int_equal(errno, ENAMETOOLONG);
	assert_int_equal(
	    endpoint_connect_local("", SOCK_STREAM, IO_FOREVER, &fd), QE_LIMIT);
	io_close(&listener);
	unlink(path);
	rmdir(dir);
}

static void
test_connect_tcp_does_not_wait(void **state)
{
	struct endpoint e;
	int fd = -1;

	(void)state;
	/* Nobody listens on port 1; whether that shows at once or at the first
	 * write is the system's business. */
	assert_int_equal(endpoint_parse(STRV("127.0.0.1:1"), &e), 0);
	if (endpoint_connect(&e, clock_deadline(5), &fd) == 0) {
		assert_int_equal(io_wait(fd, 4, clock_deadline(5)), 0);
		assert_true(send(fd, "x", 1, MSG_NOSIGNAL) < 0);
	}
	assert_int_equal(errno, ECONNREFUSED);
	io_close(&fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_parse_refuses),
		cmocka_unit_test(test_parse_long_path),
		cmocka_unit_test(test_connect_local),
		cmocka_unit_test(test_connect_local_of_other_type),
		cmocka_unit_test(test_connect_tcp_does_not_wait),
	};

	return RUN_TESTS(tests);
}
