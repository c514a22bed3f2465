/*
 * DATA (RFC 5321 section 4.1.1.4): the message goes to qmail-queue while it
 * arrives and is never held here.  Nothing is queued before the last byte of
 * the envelope is written, and that happens for a client that is still there.
 */
#include "base/clock.h"
#include "base/error.h"
#include "mail/header.h"
#include "mail/received.h"
#include "smtp/dot.h"
#include "smtpd/answer.h"
#include "smtpd/arrival.h"
#include "smtpd/commands.h"
#include "smtpd/fingerprint.h"
#include "smtpd/log.h"
#include "smtpd/passive_os.h"
#include "smtpd/pipeline.h"
#include "smtpd/plugins.h"
#include "smtpd/tap.h"
#include "smtpd/tarpit.h"

enum { SECOND_MS = 1000 };

struct delivery {
	struct submit submit;
	bool submitting; /* qmail-queue is running and still wanted */
	bool too_large, looping;
	int64_t size; /* of the message, decoded */
	struct arrival arrival;
	struct dot_decoder decoder;
	struct hop_counter hops;
	struct buf chunk;
};

static void
delivery_abort(struct delivery *d)
{
	if (d->submitting)
		submit_abort(&d->submit);
	d->submitting = false;
}

/*
 * Received and the like, which only we can say: 0 or a negative code, and
 * nothing of it is on its way.
 */
static int
delivery_add_fields(struct session *s, struct delivery *d)
{
	const struct peer *peer = &s->peer;
	const struct received received = {
		.remote_host = peer->remote_host,
		.remote_ip = peer->remote_ip,
		.remote_info = peer->remote_info,
		.local_host = peer->local_host.len > 0 ? peer->local_host
						       : peer->local_ip,
		.helo = buf_view(&s->helo),
		.protocol = session_protocol(s),
		.tls = session_tls_comment(s),
		.time = clock_wall(),
	};

	buf_reset(&s->scratch);
	received_add(&s->scratch, &received);
	passive_os_add_field(s, &s->scratch);
	buf_add_view(&s->scratch, buf_view(&s->tx.fields));
	if (s->tx.fields.err != 0 || s->scratch.err != 0)
		return QE_NOMEM;
	taps_begin(s, taps_list, buf_view(&s->scratch));
	if (!plugins_hold_message(s))
		submit_message(&d->submit, buf_view(&s->scratch));
	return 0;
}

/*
 * The reply to the last byte that may have come by now is due then.  Whoever
 * takes the message is stopped a little sooner, as ending it takes time, too.
 */
static int64_t
delivery_due(const struct session *s, const struct delivery *d)
{
	int64_t due =
	    d->arrival.oldest_ms + s->settings.dot_timeout * SECOND_MS;

	return due < s->deadline_ms ? due : s->deadline_ms;
}

static int64_t
delivery_stop(const struct session *s, int64_t due)
{
	int64_t quarter = s->settings.dot_timeout * SECOND_MS / 4;

	return due - (quarter < SUBMIT_STOP_MS ? quarter : SUBMIT_STOP_MS);
}

/* Counts a piece of the message and passes it on. */
static void
delivery_feed(
    struct session *s, struct delivery *d, struct strv bytes, int64_t deadline)
{
	int64_t max = session_size_max(s);
	int64_t stop = delivery_stop(s, delivery_due(s, d));

	d->submit.deadline_ms = stop < deadline ? stop : deadline;

	d->size += (int64_t)bytes.len;
	if (max > 0 && d->size > max)
		d->too_large = true;
	hop_counter_feed(&d->hops, bytes);
	if (d->hops.hops > (size_t)s->settings.hops_max)
		d->looping = true;
	/* What will be refused need not fill the disk first. */
	if (d->too_large || d->looping) {
		delivery_abort(d);
		taps_close(s);
	}
	if (d->submitting && !plugins_hold_message(s))
		submit_message(&d->submit, bytes);
	taps_feed(s, bytes, d->submit.deadline_ms);
}

/* Up to the final dot: 0; or QE_SYNTAX (flaws), QE_EOF, QE_TIMEOUT ... */
static int
delivery_receive(struct session *s, struct delivery *d)
{
	size_t due = 0; /* bytes still to come before the deadline */
	int64_t deadline = 0;

	while (!d->decoder.done && d->decoder.flaws == 0) {
		size_t used;
		int r;

		if (due == 0) {
			due = SESSION_BLOCK;
			deadline = session_deadline(s, s->settings.timeout);
		}
		/* A stream that never pauses has to be looked at as well. */
		if (clock_mono_ms() >= deadline)
			return QE_TIMEOUT;
		if (source_peek(&s->in).len == 0)
			session_flush(s);
		/* It waits for a word that it will never hear. */
		if (s->state != SESSION_OPEN)
			return QE_EOF;
		arrival_before(&d->arrival, &s->in);
		r = source_fill(&s->in, deadline);
		if (r != 0)
			return r;
		arrival_after(&d->arrival, &s->in);
		buf_reset(&d->chunk);
		used = dot_decode(&d->decoder, source_peek(&s->in), &d->chunk);
		if (d->chunk.err != 0)
			return d->chunk.err;
		source_take(&s->in, used);
		due -= used < due ? used : due;
		delivery_feed(s, d, buf_view(&d->chunk), deadline);
	}
	return d->decoder.flaws != 0 ? QE_SYNTAX : 0;
}

static void
delivery_add_envelope(struct session *s, struct delivery *d)
{
	struct strv rest = buf_view(&s->tx.recipients);
	struct strv recipient;

	submit_sender(&d->submit, buf_view(&s->tx.sender));
	if (s->fixed_to.len > 0 && !s->tx.is_spam) {
		submit_recipient(&d->submit, s->fixed_to);
		return;
	}
	while (transaction_next_recipient(&rest, &recipient))
		submit_recipient(&d->submit, recipient);
}

static struct reply
queued(struct session *s, int64_t qp)
{
	s->idle = 0;
	return reply_makef(250, "2.6.0", "ok %lld qp %lld",
	    (long long)clock_wall(), (long long)qp);
}

/* Commits, and tells how that went. */
static struct reply
delivery_commit(struct session *s, struct delivery *d)
{
	struct submit_result result = { .ok = false };
	int64_t qp;

	if (fingerprint_is_known(s, &qp)) {
		delivery_abort(d);
		return queued(s, qp);
	}
	d->submit.deadline_ms = delivery_stop(s, s->tx.dot_deadline_ms);
	if (plugins_hold_message(s) && plugins_send_message(s, &d->submit) != 0)
		return reply_make(451, "4.3.0", "unable to read the message");
	delivery_add_envelope(s, d);
	if (session_is_abandoned(s)) {
		/* It will send the message again: once is enough. */
		delivery_abort(d);
		session_vanish(s);
		return (struct reply){ .code = 0 };
	}
	submit_close(&d->submit, d->submit.deadline_ms, &result);
	d->submitting = false;
	if (!result.ok)
		return answer_of_queue(&result);
	fingerprint_keep(s, d->submit.pid);
	return queued(s, d->submit.pid);
}

/* Checks and plugins, which see the whole message; true if it may pass. */
static bool
delivery_judge(struct session *s, struct delivery *d, struct reply *reply)
{
	struct verdict v = pipeline_run(s, STAGE_CONTENT);
	struct plugins_verdict plugins;

	if (v.kind == VERDICT_REJECT)
		delivery_abort(d);
	tarpit_delay(s, v.tarpit);
	*reply = v.reply;
	if (v.kind == VERDICT_REJECT || s->state != SESSION_OPEN)
		return false;
	plugins = plugins_run(s, PLUGIN_CONTENT);
	*reply = plugins.reply;
	return plugins.kind != PLUGINS_ANSWER;
}

/* After the final dot: what is refused whatever qmail-queue would say. */
static struct reply
delivery_answer(struct session *s, struct delivery *d)
{
	int64_t max = session_size_max(s);
	struct reply reply;

	s->tx.dot_deadline_ms = delivery_due(s, d);
	d->submit.deadline_ms = delivery_stop(s, s->tx.dot_deadline_ms);
	if (s->settings.log.in)
		log_event(s, "C: [...]  bytestooverflow=%lld",
		    (long long)(d->size < max ? max - d->size : 0));
	if (d->looping)
		return reply_make(
		    554, "5.4.6", "too many hops, this message is looping");
	if (d->too_large)
		return reply_make(552, "5.3.4",
		    "sorry, that message size exceeds my databytes limit");
	taps_end(s);
	if (!delivery_judge(s, d, &reply))
		return reply;
	if (clock_mono_ms() >= d->submit.deadline_ms)
		return reply_make(451, "4.3.0", "took too long, try again");
	return delivery_commit(s, d);
}

static struct reply
delivery_run(struct session *s, struct delivery *d)
{
	const struct reply go_ahead = reply_make(354, NULL, "go ahead");
	int r;

	if (delivery_add_fields(s, d) != 0)
		return reply_make(451, "4.3.0", "out of memory");
	session_say(s, &go_ahead);
	r = delivery_receive(s, d);
	if (r == QE_SYNTAX)
		return refuse_flaws(d->decoder.flaws);
	if (r != 0)
		return session_lost(s, r);
	return delivery_answer(s, d);
}

struct reply
command_data(struct session *s, struct strv argument)
{
	struct delivery d = { .chunk = BUF_LIMIT(2 * SESSION_IN) };
	struct plugins_verdict plugins;
	struct reply reply;
	struct verdict v;

	(void)argument;
	if (s->tx.recipient_count == 0)
		return session_farewell(
		    221, "2.0.0", "error: I can break rules, too. goodbye!");
	v = pipeline_run(s, STAGE_DATA);
	tarpit_delay(s, v.tarpit);
	if (v.kind == VERDICT_REJECT)
		return v.reply;
	plugins = plugins_run(s, PLUGIN_DATA);
	if (plugins.kind == PLUGINS_ANSWER)
		return plugins.reply;
	if (submit_open_group(&d.submit) != 0)
		return reply_make(451, "4.3.0", "qqt failure");
	d.submitting = true;
	dot_decoder_init(&d.decoder);
	hop_counter_init(&d.hops);
	arrival_init(&d.arrival);
	reply = delivery_run(s, &d);
	taps_close(s);
	delivery_abort(&d);
	buf_free(&d.chunk);
	command_reset_transaction(s);
	return reply;
}
