/* The message in pieces, and what MAIL says about it. */
#include "remote/message.h"

#include "base/io.h"
#include "smtp/dot.h"
#include "unit.h"

#include <sys/mman.h>

static int
file_of(struct strv content)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(io_write_all(fd, content.ptr, content.len), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

/* Reads it twice and compares; then the count with what the encoder does. */
static void
assert_message(struct strv content)
{
	struct message m;
	struct dot_encoder encoder;
	struct buf all = BUF_LIMIT(1 << 20), wire = BUF_LIMIT(1 << 21);
	uint64_t dots = 0;
	struct strv piece;
	int fd = file_of(content);

	assert_int_equal(message_open(fd, &m), 0);
	dot_encoder_init(&encoder);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(message_scan(&m), 0);
		message_rewind(&m);
		buf_reset(&all);
		while (message_next(&m, &piece) == 0)
			buf_add_view(&all, piece);
		assert_same(buf_view(&all), content);
		assert_int_equal(message_next(&m, &piece), QE_EOF);
	}
	dot_encode(&encoder, content, &wire);
	dot_encode_end(&encoder, &wire);
	for (size_t i = 0; i + 1 < wire.len; i++)
		dots += (i == 0 || wire.data[i - 1] == '\n') &&
			wire.data[i] == '.' && wire.data[i + 1] == '.';
	assert_int_equal(m.wire_bytes, wire.len - dots);
	message_close(&m);
	close(fd);
	buf_free(&all);
	buf_free(&wire);
}

static void
test_small_messages(void **state)
{
	(void)state;
	assert_message(STRV(""));
	assert_message(STRV("\n"));
	assert_message(STRV("a"));
	assert_message(STRV("a\r"));
	assert_message(STRV("a\r\nb\n\rc\r\r\n\n"));
	assert_message(STRV(".\n..\n\r."));
}

static void
test_sizes_around_a_piece(void **state)
{
	static char content[2 * MESSAGE_PIECE + 8];

	(void)state;
	for (size_t i = 0; i < sizeof(content); i++)
		content[i] = "x\r\ny\nz\r"[i % 7];
	for (size_t size = 0; size <= 2; size++)
		for (size_t more = 0; more < 8; more++)
			assert_message(
			    strv_from(content, size * MESSAGE_PIECE + more));
	assert_message(strv_from(content, MESSAGE_PIECE - 1));
}

static void
test_eight_bit(void **state)
{
	struct message m;
	int fd = file_of(STRV("plain\n"));

	(void)state;
	assert_int_equal(message_open(fd, &m), 0);
	assert_int_equal(message_scan(&m), 0);
	assert_false(m.eight_bit);
	message_close(&m);
	assert_int_equal(pwrite(fd, "\x80", 1, 3), 1);
	assert_int_equal(message_open(fd, &m), 0);
	assert_int_equal(message_scan(&m), 0);
	assert_true(m.eight_bit);
	message_close(&m);
	close(fd);
}

static void
test_starts_at_the_offset(void **state)
{
	struct message m;
	struct strv piece;
	int fd = file_of(STRV("headbody"));

	(void)state;
	assert_int_equal(lseek(fd, 4, SEEK_SET), 4);
	assert_int_equal(message_open(fd, &m), 0);
	assert_int_equal(message_next(&m, &piece), 0);
	assert_view(piece, "body");
	message_close(&m);
	close(fd);
}

static void
test_pipe_is_kept(void **state)
{
	struct message m;
	struct strv piece;
	int fds[2];

	(void)state;
	assert_int_equal(io_pipe(fds), 0);
	assert_int_equal(io_write_all(fds[1], "abc", 3), 0);
	close(fds[1]);
	assert_int_equal(message_open(fds[0], &m), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(message_next(&m, &piece), 0);
		assert_view(piece, "abc");
		assert_int_equal(message_next(&m, &piece), QE_EOF);
		message_rewind(&m);
	}
	message_close(&m);
	close(fds[0]);
}

static void
test_directory_is_an_error(void **state)
{
	struct message m;
	int fd = open("/", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_int_equal(message_open(fd, &m), QE_SYS);
	close(fd);
	assert_int_equal(message_open(fd, &m), QE_SYS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small_messages),
		cmocka_unit_test(test_sizes_around_a_piece),
		cmocka_unit_test(test_eight_bit),
		cmocka_unit_test(test_starts_at_the_offset),
		cmocka_unit_test(test_pipe_is_kept),
		cmocka_unit_test(test_directory_is_an_error),
	};

	return RUN_TESTS(tests);
}
