/* From the wire to qmail-queue; see the header. */
#include "qmtp/parcel.h"
#include "base/clock.h"
#include "base/env.h"
#include "base/error.h"
#include "mail/address.h"
#include "mail/received.h"

static struct strv
environment(const char *name)
{
	return strv_of(env_get(name));
}

int
parcel_open(
    struct parcel *p, struct wire *w, const char *protocol, uint64_t size_max)
{
	struct strv local = environment("TCPLOCALHOST");
	const struct received received = {
		.remote_host = environment("TCPREMOTEHOST"),
		.remote_ip = environment("TCPREMOTEIP"),
		.remote_info = environment("TCPREMOTEINFO"),
		.local_host = local.len > 0 ? local : environment("TCPLOCALIP"),
		.protocol = strv_of(protocol),
		.time = clock_wall(),
	};

	p->after_cr = p->too_large = false;
	p->size = 0;
	p->size_max = size_max;
	p->block = (struct buf)BUF_LIMIT(2 * WIRE_BUFFER);
	if (submit_open_group(&p->submit) != 0)
		return QE_SYS;
	p->submitting = true;
	p->submit.deadline_ms = w->end_ms;
	received_add(&p->block, &received);
	submit_message(&p->submit, buf_view(&p->block));
	return 0;
}

/* What would be refused need not fill the disk. */
static void
keep(struct parcel *p, struct strv bytes)
{
	p->size += bytes.len;
	if (p->size_max != 0 && p->size > p->size_max) {
		p->too_large = true;
		parcel_abort(p);
	}
	if (p->submitting)
		submit_message(&p->submit, bytes);
}

/* CR LF becomes LF; a CR that stands alone stays. */
static struct strv
unix_lines(struct parcel *p, struct strv bytes)
{
	buf_reset(&p->block);
	for (size_t i = 0; i < bytes.len; i++) {
		char c = bytes.ptr[i];

		if (p->after_cr && c != '\n')
			buf_add_char(&p->block, '\r');
		p->after_cr = c == '\r';
		if (!p->after_cr)
			buf_add_char(&p->block, c);
	}
	return buf_view(&p->block);
}

int
parcel_receive(
    struct parcel *p, struct wire *w, uint64_t length, enum parcel_lines lines)
{
	while (length > 0) {
		struct strv piece;
		int r = wire_piece(w, length, &piece);

		if (r != 0)
			return r;
		length -= piece.len;
		keep(p, lines == PARCEL_CRLF ? unix_lines(p, piece) : piece);
		if (p->block.err != 0)
			return p->block.err;
	}
	if (p->after_cr)
		keep(p, STRV("\r"));
	return 0;
}

bool
parcel_is_address(const struct buf *address)
{
	return address->err == 0 && !address_is_poisoned(buf_view(address));
}

void
parcel_abort(struct parcel *p)
{
	if (p->submitting)
		submit_abort(&p->submit);
	p->submitting = false;
}

void
parcel_close(struct parcel *p, struct wire *w, struct buf *reply)
{
	struct submit_result result = { .ok = false };

	submit_close(&p->submit, w->end_ms, &result);
	p->submitting = false;
	if (result.ok)
		buf_addf(reply, "Kok %lld qp %ld", (long long)clock_wall(),
		    (long)p->submit.pid);
	else
		buf_addf(
		    reply, "%c%s", result.permanent ? 'D' : 'Z', result.text);
}

void
parcel_free(struct parcel *p)
{
	parcel_abort(p);
	buf_free(&p->block);
}
