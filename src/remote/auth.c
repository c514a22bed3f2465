/*
 * AUTH: which mechanism, and the exchange of challenges and answers.
 *
 * A refusal is a temporary failure here, whatever the server calls it: it says
 * that a line of control/smtprelays is wrong, not that the mail is.
 */
#include "remote/auth.h"

#include "base/error.h"
#include "base/secret.h"
#include "mail/base64.h"
#include "remote/digests.h"
#include "smtp/sasl_client.h"

#include <string.h>

enum {
	NONCE_BYTES = 18, /* 24 letters of base64 */
	STEPS_MAX = 4,    /* challenges of one exchange */
	COMMAND_MAX = 4 * SASL_CLIENT_TEXT_MAX
};

static int
fail(struct peer *s, struct report *report, const char *why)
{
	report_set(report, 'Z', "Connected to %s but %s", s->ip, why);
	return QE_EOF;
}

static int
died(struct peer *s, struct report *report)
{
	peer_report_death(s, "", report);
	return QE_EOF;
}

/* One line that the log does not show, and the reply, which it may. */
static int
say_secret(struct peer *s, struct buf *line, const char *shown)
{
	int r;

	buf_add_str(line, "\r\n");
	buf_add_view(&s->out, buf_view(line));
	peer_log(s, "C: ", strv_of(shown));
	s->silent = true;
	r = line->err < 0 ? line->err : peer_flush(s);
	if (s->out.data != NULL)
		explicit_bzero(s->out.data, s->out.cap);
	if (r == 0)
		r = peer_reply(s);
	s->silent = false;
	if (r == 0 && s->code == 334)
		peer_log(s, "S: ", STRV("334 [...]"));
	else
		peer_log(s, "S: ", buf_view(&s->said));
	return r;
}

static int
say_auth(struct peer *s, struct sasl_client *client)
{
	struct buf line = BUF_LIMIT(COMMAND_MAX);
	struct buf initial = BUF_LIMIT(SASL_CLIENT_TEXT_MAX);
	struct buf shown = BUF_INIT;
	int r;

	buf_addf(&line, "AUTH %s", sasl_client_name(client->method));
	buf_add_view(&shown, buf_view(&line));
	if (sasl_client_initial(client, &initial)) {
		buf_add_char(&line, ' ');
		base64_encode(&line, buf_view(&initial));
		buf_add_str(&shown, " [...]");
	}
	r = initial.err < 0 || buf_cstr(&shown) == NULL
		? QE_NOMEM
		: say_secret(s, &line, buf_cstr(&shown));
	buf_free_secret(&line);
	buf_free_secret(&initial);
	buf_free(&shown);
	return r;
}

/* What stands behind "334 ", decoded, and the answer to it. */
static int
make_answer(struct peer *s, struct sasl_client *client, struct buf *answer)
{
	struct buf challenge = BUF_LIMIT(SASL_CLIENT_TEXT_MAX);
	struct strv rest = buf_view(&s->said);
	struct strv line = strv_trim_end(strv_cut(&rest, '\n', NULL));
	struct buf raw = BUF_LIMIT(SASL_CLIENT_TEXT_MAX);
	int r = base64_decode(&challenge, strv_trim_blanks(strv_skip(line, 4)));

	if (r == 0)
		r = sasl_client_answer(client, buf_view(&challenge), &raw);
	if (r == 0)
		base64_encode(answer, buf_view(&raw));
	buf_free_secret(&raw);
	buf_free(&challenge);
	return r;
}

/* One challenge: 0 and the next reply is there; or what went wrong. */
static int
take_challenge(struct peer *s, struct sasl_client *client, bool *cancelled)
{
	struct buf answer = BUF_LIMIT(COMMAND_MAX);
	int r = make_answer(s, client, &answer);

	*cancelled = r < 0;
	if (r < 0) {
		buf_reset(&answer);
		buf_add_char(&answer, '*');
	}
	/* After "*" the reply is a refusal, and what it says is no news. */
	if (say_secret(s, &answer, *cancelled ? "*" : "[...]") < 0 && r == 0)
		r = QE_EOF;
	buf_free_secret(&answer);
	return r;
}

/* Why we did not go on. */
static int
report_cancelled(struct peer *s, struct report *report, int r)
{
	if (r == QE_DENIED)
		return fail(
		    s, report, "it does not know my password itself. (#4.7.0)");
	if (r == QE_SYNTAX || r == QE_LIMIT)
		return fail(
		    s, report, "what it said to AUTH makes no sense. (#4.7.0)");
	if (r == QE_ABSENT)
		return fail(s, report,
		    "the digest for AUTH does not exist here; name another "
		    "method in control/smtprelays. (#4.7.0)");
	return fail(s, report,
	    "the digest for AUTH could not be computed here. (#4.3.0)");
}

static int
exchange(struct peer *s, struct sasl_client *client, struct report *report)
{
	bool cancelled;

	if (say_auth(s, client) < 0)
		return died(s, report);
	for (int i = 0; s->code == 334 && i < STEPS_MAX; i++) {
		int r = take_challenge(s, client, &cancelled);

		if (cancelled)
			return report_cancelled(s, report, r);
		if (r < 0)
			return died(s, report);
	}
	if (s->code == 235 && client->done)
		return 0;
	if (s->code == 235)
		return report_cancelled(s, report, QE_DENIED);
	(void)fail(s, report, "it did not accept my password. (#4.7.8)");
	report_add_said(&report->text, buf_view(&s->said));
	return QE_EOF;
}

static int
make_nonce(struct buf *out)
{
	unsigned char bytes[NONCE_BYTES];
	int r = secret_random(bytes, sizeof(bytes));

	if (r == 0)
		base64_encode(
		    out, strv_from((const char *)bytes, sizeof(bytes)));
	return r == 0 ? out->err : r;
}

int
auth_run(struct peer *s, const struct plan *plan, struct report *report)
{
	struct digests_helper helper = { .timeout_ms = s->settings->remote_ms };
	struct sasl_client_digests digests = digests_by_helper(&helper);
	struct buf nonce = BUF_INIT;
	struct sasl_client client;
	enum sasl_client_method method = sasl_client_choose(
	    buf_view(&s->offer.auth), plan->method, s->has_tls);
	int r;

	if (method == SASL_CLIENT_NONE)
		return fail(s, report,
		    plan->method.len > 0
			? "it does not offer the AUTH method of "
			  "control/smtprelays. (#4.7.4)"
			: "it offers no AUTH method that keeps the password "
			  "from others. (#4.7.4)");
	if (make_nonce(&nonce) < 0) {
		buf_free(&nonce);
		return fail(s, report, "out of memory. (#4.3.0)");
	}
	sasl_client_init(&client, method, plan->user, plan->password,
	    buf_cstr(&nonce), &digests);
	r = exchange(s, &client, report);
	sasl_client_clear(&client);
	buf_free(&nonce);
	return r;
}
