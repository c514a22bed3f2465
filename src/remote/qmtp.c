/*
 * QMTP (the Quick Mail Transfer Protocol): message, sender and recipients are
 * netstrings, sent in one go, and for each recipient comes one netstring that
 * begins with K, Z or D.
 *
 * Once the last comma has left, the server may have the message, and a
 * connection that dies then leaves that open.
 */
#include "remote/qmtp.h"

#include "base/clock.h"
#include "base/error.h"
#include "mail/netstring.h"

#include <string.h>

enum { LENGTH_DIGITS_MAX = 5 }; /* of QMTP_ANSWER_MAX */

/* The size is told before the message, so all of it must come, and no more. */
static int
add_message(struct transfer *t, uint64_t bytes, bool *readable)
{
	struct buf *out = &t->peer->out;
	struct strv piece;
	int r = 0;

	*readable = true;
	buf_add_u64(out, bytes + 1);
	buf_add_str(out, ":\n"); /* lines end as they are stored */
	message_rewind(t->message);
	while (bytes > 0 && r == 0) {
		r = message_next(t->message, &piece);
		if (r < 0) {
			*readable = false;
			return r;
		}
		piece = strv_head(
		    piece, bytes < piece.len ? (size_t)bytes : piece.len);
		bytes -= piece.len;
		buf_add_view(out, piece);
		r = peer_flush(t->peer);
	}
	buf_add_char(out, ',');
	return r;
}

/* The envelope leaves with its last byte in one piece. */
static int
add_envelope(struct transfer *t)
{
	struct buf all = BUF_LIMIT(PEER_WRITE_MAX / 2);
	struct buf *out = &t->peer->out;
	int r;

	netstring_add(out, t->sender);
	for (size_t i = report_pending_from(t->report, 0); i < t->report->count;
	     i = report_pending_from(t->report, i + 1))
		netstring_add(&all, t->report->recipients[i].address);
	netstring_add(out, buf_view(&all));
	r = all.err != 0 ? all.err : out->err;
	buf_free(&all);
	return r;
}

/* One byte, with the deadline of the whole answer. */
static int
take_byte(struct peer *s, int64_t deadline_ms, char *out)
{
	int r = source_fill(&s->in, deadline_ms);

	if (r < 0)
		return r;
	*out = source_peek(&s->in).ptr[0];
	source_take(&s->in, 1);
	return 0;
}

static int
take_length(struct peer *s, int64_t deadline_ms, size_t *length)
{
	char digits[LENGTH_DIGITS_MAX + 1];
	size_t n = 0;
	uint64_t value;
	int r;

	for (;;) {
		char c;

		r = take_byte(s, deadline_ms, &c);
		if (r < 0)
			return r;
		if (c == ':')
			break;
		if (n == LENGTH_DIGITS_MAX)
			return QE_SYNTAX;
		digits[n++] = c;
	}
	r = strv_to_u64(strv_from(digits, n), QMTP_ANSWER_MAX, &value);
	if (r < 0 || value == 0 || (n > 1 && digits[0] == '0'))
		return QE_SYNTAX;
	*length = (size_t)value;
	return 0;
}

/* The answer for one recipient: its letter, and what it says in s->said. */
static int
read_answer(struct peer *s, int64_t deadline_ms, char *letter)
{
	size_t length;
	char c;
	int r = take_length(s, deadline_ms, &length);

	buf_reset(&s->said);
	if (r == 0)
		r = take_byte(s, deadline_ms, letter);
	for (size_t i = 1; r == 0 && i < length; i++) {
		r = take_byte(s, deadline_ms, &c);
		if (r == 0 && i <= QMTP_SHOWN_MAX && c != '\r')
			buf_add_char(&s->said, c == '\0' ? '?' : c);
	}
	if (r == 0)
		r = take_byte(s, deadline_ms, &c);
	if (r == 0 && (c != ',' || strchr("KZD", *letter) == NULL))
		r = QE_SYNTAX;
	return r;
}

static void
take_answer(struct transfer *t, struct recipient *recipient, char letter)
{
	const char *ip = t->peer->ip;

	if (letter == 'K') {
		recipient->state = RECIPIENT_ACCEPTED;
		buf_reset(&recipient->text);
		report_set(t->report, 'K', "%s accepted message.", ip);
		report_add_said(&t->report->text, buf_view(&t->peer->said));
		return;
	}
	report_set_recipient(recipient,
	    letter == 'D' ? RECIPIENT_REJECTED : RECIPIENT_DEFERRED,
	    "%s does not like recipient.", ip);
	report_add_said(&recipient->text, buf_view(&t->peer->said));
}

/* Nobody knows about these. */
static void
take_silence(struct transfer *t, size_t from)
{
	for (size_t i = from; i < t->report->count;
	     i = report_pending_from(t->report, i + 1))
		report_set_recipient(&t->report->recipients[i],
		    RECIPIENT_DEFERRED,
		    "Connected to %s but connection died. Possible duplicate! "
		    "(#4.4.2)",
		    t->peer->ip);
}

static void
log_answer(struct peer *s, char letter)
{
	struct buf line = BUF_LIMIT(QMTP_SHOWN_MAX + 2);

	buf_add_char(&line, letter);
	buf_add_view(&line, buf_view(&s->said));
	peer_log(s, "S: ", buf_view(&line));
	buf_free(&line);
}

static enum verdict
read_answers(struct transfer *t)
{
	struct peer *s = t->peer;
	int64_t deadline_ms = clock_mono_ms() + s->settings->remote_ms;
	size_t accepted = 0, deferred = 0;
	size_t i = report_pending_from(t->report, 0);
	int r = 0;

	for (; i < t->report->count;
	     i = report_pending_from(t->report, i + 1)) {
		char letter = 0;

		r = read_answer(s, deadline_ms, &letter);
		if (r < 0)
			break;
		log_answer(s, letter);
		take_answer(t, &t->report->recipients[i], letter);
		accepted += letter == 'K';
		deferred += letter == 'Z';
	}
	s->broken = r < 0;
	if (r < 0)
		take_silence(t, i);
	if (accepted > 0)
		return VERDICT_FINAL;
	if (r < 0) {
		peer_report_death(s, "Possible duplicate! ", t->report);
		return VERDICT_FINAL;
	}
	report_set(t->report, 'D', "Giving up on %s.", s->ip);
	return deferred > 0 ? VERDICT_NEXT : VERDICT_FINAL;
}

static void
log_request(struct transfer *t)
{
	struct buf line = BUF_INIT;

	buf_addf(&line, "[...] <" STRV_FMT ">", STRV_ARG(t->sender));
	for (size_t i = report_pending_from(t->report, 0); i < t->report->count;
	     i = report_pending_from(t->report, i + 1))
		buf_addf(&line, " <" STRV_FMT ">",
		    STRV_ARG(t->report->recipients[i].address));
	peer_log(t->peer, "C: ", buf_view(&line));
	buf_free(&line);
}

enum verdict
qmtp_run(struct transfer *t)
{
	struct peer *s = t->peer;
	bool readable = true;
	uint64_t bytes;
	int r = message_bytes(t->message, &bytes);

	if (r == 0) {
		log_request(t);
		s->silent = true;
		r = add_message(t, bytes, &readable);
		if (r == 0)
			r = add_envelope(t);
		if (r == 0)
			r = peer_flush(s);
		s->silent = false;
	} else {
		readable = false;
	}
	if (r == 0)
		return read_answers(t);
	s->broken = true;
	if (!readable || r == QE_NOMEM || r == QE_LIMIT) {
		report_set(t->report, 'Z', "%s",
		    readable ? "Out of memory. (#4.3.0)"
			     : "Unable to read message. (#4.3.0)");
		return VERDICT_FINAL;
	}
	peer_report_death(s, "", t->report);
	return VERDICT_NEXT;
}
