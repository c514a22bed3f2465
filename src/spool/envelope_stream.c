/* The envelope on its way into qmail-queue (qmail-queue(8)). */
#include "spool/envelope_stream.h"
#include "base/error.h"
#include "spool/queue.h"

/* The byte at the start of a record. */
static int
take_letter(struct envelope_stream *e, char letter)
{
	if (letter == '\0' && e->has_sender) {
		e->complete = true;
		return 0;
	}
	if (letter != (e->has_sender ? 'T' : 'F'))
		return QE_SYNTAX;
	e->in_address = e->has_sender = true;
	e->address = 0;
	return 0;
}

/* As much of the address as there is; *taken counts its NUL, too. */
static int
take_address(struct envelope_stream *e, struct strv bytes, size_t *taken)
{
	size_t end = strv_find(bytes, '\0');
	struct strv part = strv_head(bytes, end);

	if (part.len > ADDRESS_MAX - e->address)
		return QE_LIMIT;
	if (strv_find(part, '\n') != STRV_NPOS ||
	    strv_find(part, '\r') != STRV_NPOS)
		return QE_SYNTAX;
	e->address += part.len;
	e->in_address = end == STRV_NPOS;
	*taken = part.len + (e->in_address ? 0 : 1);
	return 0;
}

int
envelope_stream_feed(struct envelope_stream *e, struct strv bytes, size_t *used)
{
	size_t done = 0;
	int r;

	while (done < bytes.len && !e->complete) {
		size_t taken = 1;

		if (e->in_address)
			r = take_address(e, strv_skip(bytes, done), &taken);
		else
			r = take_letter(e, bytes.ptr[done]);
		if (r != 0)
			return r;
		if (!e->complete)
			done += taken;
	}
	*used = done;
	return 0;
}
