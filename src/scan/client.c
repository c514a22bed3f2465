/* A connection of qmail-scand; see the header. */
#include "scan/client.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/io.h"
#include "scan/front.h"
#include "scan/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_BYTES = 65536, DEFER_MS = 1000 };

void
client_begin(struct client *c, int fd, int64_t size_max)
{
	*c = (struct client){ .state = CLIENT_COMMAND,
		.fd = fd,
		.file = -1,
		.deadline_ms = clock_deadline(COMMAND_SECONDS),
		.size_max = size_max };
}

void
client_end(struct client *c)
{
	io_close(&c->fd);
	io_close(&c->file);
	c->state = CLIENT_NONE;
}

void
client_answer(struct client *c, struct strv text)
{
	struct buf reply = BUF_LIMIT(CLAMD_REPLY_MAX * 2);

	buf_add_view(&reply, text);
	buf_add_char(&reply, c->terminator);
	/* Few bytes for a socket that has had none: they go or nobody reads. */
	if (reply.err != 0 ||
	    send(c->fd, reply.data, reply.len, MSG_NOSIGNAL | MSG_DONTWAIT) !=
		(ssize_t)reply.len ||
	    shutdown(c->fd, SHUT_WR) < 0)
		client_end(c);
	else
		c->state = CLIENT_CLOSING;
	buf_free(&reply);
	io_close(&c->file);
	c->deadline_ms = clock_mono_ms() + CLOSING_MS;
}

/* A file without a name, where messages of any size may be. */
static int
open_file(void)
{
	int fd = open(SCAN_DIRECTORY, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR))
		fd = memfd_create("message", MFD_CLOEXEC);
	return fd;
}

/* Bytes of the stream; what is wrong with them has been answered. */
static void
hear_stream(struct client *c, struct strv input)
{
	while (input.len > 0 && !c->stream.done) {
		struct strv data;

		clamd_stream_take(&c->stream, &input, &data);
		c->size += (int64_t)data.len;
		if (c->size > c->size_max) {
			client_answer(
			    c, STRV("INSTREAM size limit exceeded. ERROR"));
			return;
		}
		if (io_write_all(c->file, data.ptr, data.len) != 0) {
			client_answer(
			    c, STRV("unable to write to a file ERROR"));
			return;
		}
	}
	c->deadline_ms = clock_deadline(STREAM_SECONDS);
}

static enum clamd_command
end_of_stream(struct client *c)
{
	if (c->state != CLIENT_STREAM || !c->stream.done)
		return CLAMD_UNKNOWN;
	c->state = CLIENT_WAITING;
	return CLAMD_INSTREAM;
}

/* A command in what has come so far. */
static enum clamd_command
hear_command(struct client *c, struct strv input)
{
	enum clamd_command command = CLAMD_UNKNOWN;
	char terminator = '\n';
	size_t used = 0;
	int r = clamd_command_parse(input, &command, &terminator, &used);

	if (r == QE_EOF && input.len <= sizeof(c->command)) {
		memmove(c->command, input.ptr, input.len);
		c->len = input.len;
		return CLAMD_UNKNOWN;
	}
	c->terminator = terminator;
	if (r != 0 || command == CLAMD_UNKNOWN) {
		client_answer(c, STRV("UNKNOWN COMMAND"));
		return CLAMD_UNKNOWN;
	}
	if (command != CLAMD_INSTREAM)
		return command;
	c->file = open_file();
	if (c->file < 0) {
		client_answer(c, STRV("unable to make a file ERROR"));
		return CLAMD_UNKNOWN;
	}
	c->state = CLIENT_STREAM;
	hear_stream(c, strv_skip(input, used));
	return end_of_stream(c);
}

enum clamd_command
client_hear(struct client *c)
{
	char input[sizeof(c->command) + READ_BYTES];
	ssize_t got;

	if (c->len > 0)
		memcpy(input, c->command, c->len);
	got = recv(c->fd, input + c->len, READ_BYTES, MSG_DONTWAIT);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return CLAMD_UNKNOWN;
	if (got <= 0) {
		client_end(c);
		return CLAMD_UNKNOWN;
	}
	if (c->state == CLIENT_COMMAND) {
		got += (ssize_t)c->len;
		c->len = 0;
		return hear_command(c, strv_from(input, (size_t)got));
	}
	if (c->state != CLIENT_STREAM)
		return CLAMD_UNKNOWN; /* nobody asked for that */
	hear_stream(c, strv_from(input, (size_t)got));
	return end_of_stream(c);
}
