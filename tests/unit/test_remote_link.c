/* spool/remote_link: packets of a resident qmail-remote. */
#include "spool/remote_link.h"
#include "unit.h"

#include <errno.h>
#include <sys/socket.h>

static void
test_job(void **state)
{
	struct buf out = BUF_INIT;
	struct remote_job job;

	(void)state;
	remote_link_add_job(&out, STRV("h.example"), STRV(""));
	assert_int_equal(
	    remote_link_parse_job(buf_view(&out), &job), QE_SYNTAX);
	remote_link_add_text(&out, STRV("a@h.example"));
	remote_link_add_text(&out, STRV(""));
	assert_buf(&out, "Dh.example\0\0a@h.example\0\0");
	assert_int_equal(remote_link_parse_job(buf_view(&out), &job), 0);
	assert_view(job.host, "h.example");
	assert_view(job.sender, "");
	assert_int_equal(job.count, 2);
	assert_view(job.recipients, "a@h.example\0\0");
	for (size_t n = 0; n < out.len - 1; n++)
		assert_true(remote_link_parse_job(strv_head(buf_view(&out), n),
				&job) == QE_SYNTAX ||
			    n == 24);
	for (int i = 0; i < REMOTE_LINK_RECIPIENTS_MAX - 2; i++)
		remote_link_add_text(&out, STRV("x"));
	assert_int_equal(remote_link_parse_job(buf_view(&out), &job), 0);
	remote_link_add_text(&out, STRV("x"));
	assert_int_equal(remote_link_parse_job(buf_view(&out), &job), QE_LIMIT);
	buf_free(&out);
}

static void
test_results(void **state)
{
	struct buf out = BUF_INIT, end = BUF_INIT;
	struct strv rest, text, exchanger, results;
	unsigned number;
	bool is_open = false;

	(void)state;
	remote_link_add_result(&out, 258, STRV("r\0Kok\n\0"));
	remote_link_add_result(&out, 0, STRV(""));
	assert_buf(&out, "\2\1\7\0\0\0r\0Kok\n\0\0\0\0\0\0\0");
	rest = buf_view(&out);
	assert_int_equal(remote_link_next_result(&rest, &number, &text), 0);
	assert_int_equal(number, 258);
	assert_view(text, "r\0Kok\n\0");
	assert_int_equal(remote_link_next_result(&rest, &number, &text), 0);
	assert_int_equal(
	    remote_link_next_result(&rest, &number, &text), QE_EOF);
	rest = strv_head(buf_view(&out), 12);
	assert_int_equal(
	    remote_link_next_result(&rest, &number, &text), QE_SYNTAX);
	rest = STRV("\0\0\0\0\0\xff");
	assert_int_equal(
	    remote_link_next_result(&rest, &number, &text), QE_SYNTAX);

	remote_link_add_end(&end, true, STRV("mx.example"));
	buf_add_str(&end, "rest");
	assert_buf(&end, "Eomx.example\0rest");
	assert_int_equal(remote_link_parse_end(
			     buf_view(&end), &is_open, &exchanger, &results),
	    0);
	assert_true(is_open);
	assert_view(exchanger, "mx.example");
	assert_view(results, "rest");
	for (size_t n = 0; n < 13; n++)
		assert_int_equal(
		    remote_link_parse_end(strv_head(buf_view(&end), n),
			&is_open, &exchanger, &results),
		    n == 13 ? 0 : QE_SYNTAX);
	end.data[1] = 'x';
	assert_int_equal(remote_link_parse_end(
			     buf_view(&end), &is_open, &exchanger, &results),
	    QE_SYNTAX);
	buf_free(&out);
	buf_free(&end);
}

static void
test_via(void **state)
{
	struct buf out = BUF_INIT;
	struct strv name = STRV("as it was");

	(void)state;
	remote_link_add_via(&out, STRV("mx.example"));
	assert_buf(&out, "Vmx.example\0");
	for (size_t n = 0; n < out.len; n++)
		assert_int_equal(
		    remote_link_parse_via(strv_head(buf_view(&out), n), &name),
		    QE_SYNTAX);
	assert_view(name, "as it was");
	assert_int_equal(remote_link_parse_via(buf_view(&out), &name), 0);
	assert_view(name, "mx.example");
	buf_add_char(&out, 'x');
	assert_int_equal(
	    remote_link_parse_via(buf_view(&out), &name), QE_SYNTAX);
	assert_int_equal(
	    remote_link_parse_via(STRV("Emx.example\0"), &name), QE_SYNTAX);
	buf_free(&out);
}

static void
test_descriptor_passes(void **state)
{
	char data[16];
	struct strv packet;
	struct stat ours, theirs;
	int ends[2], fd, null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends), 0);
	assert_int_equal(remote_link_send(ends[0], STRV("Dx"), null), 0);
	assert_int_equal(
	    remote_link_receive(ends[1], data, sizeof(data), &packet, &fd), 0);
	assert_view(packet, "Dx");
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(fstat(null, &ours), 0);
	assert_int_equal(fstat(fd, &theirs), 0);
	assert_int_equal(ours.st_rdev, theirs.st_rdev);
	close(fd);

	/* Who wants none gets none. */
	assert_int_equal(remote_link_send(ends[0], STRV("D"), null), 0);
	fd = dup(null);
	close(fd);
	assert_int_equal(
	    remote_link_receive(ends[1], data, sizeof(data), &packet, NULL), 0);
	assert_int_equal(dup(null), fd);
	close(fd);

	assert_int_equal(
	    remote_link_send(ends[0], STRV("seventeen letters"), -1), 0);
	assert_int_equal(
	    remote_link_receive(ends[1], data, sizeof(data), &packet, &fd),
	    QE_SYNTAX);
	assert_int_equal(fd, -1);
	assert_int_equal(
	    remote_link_receive(ends[1], data, sizeof(data), &packet, &fd),
	    QE_SYS);
	assert_int_equal(errno, EAGAIN);
	close(ends[0]);
	assert_int_equal(
	    remote_link_receive(ends[1], data, sizeof(data), &packet, &fd),
	    QE_EOF);
	assert_int_equal(remote_link_send(ends[1], STRV("x"), -1), QE_SYS);
	close(ends[1]);
	close(null);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_job),
		cmocka_unit_test(test_results),
		cmocka_unit_test(test_via),
		cmocka_unit_test(test_descriptor_passes),
	};

	return RUN_TESTS(tests);
}
