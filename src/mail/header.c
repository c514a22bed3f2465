/*
 * Header lines: field names, and the hop count of a message that passes by
 * (RFC 5322 section 2.2).  Never holds more than the start of one line.
 */
#include "mail/header.h"

#include <string.h>

static const struct strv hop_starts[] = {
	{"received",   8},
	{ "delivered", 9},
};

enum { HOP_START_MAX = 9 }; /* bytes of the longest of them */

void
hop_counter_init(struct hop_counter *h)
{
	*h = (struct hop_counter){ 0 };
}

static void
judge_start(struct hop_counter *h)
{
	struct strv start = strv_from(h->start, h->column);

	for (size_t i = 0; i < sizeof(hop_starts) / sizeof(*hop_starts); i++)
		if (strv_eq(start, hop_starts[i]))
			h->hops++;
}

/* Takes one byte of a line's first HOP_START_MAX. */
static void
feed_start(struct hop_counter *h, char c)
{
	if (c == '\n') {
		h->in_body = h->column == 0;
		h->column = 0;
		return;
	}
	c = ascii_lower(c);
	if (h->column == 0 && c != 'r' && c != 'd') {
		h->column = HOP_START_MAX; /* the rest is of no interest */
		return;
	}
	h->start[h->column++] = c;
	judge_start(h);
}

/* Looks for the line's end only; returns how much to skip. */
static size_t
feed_rest(struct hop_counter *h, struct strv bytes)
{
	size_t end = strv_find(bytes, '\n');

	if (end == STRV_NPOS)
		return bytes.len;
	h->column = 0;
	return end + 1;
}

void
hop_counter_feed(struct hop_counter *h, struct strv bytes)
{
	size_t at = 0;

	while (at < bytes.len && !h->in_body) {
		if (h->column < HOP_START_MAX)
			feed_start(h, bytes.ptr[at++]);
		else
			at += feed_rest(h, strv_skip(bytes, at));
	}
}

static bool
is_name_byte(char c)
{
	return c > ' ' && c < 127 && c != ':';
}

/* Length of the field's name and, in *colon, where its colon stands. */
static size_t
find_field(struct strv line, size_t *colon)
{
	size_t name = 0;
	size_t at;

	while (name < line.len && is_name_byte(line.ptr[name]))
		name++;
	at = name;
	while (at < line.len && (line.ptr[at] == ' ' || line.ptr[at] == '\t'))
		at++;
	if (at == line.len || line.ptr[at] != ':')
		return 0;
	*colon = at;
	return name;
}

struct strv
header_field_name(struct strv line)
{
	size_t colon;

	return strv_head(line, find_field(line, &colon));
}

bool
header_field_is(struct strv line, struct strv name)
{
	return name.len > 0 && strv_eq_nocase(header_field_name(line), name);
}

struct strv
header_field_value(struct strv line)
{
	size_t colon;

	if (find_field(line, &colon) == 0)
		return STRV_EMPTY;
	return strv_skip(line, colon + 1);
}

static bool
is_continued(struct strv rest)
{
	return rest.len > 0 && (rest.ptr[0] == ' ' || rest.ptr[0] == '\t');
}

bool
header_next(struct strv *rest, struct strv *field)
{
	const char *start = rest->ptr;
	struct strv line = strv_cut(rest, '\n', NULL);

	if (line.len == 0)
		return false;
	while (is_continued(*rest))
		line = strv_cut(rest, '\n', NULL);
	*field = strv_from(start, (size_t)(line.ptr + line.len - start));
	return true;
}
