/*
 * qmail-qmtpd(8): takes mail by QMTP on descriptors 0 and 1, under tcpserver.
 *
 * Runs as qmaild.  Reads control/rcpthosts, morercpthosts.cdb and databytes;
 * what it takes goes through $QMAILQUEUE or qmail-queue.  Its memory does not
 * grow with messages or addresses, but by a byte for each recipient.
 */
#include "base/die.h"
#include "base/env.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/program.h"
#include "conf/hosts.h"
#include "mail/address.h"
#include "qmtp/parcel.h"

#include <unistd.h>

enum { SUFFIX_MAX = 1000 }; /* bytes of $RELAYCLIENT */

/* What becomes of a recipient; letters of struct delivery's verdicts. */
enum {
	VERDICT_TAKEN = 't',
	VERDICT_NO_ADDRESS = 'a',
	VERDICT_NO_HOST = 'h',
	VERDICT_UNKNOWN = 'u'
};

struct server {
	struct wire wire;
	struct rcpthosts *hosts;
	const char *relay; /* appended to recipients; NULL: no relaying */
	int64_t size_max;
	struct parcel parcel;
	bool good_sender;
	struct buf address, verdicts;
	size_t taken;
};

/* Ends the session; a client in order gets what is left to be said. */
static _Noreturn void
leave(struct server *s, int r)
{
	parcel_free(&s->parcel);
	if (r == QE_EOF && sink_flush(&s->wire.out) == 0)
		_exit(EX_SUCCESS);
	_exit(r == QE_SYNTAX ? EX_PERMANENT : EX_TEMPORARY);
}

static char
judge(struct server *s)
{
	int r;

	if (!parcel_is_address(&s->address))
		return VERDICT_NO_ADDRESS;
	if (s->relay != NULL)
		return VERDICT_TAKEN;
	r = rcpthosts_find(s->hosts, address_domain(buf_view(&s->address)));
	if (r == 0)
		return VERDICT_TAKEN;
	return r == QE_ABSENT ? VERDICT_NO_HOST : VERDICT_UNKNOWN;
}

/* False if the address has become too long. */
static bool
append_relay(struct server *s)
{
	if (s->relay == NULL)
		return true;
	s->address.max = PARCEL_ADDRESS_MAX + SUFFIX_MAX;
	buf_add_str(&s->address, s->relay);
	s->address.max = PARCEL_ADDRESS_MAX;
	return s->address.err == 0;
}

static void
take_recipient(struct server *s)
{
	char verdict = judge(s);

	if (verdict == VERDICT_TAKEN && !append_relay(s))
		verdict = VERDICT_NO_ADDRESS;
	buf_add_char(&s->verdicts, verdict);
	if (verdict != VERDICT_TAKEN || !s->good_sender)
		return;
	s->taken++;
	if (s->parcel.submitting)
		submit_recipient(&s->parcel.submit, buf_view(&s->address));
}

static int
take_envelope(struct server *s)
{
	uint64_t length;
	int r = wire_text(&s->wire, &s->address);

	s->good_sender = r == 0 && parcel_is_address(&s->address);
	if (s->good_sender && s->parcel.submitting)
		submit_sender(&s->parcel.submit, buf_view(&s->address));
	if (r == 0)
		r = wire_length(&s->wire, &length);
	if (r != 0)
		return r;
	wire_enter(&s->wire, length);
	while (r == 0 && s->wire.box > 0) {
		r = wire_text(&s->wire, &s->address);
		if (r == 0)
			take_recipient(s);
		if (s->verdicts.err != 0)
			return QE_LIMIT;
	}
	return r == 0 ? wire_leave(&s->wire) : r;
}

static int
take_message(struct server *s, uint64_t length)
{
	struct strv first;
	int r;

	if (length == 0)
		return QE_SYNTAX;
	r = wire_piece(&s->wire, 1, &first);
	if (r != 0)
		return r;
	if (first.ptr[0] != '\n' && first.ptr[0] != '\r')
		return QE_SYNTAX;
	r = parcel_receive(&s->parcel, &s->wire, length - 1,
	    first.ptr[0] == '\r' ? PARCEL_CRLF : PARCEL_LF);
	return r == 0 ? wire_comma(&s->wire) : r;
}

static struct strv
reply_of(const struct server *s, char verdict, struct strv queued)
{
	switch (verdict) {
	case VERDICT_NO_ADDRESS:
		return STRV("Dsorry, I can't handle that recipient (#5.1.3)");
	case VERDICT_NO_HOST:
		return STRV("Dsorry, that domain isn't in my list of allowed "
			    "rcpthosts (#5.7.1)");
	case VERDICT_UNKNOWN:
		return STRV("Zsorry, I can't read my list of allowed "
			    "rcpthosts (#4.3.0)");
	}
	if (!s->good_sender)
		return STRV("Dunacceptable sender (#5.1.7)");
	if (s->parcel.too_large)
		return STRV("Dsorry, that message size exceeds my databytes "
			    "limit (#5.3.4)");
	return queued;
}

static int
answer(struct server *s)
{
	struct buf queued = BUF_LIMIT(PARCEL_REPLY_MAX);
	int r = 0;

	if (s->taken > 0 && s->parcel.submitting)
		parcel_close(&s->parcel, &s->wire, &queued);
	else
		parcel_abort(&s->parcel);
	for (size_t i = 0; r == 0 && i < s->verdicts.len; i++)
		r = wire_say(&s->wire,
		    reply_of(s, s->verdicts.data[i], buf_view(&queued)));
	buf_free(&queued);
	return r;
}

static int
serve_one(struct server *s)
{
	uint64_t length;
	int r = wire_length(&s->wire, &length);

	if (r != 0)
		return r;
	s->taken = 0;
	buf_reset(&s->verdicts);
	if (parcel_open(&s->parcel, &s->wire, "QMTP", (uint64_t)s->size_max) !=
	    0)
		return QE_SYS;
	r = take_message(s, length);
	if (r == 0)
		r = take_envelope(s);
	if (r == 0)
		r = answer(s);
	else if (r == QE_EOF)
		r = QE_SYNTAX; /* not between two messages */
	parcel_free(&s->parcel);
	return r;
}

static void
set_up(struct server *s)
{
	struct control_error err;
	const char *relay = env_get("RELAYCLIENT");

	if (control_int(CTL_DATABYTES, &s->size_max, &err) != 0)
		die(EX_TEMPORARY, "%s", err.text);
	/* As in qmail-smtpd: one blank means "yes, and append nothing". */
	if (relay != NULL && strv_trim_blanks(strv_of(relay)).len == 0)
		relay = "";
	s->relay = relay;
	if (relay == NULL && rcpthosts_open(&s->hosts, &err) != 0)
		die(EX_TEMPORARY, "%s", err.text);
	s->address = (struct buf)BUF_LIMIT(PARCEL_ADDRESS_MAX);
	s->verdicts = (struct buf)BUF_LIMIT(PARCEL_RECIPIENTS_MAX);
	wire_init(&s->wire, STDIN_FILENO, STDOUT_FILENO);
}

int
main(void)
{
	static const struct program program = { .name = "qmail-qmtpd",
		.flags = PROGRAM_HOME | PROGRAM_FD0 | PROGRAM_FD1,
		.umask = 022 };
	static struct server server;
	int r;

	program_begin(&program);
	set_up(&server);
	do
		r = serve_one(&server);
	while (r == 0);
	leave(&server, r);
}
