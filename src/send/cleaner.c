/*
 * The client of qmail-clean: requests go out without waiting, answers come
 * back in the same order, one byte each.
 */
#include "base/error.h"
#include "base/io.h"
#include "send/send.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	CLEAN_REQUESTS_MAX = 1 << 26, /* bytes; two million messages */
	CLEAN_REPLIES = 4096,
	CLEAN_TEXT_MAX = 32,
	CLEAN_FIRST = 64
};

void
cleaner_open(struct cleaner *c, int requests_fd, int replies_fd)
{
	*c = (struct cleaner){ .replies_fd = replies_fd };
	outpipe_init(&c->requests, requests_fd, CLEAN_REQUESTS_MAX);
}

static bool
ring_grow(struct cleaner *c)
{
	size_t cap = c->cap == 0 ? CLEAN_FIRST : c->cap * 2;
	struct clean_request *waiting = calloc(cap, sizeof(*waiting));

	if (waiting == NULL)
		return false;
	for (size_t i = 0; i < c->count; i++)
		waiting[i] = c->waiting[(c->head + i) & (c->cap - 1)];
	free(c->waiting);
	c->waiting = waiting;
	c->head = 0;
	c->cap = cap;
	return true;
}

static void
request_text(const struct clean_request *r, char text[CLEAN_TEXT_MAX])
{
	snprintf(text, CLEAN_TEXT_MAX, "%s/%ju",
	    r->kind == CLEAN_TODO ? "todo" : "foop", (uintmax_t)r->id);
}

static bool
ask(struct cleaner *c, const struct clean_request *r)
{
	size_t mark = c->requests.data.len;
	char text[CLEAN_TEXT_MAX];

	if (c->count == c->cap && !ring_grow(c))
		return false;
	request_text(r, text);
	buf_add_str(&c->requests.data, text);
	buf_add_char(&c->requests.data, '\0');
	if (!outpipe_keep(&c->requests, mark))
		return false;
	c->waiting[(c->head + c->count++) & (c->cap - 1)] = *r;
	return true;
}

void
cleaner_ask(struct send *s, enum clean_kind kind, uint64_t id)
{
	struct clean_request request = { id, kind };

	if (s->cleaner.lost)
		return;
	while (!ask(&s->cleaner, &request))
		send_sleep_nomem(s);
}

bool
cleaner_has(const struct send *s, uint64_t id)
{
	const struct cleaner *c = &s->cleaner;

	for (size_t i = 0; i < c->count; i++)
		if (c->waiting[(c->head + i) & (c->cap - 1)].id == id)
			return true;
	return false;
}

static void
answered(struct send *s, char reply)
{
	struct cleaner *c = &s->cleaner;
	struct clean_request r = c->waiting[c->head];
	char text[CLEAN_TEXT_MAX];

	c->head = (c->head + 1) & (c->cap - 1);
	c->count--;
	if (reply != '+') {
		request_text(&r, text);
		slog_warn_file(
		    &s->log, "qmail-clean unable to clean up", text, "");
	}
	if (r.kind == CLEAN_TODO)
		message_todo_cleaned(s, r.id, reply == '+');
}

void
cleaner_read(struct send *s)
{
	struct cleaner *c = &s->cleaner;
	char replies[CLEAN_REPLIES];
	ssize_t got = io_read(c->replies_fd, replies, sizeof(replies));

	if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return;
	if (got <= 0) {
		c->lost = true;
		send_lose_helper(s, "qmail-clean");
		return;
	}
	/* An answer to nothing is no answer. */
	for (ssize_t i = 0; i < got && c->count > 0; i++)
		answered(s, replies[i]);
}
