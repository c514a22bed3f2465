/*
 * MAIL, RCPT, DATA, the message and the final dot, with the words of the
 * report for each way this can go (qmail-remote(8)).
 *
 * A message is taken for accepted only after a 2xx to its final dot.  When the
 * connection dies between the dot and that reply nobody can know, and the
 * report says so.
 */
#include "remote/transfer.h"

#include "base/error.h"
#include "mail/address.h"
#include "smtp/dot.h"

/*
 * How far the envelope is: command 0 is MAIL, the last one DATA, and between
 * them stands one RCPT for each recipient that is still to be asked for.
 */
struct progress {
	size_t sent, answered, total;    /* commands */
	size_t next_sent, next_answered; /* indices of recipients */
	size_t accepted, deferred;       /* recipients, in this session */
};

static enum verdict
local_trouble(struct transfer *t, const char *text)
{
	t->peer->broken = true; /* we stop in the middle of something */
	report_set(t->report, 'Z', "%s", text);
	return VERDICT_FINAL;
}

static enum verdict
died(struct transfer *t, int r, const char *more)
{
	if (r == QE_NOMEM || r == QE_LIMIT)
		return local_trouble(t, "Out of memory. (#4.3.0)");
	peer_report_death(t->peer, more, t->report);
	report_add_said(&t->report->text, buf_view(&t->peer->said));
	return VERDICT_NEXT;
}

/* D for 5xx, Z for everything else that is not what was asked for. */
static enum verdict
refused(struct transfer *t, const char *before, const char *after)
{
	bool permanent = t->peer->code >= 500;

	report_set(t->report, permanent ? 'D' : 'Z', "%s%s%s", before,
	    t->peer->ip, after);
	report_add_said(&t->report->text, buf_view(&t->peer->said));
	return permanent ? VERDICT_FINAL : VERDICT_NEXT;
}

static bool
is_positive(const struct peer *s)
{
	return s->code >= 200 && s->code < 300;
}

static void
add_mail(struct transfer *t, struct buf *out)
{
	unsigned extensions = t->peer->offer.extensions;

	buf_add_str(out, "MAIL FROM:<");
	address_add_quoted(out, t->sender);
	buf_add_char(out, '>');
	if ((extensions & EHLO_SIZE) != 0) {
		buf_add_str(out, " SIZE=");
		buf_add_u64(out, t->message->wire_bytes);
	}
	if ((extensions & EHLO_8BITMIME) != 0 && t->message->eight_bit)
		buf_add_str(out, " BODY=8BITMIME");
	buf_add_str(out, "\r\n");
}

static void
add_rcpt(struct transfer *t, struct progress *p, struct buf *out)
{
	size_t i = report_pending_from(t->report, p->next_sent);

	p->next_sent = i + 1;
	buf_add_str(out, "RCPT TO:<");
	address_add_quoted(out, t->report->recipients[i].address);
	buf_add_str(out, ">\r\n");
}

static void
add_command(struct transfer *t, struct progress *p)
{
	struct buf *out = &t->peer->out;

	if (p->sent == 0)
		add_mail(t, out);
	else if (p->sent < p->total - 1)
		add_rcpt(t, p, out);
	else
		buf_add_str(out, "DATA\r\n");
	p->sent++;
}

static bool
may_send(const struct transfer *t, const struct progress *p)
{
	bool ahead = (t->peer->offer.extensions & EHLO_PIPELINING) != 0;
	size_t waiting = p->sent - p->answered;

	if (p->sent == p->total || t->peer->out.err != 0)
		return false;
	/* Not when everybody is known to be refused. */
	if (p->sent == p->total - 1 && waiting == 0 && p->accepted == 0)
		return false;
	if (!ahead)
		return waiting == 0;
	return waiting < TRANSFER_AHEAD_MAX &&
	       t->peer->out.len < TRANSFER_AHEAD_BYTES;
}

static void
take_rcpt_reply(struct transfer *t, struct progress *p)
{
	size_t i = report_pending_from(t->report, p->next_answered);
	struct recipient *recipient = &t->report->recipients[i];
	const struct peer *s = t->peer;

	p->next_answered = i + 1;
	if (is_positive(s)) {
		p->accepted++;
		recipient->state = RECIPIENT_ACCEPTED;
		buf_reset(&recipient->text);
		return;
	}
	if (s->code < 500)
		p->deferred++;
	report_set_recipient(recipient,
	    s->code >= 500 ? RECIPIENT_REJECTED : RECIPIENT_DEFERRED,
	    "%s does not like recipient.", s->ip);
	report_add_said(&recipient->text, buf_view(&s->said));
}

/*
 * One reply in its turn.  False if the transaction ends here, with *verdict.
 */
static bool
take_reply(struct transfer *t, struct progress *p, enum verdict *verdict)
{
	struct peer *s = t->peer;
	size_t command = p->answered++;

	if (command == 0) {
		if (is_positive(s))
			return true;
		/* The replies to what was sent ahead are of no interest. */
		s->broken = p->sent > p->answered;
		*verdict =
		    refused(t, "Connected to ", " but sender was rejected.");
		return false;
	}
	if (command < p->total - 1) {
		take_rcpt_reply(t, p);
		return true;
	}
	/* A server that wants data for nobody, or takes DATA for done, would
	 * read the message as commands, or commands as the message. */
	if (s->code < 400 && (p->accepted == 0 || is_positive(s)))
		s->broken = true;
	if (p->accepted == 0 || (s->code >= 300 && s->code < 400))
		return true;
	*verdict = refused(t, "", " failed on DATA command.");
	return false;
}

/* Sends and answers the envelope: true if the message may follow. */
static bool
run_envelope(struct transfer *t, enum verdict *verdict)
{
	struct progress p = { .total = 2 };
	int r;

	t->peer->half_done = true;
	for (size_t i = 0; i < t->report->count; i++)
		p.total += t->report->recipients[i].state != RECIPIENT_REJECTED;
	while (p.answered < p.total) {
		while (may_send(t, &p))
			add_command(t, &p);
		if (p.sent == p.answered && t->peer->out.err == 0)
			break;
		r = peer_flush(t->peer);
		while (r == 0 && p.answered < p.sent) {
			r = peer_reply(t->peer);
			if (r == 0 && !take_reply(t, &p, verdict))
				return false;
		}
		if (r < 0) {
			*verdict = died(t, r, "");
			return false;
		}
	}
	if (p.accepted > 0)
		return true;
	report_set(t->report, 'D', "Giving up on %s.", t->peer->ip);
	*verdict = p.deferred > 0 ? VERDICT_NEXT : VERDICT_FINAL;
	return false;
}

/*
 * The message, its last line completed if it has no end (the classic program
 * bounced such a message; nobody is served by that), and the final dot, which
 * leaves together with the last piece.  *readable tells of the local side.
 */
static int
send_message(struct transfer *t, bool *readable)
{
	struct buf *out = &t->peer->out;
	struct dot_encoder encoder;
	struct strv piece;
	int r;

	dot_encoder_init(&encoder);
	message_rewind(t->message);
	*readable = true;
	while ((r = message_next(t->message, &piece)) == 0) {
		r = out->len > 0 ? peer_flush(t->peer) : 0;
		if (r < 0)
			return r;
		dot_encode(&encoder, piece, out);
	}
	if (r != QE_EOF) {
		*readable = false;
		return r;
	}
	(void)dot_encode_end(&encoder, out);
	buf_add_str(out, ".\r\n");
	return peer_flush(t->peer);
}

static enum verdict
run_message(struct transfer *t)
{
	struct peer *s = t->peer;
	bool readable;
	int r;

	peer_log(s, "C: ", STRV("[...]"));
	s->silent = true;
	r = send_message(t, &readable);
	s->silent = false;

	if (!readable)
		return local_trouble(t, "Unable to read message. (#4.3.0)");
	/* The end of the final dot has not left this host. */
	if (r < 0) {
		buf_reset(&s->said);
		return died(t, r, "");
	}
	if (peer_reply(s) < 0) {
		(void)died(t, 0, "Possible duplicate! ");
		return VERDICT_FINAL;
	}
	s->half_done = s->code < 400;
	if (!is_positive(s)) {
		enum verdict verdict =
		    refused(t, "", " failed after I sent the message.");

		/* An answer that is none leaves it open who has it now. */
		return s->code < 400 ? VERDICT_FINAL : verdict;
	}
	s->half_done = false;
	report_set(t->report, 'K', "%s accepted message.", s->ip);
	report_add_said(&t->report->text, buf_view(&s->said));
	return VERDICT_FINAL;
}

/* What MAIL may say about the message: true unless that is the end. */
static bool
check_message(struct transfer *t, enum verdict *verdict)
{
	const struct peer *s = t->peer;

	if ((s->offer.extensions & (EHLO_SIZE | EHLO_8BITMIME)) == 0)
		return true;
	if (message_scan(t->message) < 0) {
		*verdict = local_trouble(t, "Unable to read message. (#4.3.0)");
		return false;
	}
	if (s->offer.size_limit == 0 ||
	    t->message->wire_bytes <= s->offer.size_limit)
		return true;
	report_set(t->report, 'D',
	    "%s takes messages of at most %llu bytes, and this one has %llu. "
	    "(#5.3.4)",
	    s->ip, (unsigned long long)s->offer.size_limit,
	    (unsigned long long)t->message->wire_bytes);
	*verdict = VERDICT_FINAL;
	return false;
}

/* Back to where MAIL may be said. */
static bool
reset(struct transfer *t, enum verdict *verdict)
{
	int r;

	if (!t->peer->half_done)
		return true;
	buf_add_str(&t->peer->out, "RSET\r\n");
	r = peer_flush(t->peer);
	if (r == 0)
		r = peer_reply(t->peer);
	if (r == 0 && is_positive(t->peer)) {
		t->peer->half_done = false;
		return true;
	}
	t->peer->broken = true;
	*verdict = died(t, r, "");
	return false;
}

enum verdict
transfer_run(struct transfer *t)
{
	enum verdict verdict = VERDICT_FINAL;

	if (!reset(t, &verdict))
		return verdict;
	if (!check_message(t, &verdict) || !run_envelope(t, &verdict))
		return verdict;
	return run_message(t);
}
