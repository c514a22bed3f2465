/*
 * A transfer over a socket pair whose other end has said everything before it
 * begins: replies, records, and what every reading of the stream sees.
 */
#include "remote/transfer.h"

#include "base/io.h"
#include "unit.h"

#include <sys/mman.h>
#include <sys/socket.h>

enum { COMBINATION_MAX = 6, BUFFER = 1 << 19 };

struct scene {
	struct peer_settings settings;
	struct peer peer;
	struct message message;
	struct report report;
	struct buf wire; /* what was sent */
	enum verdict verdict;
	int far;
};

static int
message_fd(struct strv content)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(io_write_all(fd, content.ptr, content.len), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static void
scene_connect(struct scene *s, const char *replies)
{
	int fds[2];
	int size = BUFFER;

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	assert_int_equal(io_set_nonblocking(fds[0], true), 0);
	assert_int_equal(io_write_all(fds[1], replies, strlen(replies)), 0);
	assert_int_equal(shutdown(fds[1], SHUT_WR), 0);
	s->settings.helohost = STRV("me.example");
	s->settings.remote_ms = 5000;
	s->peer.settings = &s->settings;
	s->peer.fd = fds[0];
	s->peer.end_ms = INT64_MAX;
	s->peer.out = (struct buf)BUF_LIMIT(PEER_WRITE_MAX);
	s->peer.said = (struct buf)BUF_LIMIT(10000);
	memcpy(s->peer.ip, "192.0.2.1", 10);
	source_init(
	    &s->peer.in, fds[0], s->peer.in_data, sizeof(s->peer.in_data));
	s->far = fds[1];
}

static void
read_wire(struct scene *s)
{
	ssize_t got;

	s->wire = (struct buf)BUF_LIMIT(BUFFER);
	do {
		char *to = buf_reserve(&s->wire, 65536);

		assert_non_null(to);
		got = io_read(s->far, to, 65536);
		if (got > 0)
			s->wire.len += (size_t)got;
	} while (got > 0);
}

static void
scene_run(struct scene *s, unsigned extensions, const char *replies,
    struct strv content, char *const *recipients, size_t count)
{
	struct transfer t = { .peer = &s->peer,
		.message = &s->message,
		.report = &s->report,
		.sender = STRV("s@x") };
	int fd = message_fd(content);

	memset(s, 0, sizeof(*s));
	scene_connect(s, replies);
	s->peer.offer.extensions = extensions;
	assert_int_equal(message_open(fd, &s->message), 0);
	assert_int_equal(report_init(&s->report, recipients, count), 0);
	s->verdict = transfer_run(&t);
	peer_close(&s->peer);
	message_close(&s->message);
	close(fd);
	read_wire(s);
}

static void
scene_free(struct scene *s)
{
	close(s->far);
	report_free(&s->report);
	buf_free(&s->wire);
}

/* The records as they are written, NUL shown as '|'. */
static void
assert_records(const struct scene *s, const char *want)
{
	char path[64], file[96];
	struct buf got;
	int fd;

	unit_make_dir(path);
	snprintf(file, sizeof(file), "%s/out", path);
	fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(report_write(&s->report, fd), 0);
	close(fd);
	got = unit_read(file);
	for (size_t i = 0; i < got.len; i++)
		if (got.data[i] == '\0')
			got.data[i] = '|';
	assert_same(buf_view(&got), strv_of(want));
	buf_free(&got);
	unit_remove(path);
}

static char *const two[] = { (char[]){ "a@x" }, (char[]){ "b@x" } };

static void
test_accepted(void **state)
{
	struct scene s;

	(void)state;
	scene_run(&s, 0, "250 ok\r\n250 ok\r\n550 no\r\n354 go\r\n250 done\r\n",
	    STRV("a\n"), two, 2);
	assert_int_equal(s.verdict, VERDICT_FINAL);
	assert_buf(&s.wire,
	    "MAIL FROM:<s@x>\r\nRCPT TO:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n"
	    "a\r\n.\r\nQUIT\r\n");
	assert_records(&s,
	    "r|h192.0.2.1 does not like recipient.\nRemote host said: 550 no\n|"
	    "K192.0.2.1 accepted message.\nRemote host said: 250 done\n|");
	scene_free(&s);
}

static void
test_mail_refused_ahead_of_replies(void **state)
{
	struct scene s;

	(void)state;
	scene_run(&s, EHLO_PIPELINING | EHLO_SIZE | EHLO_8BITMIME,
	    "451 later\r\n503 x\r\n503 x\r\n503 x\r\n", STRV("\xff"), two, 2);
	assert_int_equal(s.verdict, VERDICT_NEXT);
	assert_buf(&s.wire,
	    "MAIL FROM:<s@x> SIZE=3 BODY=8BITMIME\r\nRCPT TO:<a@x>\r\n"
	    "RCPT TO:<b@x>\r\nDATA\r\n");
	assert_records(&s, "ZConnected to 192.0.2.1 but sender was rejected.\n"
			   "Remote host said: 451 later\n|");
	scene_free(&s);
}

static void
test_everybody_refused(void **state)
{
	struct scene s;

	(void)state;
	scene_run(&s, 0, "250 ok\r\n550 no\r\n450 no\r\n", STRV("x"), two, 2);
	assert_int_equal(s.verdict, VERDICT_NEXT);
	assert_int_equal(s.report.letter, 'D');
	assert_null(memmem(s.wire.data, s.wire.len, "DATA", 4));
	scene_free(&s);
}

static void
test_data_for_nobody(void **state)
{
	struct scene s;

	(void)state;
	scene_run(&s, EHLO_PIPELINING,
	    "250 ok\r\n550 no\r\n550 no\r\n354 go\r\n250 taken\r\n", STRV("x"),
	    two, 2);
	assert_int_equal(s.verdict, VERDICT_FINAL);
	assert_int_equal(s.report.letter, 'D');
	/* Neither an end of data nor anything else follows. */
	assert_true(strv_ends_nocase(buf_view(&s.wire), STRV("DATA\r\n")));
	scene_free(&s);
}

static void
test_death_of_the_connection(void **state)
{
	static const char *const replies[] = { "", "250 ok\r\n",
		"250 ok\r\n250 ok\r\n", "250 ok\r\n250 ok\r\n250 ok\r\n",
		"250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n" };
	static const char *const records[] = { "", "", "r|", "r|r|", "r|r|" };

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		struct scene s;
		char want[128];

		scene_run(&s, 0, replies[i], STRV("x\n"), two, 2);
		snprintf(want, sizeof(want),
		    "%sZConnected to 192.0.2.1 but connection died. %s(#4.4.2)"
		    "\n|",
		    records[i], i == 4 ? "Possible duplicate! " : "");
		assert_records(&s, want);
		assert_int_equal(
		    s.verdict, i == 4 ? VERDICT_FINAL : VERDICT_NEXT);
		scene_free(&s);
	}
}

/* Whatever the replies, the report is whole and K has its reason. */
static void
test_any_replies(void **state)
{
	static const char *const pieces[] = { "250 ok\r\n", "354 go\r\n",
		"450 no\r\n", "550 no\r\n", "250-a\r\n250 b\r\n", "junk\r\n",
		"\r\n", "421 bye\r\n", "25", "\0" };
	uint32_t seed = 1;

	(void)state;
	for (int i = 0; i < 3000; i++) {
		char replies[200] = "";
		struct scene s;
		size_t used = 0;

		for (int n = 0; n < 6; n++) {
			const char *piece = pieces[unit_random(&seed) % 10];

			if (unit_random(&seed) % 2 == 0)
				piece = n == 3 ? pieces[1] : pieces[0];
			memcpy(replies + used, piece, strlen(piece) + 1);
			used += strlen(piece);
		}
		scene_run(
		    &s, unit_random(&seed) % 8, replies, STRV("x\n"), two, 2);
		assert_non_null(strchr("KZD", s.report.letter));
		assert_true(s.report.text.len > 0);
		for (size_t k = 0; k < 2; k++) {
			char letter = (char)s.report.recipients[k].state;

			if (s.report.letter == 'K')
				assert_true(letter != 0);
			else if (k == 1 && letter != 0)
				assert_true(s.report.recipients[0].state != 0);
		}
		if (s.report.letter == 'K')
			assert_non_null(
			    strstr(replies, "354 go")); /* and data went */
		scene_free(&s);
	}
}

/* How many bytes of the stream a reading takes for the message, or npos. */
struct reading {
	bool crlf, lf, cr, drops_nul;
};

static size_t
line_end(const struct reading *how, struct strv s, size_t i)
{
	if (how->crlf && i + 1 < s.len && s.ptr[i] == '\r' &&
	    s.ptr[i + 1] == '\n')
		return 2;
	if ((how->lf && s.ptr[i] == '\n') || (how->cr && s.ptr[i] == '\r'))
		return 1;
	return 0;
}

/* Where this reading sees the end of data: behind the dot's line end. */
static size_t
end_of_data(const struct reading *how, struct strv s)
{
	size_t dots = 0, others = 0;

	for (size_t i = 0; i < s.len; i++) {
		size_t end = line_end(how, s, i);

		if (end == 0) {
			if (s.ptr[i] == '.')
				dots++;
			else if (s.ptr[i] != '\0' || !how->drops_nul)
				others++;
			continue;
		}
		i += end - 1;
		if (dots == 1 && others == 0)
			return i + 1;
		dots = others = 0;
	}
	return STRV_NPOS;
}

static void
assert_one_end(struct strv message)
{
	struct scene s;
	struct strv wire;
	size_t at;

	scene_run(&s, 0, "250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n250 ok\r\n",
	    message, two, 2);
	assert_int_equal(s.report.letter, 'K');
	wire = buf_view(&s.wire);
	assert_true(strv_ends_nocase(wire, STRV("\r\nQUIT\r\n")));
	wire = strv_head(wire, wire.len - 6);
	at = (size_t)((char *)memmem(wire.ptr, wire.len, "DATA\r\n", 6) -
		      wire.ptr) +
	     6;
	wire = strv_skip(wire, at);
	for (unsigned bits = 0; bits < 16; bits++) {
		struct reading how = { (bits & 1) != 0, (bits & 2) != 0,
			(bits & 4) != 0, (bits & 8) != 0 };
		size_t end = end_of_data(&how, wire);

		/* A reader that knows no CR LF ends a byte early or late, or
		 * sees no end at all, but never one within the message. */
		if (how.crlf)
			assert_int_equal(end, wire.len);
		else if (end != STRV_NPOS)
			assert_true(end + 1 >= wire.len);
	}
	scene_free(&s);
}

static void
try_all(const char *alphabet, size_t letters, size_t length, struct strv prefix)
{
	char message[70000];
	size_t total = 1;

	memcpy(message, prefix.ptr, prefix.len);
	for (size_t i = 0; i < length; i++)
		total *= letters;
	for (size_t n = 0; n < total; n++) {
		size_t rest = n;

		for (size_t i = 0; i < length; i++) {
			message[prefix.len + i] = alphabet[rest % letters];
			rest /= letters;
		}
		assert_one_end(strv_from(message, prefix.len + length));
	}
}

static void
test_no_message_ends_early(void **state)
{
	static const char alphabet[] = { '\r', '\n', '.', 'x', '\0' };

	(void)state;
	for (size_t length = 0; length < COMBINATION_MAX; length++)
		try_all(alphabet, 5, length, STRV_EMPTY);
	try_all(alphabet, 4, COMBINATION_MAX, STRV_EMPTY);
}

/* The same across the border of two pieces of the file. */
static void
test_no_message_ends_early_between_pieces(void **state)
{
	static const char alphabet[] = { '\r', '\n', '.' };
	static char filler[MESSAGE_PIECE];

	(void)state;
	memset(filler, 'x', sizeof(filler));
	for (size_t i = 99; i < sizeof(filler); i += 100)
		filler[i] = '\n';
	for (size_t before = 0; before <= 4; before++)
		try_all(
		    alphabet, 3, 4, strv_from(filler, sizeof(filler) - before));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_mail_refused_ahead_of_replies),
		cmocka_unit_test(test_everybody_refused),
		cmocka_unit_test(test_data_for_nobody),
		cmocka_unit_test(test_death_of_the_connection),
		cmocka_unit_test(test_any_replies),
		cmocka_unit_test(test_no_message_ends_early),
		cmocka_unit_test(test_no_message_ends_early_between_pieces),
	};

	return RUN_TESTS(tests);
}
