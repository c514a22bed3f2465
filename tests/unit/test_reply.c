/* smtp/reply: what is printed, and what of other hosts is believed. */
#include "smtp/reply.h"
#include "unit.h"

#include <sys/socket.h>

static void
test_reply_add(void **state)
{
	struct reply r = reply_make(250, "2.1.0", "ok");
	struct buf out = BUF_INIT;

	(void)state;
	reply_add(&out, &r);
	assert_buf(&out, "250 2.1.0 ok\r\n");
	assert_false(r.close);
	buf_reset(&out);
	r = reply_makef(354, NULL, "go %s %d", "ahead", 7);
	reply_add(&out, &r);
	assert_buf(&out, "354 go ahead 7\r\n");
	buf_free(&out);
}

static void
test_reply_never_ends_a_line_early(void **state)
{
	struct reply r = reply_make(550, NULL, "a\r\n250 ok\x1b[m\tb\xc3\xa4");
	struct buf out = BUF_INIT;

	(void)state;
	reply_add(&out, &r);
	assert_buf(&out, "550 a??250 ok?[m\tb\xc3\xa4\r\n");
	buf_reset(&out);
	reply_add_line(&out, 250, STRV("x\ny\0z"), false);
	reply_add_line(&out, 250, STRV("last"), true);
	assert_buf(&out, "250-x?y?z\r\n250 last\r\n");
	buf_free(&out);
}

static void
test_reply_text_is_bounded(void **state)
{
	char lots[2000];
	struct reply r;
	struct buf out = BUF_INIT;

	(void)state;
	memset(lots, 'x', sizeof(lots) - 1);
	lots[sizeof(lots) - 1] = '\0';
	r = reply_make(250, "2.0.0", lots);
	reply_add(&out, &r);
	assert_true(out.len <= 512);
	buf_free(&out);
}

static int
read_reply(struct strv wire, int *code, struct buf *text)
{
	char storage[4096];
	char name[] = "/tmp/unit.XXXXXX";
	struct source in;
	int fd = mkstemp(name);
	int r;

	assert_true(fd >= 0);
	unlink(name);
	assert_int_equal(write(fd, wire.ptr, wire.len), (ssize_t)wire.len);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	source_init(&in, fd, storage, sizeof(storage));
	r = reply_read(&in, IO_FOREVER, code, text);
	close(fd);
	return r;
}

static void
check_read(struct strv wire, int want, int want_code, struct strv want_text)
{
	struct buf text = BUF_INIT;
	int code = -1;

	assert_int_equal(read_reply(wire, &code, &text), want);
	assert_int_equal(code, want == 0 ? want_code : -1);
	if (want == 0)
		assert_same(buf_view(&text), want_text);
	buf_free(&text);
}

static void
test_reply_read(void **state)
{
	(void)state;
	check_read(STRV("250 ok\r\n"), 0, 250, STRV("250 ok\n"));
	check_read(STRV("220-a\r\n220-b\r\n220 c\r\n221 no\r\n"), 0, 220,
	    STRV("220-a\n220-b\n220 c\n"));
	check_read(STRV("250\r\n"), 0, 250, STRV("250\n"));
	check_read(STRV("250-\n250 bare\n"), 0, 250, STRV("250-\n250 bare\n"));
	check_read(STRV("550 a\rb\0c\r\n"), 0, 550, STRV("550 ab?c\n"));
	check_read(STRV("250-a\r\n451 b\r\n"), 0, 451, STRV("250-a\n451 b\n"));
}

static void
test_reply_read_refuses(void **state)
{
	(void)state;
	check_read(STRV(""), QE_EOF, 0, STRV_EMPTY);
	check_read(STRV("250 o"), QE_EOF, 0, STRV_EMPTY);
	check_read(STRV("250-a\r\n"), QE_EOF, 0, STRV_EMPTY);
	check_read(STRV("\r\n"), QE_SYNTAX, 0, STRV_EMPTY);
	check_read(STRV("25\r\n"), QE_SYNTAX, 0, STRV_EMPTY);
	check_read(STRV("hello\r\n"), QE_SYNTAX, 0, STRV_EMPTY);
	check_read(STRV("2500 x\r\n"), QE_SYNTAX, 0, STRV_EMPTY);
	check_read(STRV("150 x\r\n"), QE_SYNTAX, 0, STRV_EMPTY);
	check_read(STRV("600 x\r\n"), QE_SYNTAX, 0, STRV_EMPTY);
	check_read(STRV("+50 x\r\n"), QE_SYNTAX, 0, STRV_EMPTY);
	check_read(STRV("250-a\r\nx\r\n"), QE_SYNTAX, 0, STRV_EMPTY);
}

/* A reply of that many lines, of that many bytes each. */
static void
add_lines(struct buf *wire, int lines, size_t bytes)
{
	for (int i = 1; i <= lines; i++) {
		char *to;

		buf_add_str(wire, i < lines ? "250-" : "250 ");
		to = buf_reserve(wire, bytes - 6);
		assert_non_null(to);
		memset(to, 'x', bytes - 6);
		wire->len += bytes - 6;
		buf_add_str(wire, "\r\n");
	}
}

static void
test_reply_read_is_bounded(void **state)
{
	struct buf wire = BUF_LIMIT(8 << 20), text = BUF_INIT;
	int code = 0;

	(void)state;
	add_lines(&wire, 900, 100);
	assert_int_equal(read_reply(buf_view(&wire), &code, &text), 0);
	assert_int_equal(code, 250);
	assert_int_equal(text.len, REPLY_READ_MAX);
	assert_int_equal(text.data[text.len - 1], '\n');
	/* A caller may keep less. */
	buf_free(&text);
	text.max = 1000;
	assert_int_equal(read_reply(buf_view(&wire), &code, &text), 0);
	assert_int_equal(text.len, 1000);
	assert_int_equal(text.data[text.len - 1], '\n');
	buf_free(&wire);
	buf_free(&text);
}

/* The largest that is one, and one more of everything. */
static void
test_reply_read_ends_what_is_endless(void **state)
{
	struct buf wire = BUF_LIMIT(8 << 20), text = BUF_INIT;
	int code = 0;

	(void)state;
	add_lines(&wire, REPLY_LINES_MAX, 512);
	assert_int_equal(wire.len, REPLY_BYTES_MAX);
	assert_int_equal(read_reply(buf_view(&wire), &code, &text), 0);
	assert_int_equal(code, 250);
	buf_reset(&wire);
	code = -1;
	add_lines(&wire, REPLY_LINES_MAX + 1, 20);
	assert_int_equal(read_reply(buf_view(&wire), &code, &text), QE_LIMIT);
	assert_true(strv_starts(buf_view(&text), STRV("250-xxx")));
	buf_reset(&wire);
	add_lines(&wire, 2, REPLY_BYTES_MAX / 2);
	assert_int_equal(read_reply(buf_view(&wire), &code, &text), 0);
	assert_int_equal(text.len, 2 * (REPLY_LINE_MAX + 1));
	buf_reset(&wire);
	code = -1;
	add_lines(&wire, 1, REPLY_BYTES_MAX + 1);
	assert_int_equal(read_reply(buf_view(&wire), &code, &text), QE_LIMIT);
	assert_int_equal(code, -1);
	buf_free(&wire);
	buf_free(&text);
}

/* What follows a cut one is the next reply. */
static void
test_reply_read_stays_in_step(void **state)
{
	struct buf wire = BUF_LIMIT(8 << 20), text = BUF_INIT;
	char storage[4096];
	struct source in;
	int fds[2], code = 0;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	add_lines(&wire, 3, 9000);
	buf_add_str(&wire, "550 next\r\n");
	assert_int_equal(io_write_all(fds[1], wire.data, wire.len), 0);
	source_init(&in, fds[0], storage, sizeof(storage));
	assert_int_equal(reply_read(&in, IO_FOREVER, &code, &text), 0);
	assert_int_equal(code, 250);
	assert_int_equal(reply_read(&in, IO_FOREVER, &code, &text), 0);
	assert_int_equal(code, 550);
	assert_buf(&text, "550 next\n");
	close(fds[0]);
	close(fds[1]);
	buf_free(&wire);
	buf_free(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reply_add),
		cmocka_unit_test(test_reply_never_ends_a_line_early),
		cmocka_unit_test(test_reply_text_is_bounded),
		cmocka_unit_test(test_reply_read),
		cmocka_unit_test(test_reply_read_refuses),
		cmocka_unit_test(test_reply_read_is_bounded),
		cmocka_unit_test(test_reply_read_ends_what_is_endless),
		cmocka_unit_test(test_reply_read_stays_in_step),
	};

	return RUN_TESTS(tests);
}
