/*
 * The records of queue files: a letter, text, a NUL (qmail-queue(5)).
 * One codec for intd, todo, info, local and remote.
 */
#include "base/error.h"
#include "spool/queue.h"

int
record_next(struct strv *rest, char *letter, struct strv *text)
{
	size_t end;

	if (rest->len == 0)
		return QE_EOF;
	end = strv_find(*rest, '\0');
	if (end == STRV_NPOS)
		return QE_SYNTAX;
	*letter = rest->ptr[0];
	*text = end == 0 ? STRV_EMPTY : strv_from(rest->ptr + 1, end - 1);
	*rest = strv_skip(*rest, end + 1);
	return 0;
}

void
record_add(struct buf *out, char letter, struct strv text)
{
	buf_add_char(out, letter);
	buf_add_view(out, text);
	buf_add_char(out, '\0');
}

void
envelope_add_origin(struct buf *out, uint64_t uid, uint64_t pid)
{
	buf_add_char(out, 'u');
	buf_add_u64(out, uid);
	buf_add_char(out, '\0');
	buf_add_char(out, 'p');
	buf_add_u64(out, pid);
	buf_add_char(out, '\0');
}

/*
 * Recipients stay a view of the file as long as they stand together; the
 * first one that stands apart moves them all to scratch.
 */
struct gathering {
	struct buf *scratch;
	struct strv view;
	bool scattered;
};

static int
gather(struct gathering *g, const char *start, size_t len)
{
	if (!g->scattered && g->view.len == 0) {
		g->view = strv_from(start, len);
		return 0;
	}
	if (!g->scattered && g->view.ptr + g->view.len == start) {
		g->view.len += len;
		return 0;
	}
	if (!g->scattered) {
		buf_reset(g->scratch);
		buf_add_view(g->scratch, g->view);
		g->scattered = true;
	}
	buf_add(g->scratch, start, len);
	return g->scratch->err;
}

/* A second sender makes the file ambiguous: it is refused as damaged. */
static int
take_record(struct envelope *e, struct gathering *g, bool *has_sender,
    char letter, struct strv text)
{
	switch (letter) {
	case 'u':
		return strv_to_u64(text, UINT64_MAX, &e->uid) == 0 ? 0
								   : QE_SYNTAX;
	case 'p':
		return strv_to_u64(text, UINT64_MAX, &e->pid) == 0 ? 0
								   : QE_SYNTAX;
	case 'F':
		if (*has_sender)
			return QE_SYNTAX;
		*has_sender = true;
		e->sender = text;
		return 0;
	case 'T':
		return gather(g, text.ptr - 1, text.len + 2);
	default:
		return QE_SYNTAX;
	}
}

int
envelope_parse(struct strv bytes, struct buf *scratch, struct envelope *out)
{
	struct envelope e = { .sender = STRV_EMPTY };
	struct gathering g = { .scratch = scratch, .view = STRV_EMPTY };
	struct strv rest = bytes, text;
	bool has_sender = false;
	char letter;
	int r;

	while ((r = record_next(&rest, &letter, &text)) == 0) {
		r = take_record(&e, &g, &has_sender, letter, text);
		if (r != 0)
			return r;
	}
	if (r != QE_EOF || !has_sender)
		return QE_SYNTAX;
	e.recipients = g.scattered ? buf_view(scratch) : g.view;
	*out = e;
	return 0;
}
