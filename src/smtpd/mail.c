/*
 * MAIL (RFC 5321 section 4.1.1.2) with SIZE (RFC 1870), BODY (RFC 6152) and
 * AUTH (RFC 4954), which is read and ignored.
 */
#include "base/error.h"
#include "smtp/verb.h"
#include "smtpd/commands.h"
#include "smtpd/path.h"
#include "smtpd/pipeline.h"
#include "smtpd/plugins.h"
#include "smtpd/tarpit.h"
#include "smtpd/trust.h"

static struct reply
no_reply(void)
{
	return (struct reply){ .code = 0 };
}

static struct reply
parameter_size(struct session *s, struct strv value)
{
	uint64_t max = (uint64_t)session_size_max(s);
	uint64_t size = 0;
	int r = strv_to_u64(value, INT64_MAX, &size);

	if (r == QE_SYNTAX)
		return reply_make(501, "5.5.4", "syntax error in SIZE");
	if (r == QE_LIMIT || (max > 0 && size > max))
		return reply_make(552, "5.3.4",
		    "sorry, that message size exceeds my databytes limit");
	s->tx.announced_size = (int64_t)size;
	return no_reply();
}

static struct reply
parameter_body(struct session *s, struct strv value)
{
	(void)s;
	if (strv_eq_nocase(value, STRV("7BIT")) ||
	    strv_eq_nocase(value, STRV("8BITMIME")))
		return no_reply();
	return reply_make(555, "5.5.4", "unsupported BODY");
}

static struct reply
parameter_auth(struct session *s, struct strv value)
{
	(void)s;
	(void)value;
	return no_reply();
}

static const struct {
	struct strv keyword;
	struct reply (*take)(struct session *, struct strv value);
} parameters[] = {
	{{ "SIZE", 4 },  parameter_size},
	{ { "BODY", 4 }, parameter_body},
	{ { "AUTH", 4 }, parameter_auth},
};

static struct reply
take_parameter(struct session *s, struct strv key, struct strv value)
{
	for (size_t i = 0; i < sizeof(parameters) / sizeof(*parameters); i++)
		if (strv_eq_nocase(parameters[i].keyword, key))
			return parameters[i].take(s, value);
	return reply_make(555, "5.5.4", "unsupported parameter");
}

static struct reply
take_parameters(struct session *s, struct strv rest)
{
	for (;;) {
		struct strv key, value;
		struct reply refusal;
		int r = esmtp_parameter_next(&rest, &key, &value);

		if (r == QE_EOF)
			return no_reply();
		if (r != 0)
			return reply_make(
			    501, "5.5.4", "syntax error in parameters");
		refusal = take_parameter(s, key, value);
		if (refusal.code != 0)
			return refusal;
	}
}

/* Reads the argument into the transaction; a code of 0 if all is well. */
static struct reply
take_sender(struct session *s, struct strv argument)
{
	const struct path_rules rules = { STRV("FROM"),
		s->settings.needs_brackets, "5.1.7" };
	struct strv rest = STRV_EMPTY;
	struct reply refusal;
	int r;

	s->tx.sender.max = (size_t)s->settings.address_max;
	r = path_parse(&rules, argument, &s->tx.sender, &rest);
	if (r == QE_LIMIT)
		tarpit_delay(s, TARPIT_LIMIT);
	if (r != 0)
		return path_refusal(&rules, r);
	refusal = path_localize(s, &s->tx.sender);
	if (refusal.code != 0)
		return refusal;
	return take_parameters(s, rest);
}

/* Plugins first, then our own checks; true if the sender is accepted. */
static bool
judge(struct session *s, struct reply *reply)
{
	struct plugins_verdict plugins;
	struct verdict v;

	/* Of a known spammer nothing is asked: its mail is wanted. */
	if (trust_is_spammer(s))
		return true;
	plugins = plugins_run(s, PLUGIN_MAIL);
	if (plugins.kind == PLUGINS_ANSWER) {
		*reply = plugins.reply;
		return false;
	}
	if (plugins.kind == PLUGINS_TRUST) {
		s->notes.good_sender = true;
		v = pipeline_run_login(s, STAGE_MAIL);
	} else {
		v = pipeline_run(s, STAGE_MAIL);
	}
	tarpit_delay(s, v.tarpit);
	*reply = v.reply;
	return v.kind != VERDICT_REJECT;
}

struct reply
command_mail(struct session *s, struct strv argument)
{
	struct reply reply;

	command_reset_transaction(s);
	reply = take_sender(s, argument);
	if (reply.code != 0 || !judge(s, &reply)) {
		command_reset_transaction(s);
		return reply;
	}
	s->tx.open = true;
	if (trust_is_spammer(s))
		return reply_make(250, "2.1.0", "welcome spammer :)");
	return reply_make(250, "2.1.0", "ok");
}
