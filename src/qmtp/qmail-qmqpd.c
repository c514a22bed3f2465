/*
 * qmail-qmqpd(8): takes one message by QMQP on descriptors 0 and 1, under
 * tcpserver, for hosts that have no queue of their own.
 *
 * Runs as qmaild.  Whoever can connect can send anywhere: tcpserver's rules
 * decide who can.  Messages go through $QMAILQUEUE or qmail-queue.
 */
#include "base/error.h"
#include "base/exitcode.h"
#include "base/program.h"
#include "qmtp/parcel.h"

#include <unistd.h>

struct server {
	struct wire wire;
	struct parcel parcel;
	bool good_addresses;
	struct buf address;
};

static int
take_message(struct server *s)
{
	uint64_t length;
	int r = wire_length(&s->wire, &length);

	if (r == 0)
		r = parcel_receive(&s->parcel, &s->wire, length, PARCEL_LF);
	return r == 0 ? wire_comma(&s->wire) : r;
}

/* After a bad address nothing is worth sending on. */
static bool
take_address(struct server *s, int *r)
{
	*r = wire_text(&s->wire, &s->address);
	if (*r != 0)
		return false;
	if (!parcel_is_address(&s->address)) {
		s->good_addresses = false;
		parcel_abort(&s->parcel);
	}
	return s->parcel.submitting;
}

static int
take_all(struct server *s)
{
	int r = take_message(s);

	if (r == 0 && take_address(s, &r))
		submit_sender(&s->parcel.submit, buf_view(&s->address));
	while (r == 0 && s->wire.box > 0)
		if (take_address(s, &r))
			submit_recipient(
			    &s->parcel.submit, buf_view(&s->address));
	return r == 0 ? wire_leave(&s->wire) : r;
}

static int
serve(struct server *s)
{
	struct buf reply = BUF_LIMIT(PARCEL_REPLY_MAX);
	uint64_t length;
	int r = wire_length(&s->wire, &length);

	if (r != 0)
		return r;
	wire_enter(&s->wire, length);
	if (parcel_open(&s->parcel, &s->wire, "QMQP", 0) != 0)
		return QE_SYS;
	r = take_all(s);
	if (r != 0)
		return r == QE_EOF ? QE_SYNTAX : r;
	if (s->good_addresses)
		parcel_close(&s->parcel, &s->wire, &reply);
	else
		buf_add_str(&reply,
		    "Dsorry, I can't accept addresses like that (#5.1.3)");
	r = wire_say(&s->wire, buf_view(&reply));
	buf_free(&reply);
	return r == 0 ? sink_flush(&s->wire.out) : r;
}

int
main(void)
{
	static const struct program program = { .name = "qmail-qmqpd",
		.flags = PROGRAM_HOME | PROGRAM_FD0 | PROGRAM_FD1,
		.umask = 022 };
	static struct server server;
	int r;

	program_begin(&program);
	server.address = (struct buf)BUF_LIMIT(PARCEL_ADDRESS_MAX);
	server.good_addresses = true;
	wire_init(&server.wire, STDIN_FILENO, STDOUT_FILENO);
	r = serve(&server);
	parcel_free(&server.parcel);
	if (r == 0 || r == QE_EOF)
		return EX_SUCCESS;
	return r == QE_SYNTAX ? EX_PERMANENT : EX_TEMPORARY;
}
