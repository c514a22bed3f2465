/*
 * The request reader: one request at a time, every field with a ceiling,
 * whatever arrives.
 */
#include "send/spawner_request.h"
#include "base/error.h"

enum { FIELD_ID, FIELD_SENDER, FIELD_RECIPIENT, FIELD_END };

void
spawner_request_init(struct spawner_request *r, unsigned number_bytes)
{
	*r = (struct spawner_request){ .number_bytes = number_bytes,
		.id = BUF_LIMIT(SPAWNER_ID_MAX),
		.sender = BUF_LIMIT(SPAWNER_ADDRESS_MAX),
		.recipient = BUF_LIMIT(SPAWNER_ADDRESS_MAX) };
}

void
spawner_request_reset(struct spawner_request *r)
{
	r->number = r->number_have = 0;
	r->field = FIELD_ID;
	buf_reset(&r->id);
	buf_reset(&r->sender);
	buf_reset(&r->recipient);
}

void
spawner_request_clear(struct spawner_request *r)
{
	buf_free(&r->id);
	buf_free(&r->sender);
	buf_free(&r->recipient);
}

bool
spawner_request_feed(struct spawner_request *r, struct strv *in)
{
	struct buf *const fields[FIELD_END] = { &r->id, &r->sender,
		&r->recipient };

	for (; in->len > 0 && r->number_have < r->number_bytes;
	     r->number_have++) {
		unsigned byte = (unsigned char)in->ptr[0];

		r->number |= byte << (8 * r->number_have);
		*in = strv_skip(*in, 1);
	}
	while (in->len > 0 && r->field < FIELD_END) {
		struct buf *field = fields[r->field];
		bool ended;

		buf_add_view(field, strv_cut(in, '\0', &ended));
		if (ended)
			r->field++;
	}
	return r->field == FIELD_END;
}

const char *
spawner_request_flaw(const struct spawner_request *r)
{
	struct strv id = buf_view(&r->id);

	if (r->sender.err != 0 || r->recipient.err != 0 ||
	    r->id.err == QE_NOMEM)
		return "Zqmail-spawn out of memory. (#4.3.0)\n";
	for (size_t i = 0; i < id.len; i++)
		if (!ascii_is_digit(id.ptr[i]) && id.ptr[i] != '/')
			return "DInternal error: messid has nonnumerics. "
			       "(#5.3.5)\n";
	if (r->id.err != 0)
		return "DInternal error: messid too long. (#5.3.5)\n";
	if (id.len == 0)
		return "DInternal error: messid too short. (#5.3.5)\n";
	/* Digits and slashes could still lead out of the queue. */
	if (id.ptr[0] == '/')
		return "DInternal error: messid has nonnumerics. (#5.3.5)\n";
	if (strv_find(buf_view(&r->recipient), '@') == STRV_NPOS)
		return "DSorry, address must include host name. (#5.1.3)\n";
	return NULL;
}
