/* Listening sockets: one server for a name, and a name without a gap. */
#include "base/io.h"
#include "base/listener.h"
#include "unit.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>

static char dir[64];

static int
setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/qmail-md-unit-XXXXXX");
	return mkdtemp(dir) == NULL ? -1 : chdir(dir);
}

static int
teardown(void **state)
{
	(void)state;
	unlink("s");
	unlink("s.lock");
	return chdir("/") == 0 ? rmdir(dir) : -1;
}

static int
try_connect(void)
{
	const struct sockaddr_un name = { .sun_family = AF_UNIX,
		.sun_path = "s" };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int r = connect(fd, (const struct sockaddr *)&name, sizeof(name));

	io_close(&fd);
	return r;
}

static void
test_one_server_only(void **state)
{
	int first, second = -1;

	(void)state;
	assert_int_equal(listener_lock("s", &first), 0);
	assert_int_equal(listener_lock("s", &second), QE_DENIED);
	assert_int_equal(second, -1);
	io_close(&first);
	assert_int_equal(listener_lock("s", &second), 0);
	io_close(&second);
	assert_int_equal(listener_lock("no/s", &second), QE_SYS);
	assert_int_equal(errno, ENOENT);
}

static void
test_a_new_one_takes_the_name(void **state)
{
	gid_t group = getgid();
	int first, second;
	struct stat st;

	(void)state;
	assert_int_equal(listener_open("s", SOCK_STREAM, NULL, 5, &first), 0);
	assert_true(fcntl(first, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(try_connect(), 0);
	assert_int_equal(listener_open("s", SOCK_STREAM | SOCK_NONBLOCK,
			     geteuid() == 0 ? &group : NULL, 5, &second),
	    0);
	assert_true(fcntl(second, F_GETFL) & O_NONBLOCK);
	io_close(&first);
	assert_int_equal(try_connect(), 0);
	assert_int_equal(stat("s", &st), 0);
	if (geteuid() == 0)
		assert_int_equal(st.st_mode & 07777, 0660);
	assert_int_equal(access("s.new", F_OK), -1);
	io_close(&second);
}

static void
test_path_that_is_too_long(void **state)
{
	char path[200];
	int fd;

	(void)state;
	memset(path, 'x', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(
	    listener_open(path, SOCK_STREAM, NULL, 5, &fd), QE_LIMIT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_one_server_only, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_a_new_one_takes_the_name, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_path_that_is_too_long, setup, teardown),
	};

	return RUN_TESTS(tests);
}
