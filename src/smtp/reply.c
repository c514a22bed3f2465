/*
 * Replies: made by handlers, printed here and nowhere else; and the client's
 * bounded reader of other hosts' replies.
 */
#include "smtp/reply.h"
#include "base/error.h"
#include "smtp/line.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct reply
reply_make(int code, const char *enhanced, const char *text)
{
	struct reply reply = { .code = code, .enhanced = enhanced };
	struct strv fits = strv_head(strv_of(text), sizeof(reply.text) - 1);

	memcpy(reply.text, fits.ptr, fits.len);
	return reply;
}

struct reply
reply_makef(int code, const char *enhanced, const char *format, ...)
{
	struct reply reply = { .code = code, .enhanced = enhanced };
	va_list args;

	va_start(args, format);
	vsnprintf(reply.text, sizeof(reply.text), format, args);
	va_end(args);
	return reply;
}

static bool
is_control(char c)
{
	return ((unsigned char)c < ' ' && c != '\t') || c == 127;
}

/* No byte of a text may end the line or play with a terminal. */
static void
add_text(struct buf *out, struct strv text)
{
	char *to = buf_reserve(out, text.len);

	if (to == NULL)
		return;
	for (size_t i = 0; i < text.len; i++)
		to[i] = is_control(text.ptr[i]) ? '?' : text.ptr[i];
	out->len += text.len;
}

/* Three digits (RFC 5321 4.2.1). */
static void
add_code(struct buf *out, int code, char behind)
{
	const char text[] = { (char)('0' + code / 100 % 10),
		(char)('0' + code / 10 % 10), (char)('0' + code % 10), behind };

	buf_add_view(out, strv_from(text, sizeof(text)));
}

void
reply_add(struct buf *out, const struct reply *reply)
{
	add_code(out, reply->code, ' ');
	if (reply->enhanced != NULL) {
		buf_add_str(out, reply->enhanced);
		buf_add_char(out, ' ');
	}
	add_text(out, strv_of(reply->text));
	buf_add_str(out, "\r\n");
}

void
reply_add_line(struct buf *out, int code, struct strv text, bool last)
{
	add_code(out, code, last ? ' ' : '-');
	add_text(out, text);
	buf_add_str(out, "\r\n");
}

/* The code of a line and whether more lines follow: 0 or QE_SYNTAX. */
static int
parse_line(struct strv line, int *code, bool *more)
{
	uint64_t value;

	if (line.len < 3 || line.ptr[0] < '2' || line.ptr[0] > '5' ||
	    strv_to_u64(strv_head(line, 3), 599, &value) != 0)
		return QE_SYNTAX;
	if (line.len > 3 && ascii_is_digit(line.ptr[3]))
		return QE_SYNTAX;
	*code = (int)value;
	*more = line.len > 3 && line.ptr[3] == '-';
	return 0;
}

/* Keeps what the ceiling allows; the last byte kept is always an LF. */
static void
keep_line(struct buf *text, struct strv line)
{
	size_t max = text->max == 0 || text->max > REPLY_READ_MAX
			 ? REPLY_READ_MAX
			 : text->max;

	if (text->len >= max - 1)
		return;
	for (size_t i = 0; i < line.len; i++) {
		if (text->len >= max - 1)
			break;
		if (line.ptr[i] != '\r')
			buf_add_char(
			    text, line.ptr[i] == '\0' ? '?' : line.ptr[i]);
	}
	buf_add_char(text, '\n');
}

int
reply_read(struct source *in, int64_t deadline_ms, int *code, struct buf *text)
{
	struct buf line = BUF_LIMIT(REPLY_LINE_MAX);
	size_t left = REPLY_BYTES_MAX;
	bool more = true;
	int lines = 0;
	int value = 0;
	int r = 0;

	buf_reset(text);
	while (r == 0 && more) {
		unsigned flaws;

		r = ++lines > REPLY_LINES_MAX
			? QE_LIMIT
			: line_read_within(
			      in, deadline_ms, &line, &flaws, &left);
		if (r == 0)
			r = parse_line(buf_view(&line), &value, &more);
		if (r == 0)
			keep_line(text, buf_view(&line));
		if (r == 0)
			r = text->err;
	}
	buf_free(&line);
	if (r == 0)
		*code = value;
	return r;
}
