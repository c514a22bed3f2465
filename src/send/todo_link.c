/*
 * Codec of the pipes between qmail-send and qmail-todo; see the header.
 *
 * Length: 4 bytes, little-endian, of what follows.  Then the type byte and
 * the fields of that type in a fixed order; numbers are 8 bytes, texts have
 * their length in 4 bytes before them.
 */
#include "send/todo_link.h"
#include "base/error.h"

#include <string.h>

enum {
	LENGTH_BYTES = 4,
	NUMBER_BYTES = 8,
	/* Fields. */
	F_ID = 1,
	F_ORIGIN = 2, /* size, uid, qp */
	F_BIRTH = 4,
	F_COUNT = 8,
	F_TEXT = 16,
	F_RECIPIENTS = 32
};

static const unsigned char fields_of[] = {
	[LINK_GRANT] = F_COUNT,
	[LINK_RELEASE] = F_ID,
	[LINK_WRITE] = F_ID | F_BIRTH | F_TEXT | F_RECIPIENTS,
	[LINK_REREAD] = 0,
	[LINK_STOP] = 0,
	[LINK_FRESH] = F_ID | F_ORIGIN | F_BIRTH | F_TEXT | F_RECIPIENTS,
	[LINK_QUEUED] = F_ID | F_ORIGIN | F_BIRTH | F_COUNT | F_TEXT,
	[LINK_WRITTEN] = F_ID | F_COUNT,
	[LINK_NOTE] = F_TEXT,
	[LINK_STRAY] = F_ID,
	[LINK_LOOK] = F_ID,
};

static void
put_number(struct buf *out, uint64_t n, size_t bytes)
{
	char raw[NUMBER_BYTES];

	for (size_t i = 0; i < bytes; i++)
		raw[i] = (char)(n >> (8 * i) & 0xff);
	buf_add(out, raw, bytes);
}

static void
put_text(struct buf *out, struct strv text)
{
	put_number(out, text.len, LENGTH_BYTES);
	buf_add_view(out, text);
}

static void
put_fields(struct buf *out, const struct link_message *m, unsigned fields)
{
	if ((fields & F_ID) != 0)
		put_number(out, m->id, NUMBER_BYTES);
	if ((fields & F_ORIGIN) != 0) {
		put_number(out, m->size, NUMBER_BYTES);
		put_number(out, m->uid, NUMBER_BYTES);
		put_number(out, m->qp, NUMBER_BYTES);
	}
	if ((fields & F_BIRTH) != 0)
		put_number(out, (uint64_t)m->birth, NUMBER_BYTES);
	if ((fields & F_COUNT) != 0)
		put_number(out, m->count, NUMBER_BYTES);
	if ((fields & F_TEXT) != 0)
		put_text(out, m->text);
	if ((fields & F_RECIPIENTS) == 0)
		return;
	put_number(out, m->recipient_count, 1);
	for (size_t i = 0; i < m->recipient_count; i++) {
		const struct link_recipient *r = &m->recipients[i];

		put_number(out, r->channel == CHANNEL_REMOTE, 1);
		put_number(out, r->done, 1);
		put_text(out, r->address);
	}
}

void
link_encode(struct buf *out, const struct link_message *m)
{
	size_t start = out->len;
	size_t len;

	put_number(out, 0, LENGTH_BYTES);
	put_number(out, m->type, 1);
	put_fields(out, m, fields_of[m->type]);
	if (out->err != 0)
		return;
	len = out->len - start - LENGTH_BYTES;
	if (len > LINK_MESSAGE_MAX) {
		out->err = QE_LIMIT;
		return;
	}
	for (size_t i = 0; i < LENGTH_BYTES; i++)
		out->data[start + i] = (char)(len >> (8 * i) & 0xff);
}

static int
get_number(struct strv *in, size_t bytes, uint64_t *out)
{
	uint64_t n = 0;

	if (in->len < bytes)
		return QE_SYNTAX;
	for (size_t i = bytes; i > 0; i--)
		n = n << 8 | (unsigned char)in->ptr[i - 1];
	*in = strv_skip(*in, bytes);
	*out = n;
	return 0;
}

static int
get_flag(struct strv *in, bool *out)
{
	uint64_t n;

	if (get_number(in, 1, &n) != 0 || n > 1)
		return QE_SYNTAX;
	*out = n == 1;
	return 0;
}

static int
get_text(struct strv *in, struct strv *out)
{
	uint64_t len;

	if (get_number(in, LENGTH_BYTES, &len) != 0 || len > in->len)
		return QE_SYNTAX;
	*out = strv_head(*in, (size_t)len);
	*in = strv_skip(*in, (size_t)len);
	return 0;
}

static int
get_recipients(struct strv *in, struct link_message *m)
{
	uint64_t count;

	if (get_number(in, 1, &count) != 0 || count > LINK_RECIPIENTS_MAX)
		return QE_SYNTAX;
	for (size_t i = 0; i < count; i++) {
		struct link_recipient *r = &m->recipients[i];
		bool remote;

		if (get_flag(in, &remote) != 0 || get_flag(in, &r->done) != 0 ||
		    get_text(in, &r->address) != 0)
			return QE_SYNTAX;
		r->channel = remote ? CHANNEL_REMOTE : CHANNEL_LOCAL;
	}
	m->recipient_count = (size_t)count;
	return 0;
}

static int
get_fields(struct strv *in, struct link_message *m, unsigned fields)
{
	uint64_t birth = 0;
	int r = 0;

	if ((fields & F_ID) != 0)
		r |= get_number(in, NUMBER_BYTES, &m->id);
	if ((fields & F_ORIGIN) != 0) {
		r |= get_number(in, NUMBER_BYTES, &m->size);
		r |= get_number(in, NUMBER_BYTES, &m->uid);
		r |= get_number(in, NUMBER_BYTES, &m->qp);
	}
	if ((fields & F_BIRTH) != 0)
		r |= get_number(in, NUMBER_BYTES, &birth);
	m->birth = (int64_t)birth;
	if ((fields & F_COUNT) != 0)
		r |= get_number(in, NUMBER_BYTES, &m->count);
	if ((fields & F_TEXT) != 0)
		r |= get_text(in, &m->text);
	if ((fields & F_RECIPIENTS) != 0)
		r |= get_recipients(in, m);
	return r == 0 ? 0 : QE_SYNTAX;
}

int
link_decode(struct strv in, struct link_message *m, size_t *used)
{
	uint64_t len, type;
	struct strv body;

	if (in.len < LENGTH_BYTES)
		return QE_EOF;
	if (get_number(&in, LENGTH_BYTES, &len) != 0 || len == 0 ||
	    len > LINK_MESSAGE_MAX)
		return QE_SYNTAX;
	if (in.len < len)
		return QE_EOF;
	body = strv_head(in, (size_t)len);
	if (get_number(&body, 1, &type) != 0 || type < LINK_GRANT ||
	    type > LINK_LOOK)
		return QE_SYNTAX;
	m->type = (enum link_type)type;
	m->id = m->size = m->uid = m->qp = m->count = 0;
	m->text = STRV_EMPTY;
	m->recipient_count = 0;
	if (get_fields(&body, m, fields_of[type]) != 0 || body.len != 0)
		return QE_SYNTAX;
	*used = LENGTH_BYTES + (size_t)len;
	return 0;
}
