/*
 * spamcheck: a plugin of qmail-smtpd for [content] that asks spamd of
 * SpamAssassin, or rspamd in its manner, about a message.
 *
 * Runs as qmaild.  Reads the message on descriptor 0 and the server's answer,
 * writes commands of smtp-plugins(5) on 1 and trouble on 2.
 */
#include "base/clock.h"
#include "base/die.h"
#include "base/endpoint.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/io.h"
#include "base/options.h"
#include "base/program.h"
#include "smtp/spamd.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	MISUSE = 120, /* nothing passes a plugin that is set up wrongly */
	SIZE_MAX_DEFAULT = 512 * 1024, /* bytes of a message that is checked */
	SIZE_MAX_LIMIT = 1 << 30,
	SECONDS_DEFAULT = 25,
	SECONDS_MAX = 3600,
	USER_MAX = 256,
	PIECE = 16384
};

static const char usage[] =
    "spamcheck [-c] [-r score] [-s bytes] [-t seconds] [-u user] "
    "ip:port|/socket";

static const struct program program = {
	.name = "spamcheck",
	.flags = PROGRAM_FD0 | PROGRAM_FD1,
	.umask = 077,
};

struct spamcheck {
	bool closed;  /* -c: without an answer, a temporary refusal */
	bool rejects; /* -r was given */
	int limit;    /* thousandths */
	uint64_t size_max, seconds;
	struct strv user;
	struct endpoint server;
	int64_t deadline_ms;
};

static uint64_t
number(const char *text, uint64_t max)
{
	uint64_t n;

	if (strv_to_u64(strv_of(text), max, &n) != 0 || n == 0)
		die(MISUSE, "%s: not a number from 1 to %llu", text,
		    (unsigned long long)max);
	return n;
}

/* What stands in a line of the request may not end it. */
static struct strv
user_name(const char *text)
{
	struct strv user = strv_of(text);

	if (user.len == 0 || user.len > USER_MAX)
		die(MISUSE, "-u: not a user");
	for (size_t i = 0; i < user.len; i++)
		if (user.ptr[i] <= ' ' || user.ptr[i] == 127)
			die(MISUSE, "-u: not a user");
	return user;
}

static void
take_option(struct spamcheck *c, int letter, const char *arg)
{
	switch (letter) {
	case 'c':
		c->closed = true;
		break;
	case 'r':
		c->rejects = true;
		if (spamd_parse_score(strv_of(arg), &c->limit) != 0)
			die(MISUSE, "%s: not a score", arg);
		break;
	case 's':
		c->size_max = number(arg, SIZE_MAX_LIMIT);
		break;
	case 't':
		c->seconds = number(arg, SECONDS_MAX);
		break;
	case 'u':
		c->user = user_name(arg);
		break;
	default:
		die(MISUSE, "usage: %s", usage);
	}
}

/* 0, QE_TIMEOUT, QE_SYS. */
static int
send_all(int fd, const char *data, size_t n, int64_t deadline_ms)
{
	while (n > 0) {
		ssize_t did = send(fd, data, n, MSG_NOSIGNAL);
		int r;

		if (did > 0) {
			data += did;
			n -= (size_t)did;
			continue;
		}
		if (did < 0 && errno != EAGAIN && errno != EINTR)
			return QE_SYS;
		r = io_wait(fd, POLLOUT, deadline_ms);
		if (r != 0)
			return r;
	}
	return 0;
}

static int
send_head(const struct spamcheck *c, int fd, int64_t size)
{
	struct buf head = BUF_LIMIT(1024);
	int r;

	buf_addf(&head, "SYMBOLS SPAMC/1.5\r\nContent-length: %lld\r\n",
	    (long long)size);
	if (c->user.len > 0)
		buf_addf(&head, "User: " STRV_FMT "\r\n", STRV_ARG(c->user));
	buf_add_str(&head, "\r\n");
	r = head.err != 0 ? head.err
			  : send_all(fd, head.data, head.len, c->deadline_ms);
	buf_free(&head);
	return r;
}

/* So many bytes of the message, no more and no less. */
static int
send_message(const struct spamcheck *c, int fd, int64_t size)
{
	char piece[PIECE];

	while (size > 0) {
		size_t want = size < PIECE ? (size_t)size : sizeof(piece);
		ssize_t got = io_read(STDIN_FILENO, piece, want);
		int r;

		if (got <= 0)
			return got == 0 ? QE_EOF : QE_SYS;
		r = send_all(fd, piece, (size_t)got, c->deadline_ms);
		if (r != 0)
			return r;
		size -= got;
	}
	shutdown(fd, SHUT_WR);
	return 0;
}

static int
receive(const struct spamcheck *c, int fd, struct buf *response)
{
	char piece[PIECE];

	for (;;) {
		int r = io_wait(fd, POLLIN, c->deadline_ms);
		ssize_t got;

		if (r != 0)
			return r;
		got = recv(fd, piece, sizeof(piece), 0);
		if (got == 0)
			return 0;
		if (got < 0 && errno != EAGAIN && errno != EINTR)
			return QE_SYS;
		if (got > 0)
			buf_add(response, piece, (size_t)got);
		if (response->err != 0)
			return response->err;
	}
}

static int
ask(const struct spamcheck *c, int64_t size, struct buf *response)
{
	int fd = -1;
	int r = endpoint_connect(&c->server, c->deadline_ms, &fd);

	if (r == 0)
		r = send_head(c, fd, size);
	if (r == 0)
		r = send_message(c, fd, size);
	if (r == 0)
		r = receive(c, fd, response);
	io_close(&fd);
	return r;
}

static void
report(const struct spamcheck *c, const struct spamd_result *result,
    struct strv tests)
{
	struct buf out = BUF_INIT;

	buf_addf(
	    &out, "HX-Spam-Status: %s, score=", result->is_spam ? "Yes" : "No");
	spamd_add_score(&out, result->score);
	buf_add_str(&out, " required=");
	spamd_add_score(&out, result->required);
	if (tests.len > 0)
		buf_addf(&out, " tests=" STRV_FMT, STRV_ARG(tests));
	buf_add_char(&out, '\n');
	if (result->is_spam)
		buf_add_str(&out, "HX-Spam-Flag: YES\n");
	if (c->rejects && result->score >= c->limit) {
		buf_add_str(&out, "E554 5.7.1 this message looks like spam, "
				  "score ");
		spamd_add_score(&out, result->score);
		buf_add_char(&out, '\n');
	}
	if (out.err != 0 || io_write_all(STDOUT_FILENO, out.data, out.len) != 0)
		die_errno(EX_TEMPORARY, "unable to write");
	buf_free(&out);
}

static void
fail(const struct spamcheck *c, const char *why)
{
	static const char later[] =
	    "E451 4.7.0 unable to check this message, try again later\n";

	warn("%s", why);
	if (c->closed)
		(void)io_write_all(STDOUT_FILENO, later, sizeof(later) - 1);
}

static void
check(const struct spamcheck *c, int64_t size)
{
	struct buf response = BUF_LIMIT(SPAMD_RESPONSE_MAX);
	struct buf tests = BUF_LIMIT(SPAMD_TESTS_MAX);
	struct spamd_result result;
	int r = ask(c, size, &response);

	if (r != 0)
		fail(c, error_result_text(r));
	else if (spamd_parse(buf_view(&response), &result, &tests) != 0)
		fail(c, "no answer that could be used");
	else
		report(c, &result, buf_view(&tests));
	buf_free(&response);
	buf_free(&tests);
}

int
main(int argc, char **argv)
{
	struct spamcheck c = { .size_max = SIZE_MAX_DEFAULT,
		.seconds = SECONDS_DEFAULT };
	struct options o;
	struct stat st;
	int letter;

	program_begin(&program);
	options_init(&o, argc, argv, "cr:s:t:u:");
	while ((letter = options_next(&o)) != -1)
		take_option(&c, letter, o.arg);
	if (o.index != argc - 1)
		die(MISUSE, "usage: %s", usage);
	if (endpoint_parse(strv_of(argv[o.index]), &c.server) != 0)
		die(MISUSE, "%s: neither ip:port nor a path", argv[o.index]);
	if (fstat(STDIN_FILENO, &st) < 0 || !S_ISREG(st.st_mode))
		die(MISUSE, "descriptor 0 is no file: at [content] it is "
			    "the message");
	c.deadline_ms = clock_deadline((int64_t)c.seconds);
	if ((uint64_t)st.st_size <= c.size_max)
		check(&c, (int64_t)st.st_size);
	return 0;
}
