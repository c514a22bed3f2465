/* Unit tests of base/fdpass.c: packets, and what comes with them. */
#include "base/fdpass.h"
#include "unit.h"

#include <errno.h>
#include <sys/socket.h>

static int ends[2];

static int
setup(void **state)
{
	(void)state;
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends);
}

static int
teardown(void **state)
{
	(void)state;
	close(ends[0]);
	close(ends[1]);
	return 0;
}

static void
send_text(const char *text, int fd)
{
	char copy[32];
	struct iovec part = { copy, strlen(text) };

	memcpy(copy, text, part.iov_len);
	assert_int_equal(fdpass_send(ends[0], &part, 1, fd), 0);
}

static int
receive(char text[8], size_t *len, int *fd)
{
	struct iovec parts[2] = {
		{text,      1},
                { text + 1, 7}
	};

	return fdpass_receive(ends[1], parts, 2, len, fd);
}

/* The lowest descriptor that is free: one that leaks would take it. */
static int
lowest(void)
{
	int fd = dup(ends[0]);

	close(fd);
	return fd;
}

static void
test_one_descriptor(void **state)
{
	char text[8];
	struct stat ours, theirs;
	size_t len = 0;
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC), fd;

	(void)state;
	send_text("hello", null);
	assert_int_equal(receive(text, &len, &fd), 0);
	assert_int_equal(len, 5);
	assert_memory_equal(text, "hello", 5);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(fstat(null, &ours), 0);
	assert_int_equal(fstat(fd, &theirs), 0);
	assert_int_equal(ours.st_rdev, theirs.st_rdev);
	close(fd);
	send_text("none", -1);
	assert_int_equal(receive(text, &len, &fd), 0);
	assert_int_equal(fd, -1);
	close(null);
}

static void
test_who_wants_none_gets_none(void **state)
{
	char text[8];
	size_t len;
	int free_fd = lowest();

	(void)state;
	send_text("x", ends[0]);
	assert_int_equal(receive(text, &len, NULL), 0);
	assert_int_equal(lowest(), free_fd);
}

static void
test_too_large(void **state)
{
	char text[8];
	size_t len = 17;
	int free_fd = lowest(), fd;

	(void)state;
	send_text("seventeen letters", ends[0]);
	assert_int_equal(receive(text, &len, &fd), QE_SYNTAX);
	assert_int_equal(fd, -1);
	assert_int_equal(len, 17);
	assert_int_equal(lowest(), free_fd);
	assert_int_equal(receive(text, &len, &fd), QE_SYS);
	assert_int_equal(errno, EAGAIN);
}

/* There is room for two in what the system pads one to. */
static void
test_two_descriptors(void **state)
{
	union {
		char bytes[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr align;
	} control = { .bytes = { 0 } };
	char text[8] = "x";
	struct iovec part = { text, 1 };
	struct msghdr m = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	size_t len;
	int free_fd = lowest(), fd;

	(void)state;
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(2 * sizeof(int));
	memcpy(CMSG_DATA(c), ends, sizeof(ends));
	assert_int_equal(sendmsg(ends[0], &m, 0), 1);
	assert_int_equal(receive(text, &len, &fd), QE_SYNTAX);
	assert_int_equal(fd, -1);
	assert_int_equal(lowest(), free_fd);
}

static void
test_end(void **state)
{
	char text[8];
	struct iovec part = { text, 1 };
	size_t len;
	int fd;

	(void)state;
	shutdown(ends[0], SHUT_RDWR);
	assert_int_equal(receive(text, &len, &fd), QE_EOF);
	assert_int_equal(fd, -1);
	assert_int_equal(fdpass_send(ends[1], &part, 1, -1), QE_SYS);
	assert_int_equal(errno, EPIPE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_one_descriptor, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_who_wants_none_gets_none, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_too_large, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_two_descriptors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_end, setup, teardown),
	};

	return RUN_TESTS(tests);
}
