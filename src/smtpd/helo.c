/*
 * HELO and EHLO (RFC 5321 section 4.1.1.1), and the table of extensions that
 * EHLO shows.  Later ones go before 8BITMIME: STARTTLS may never be the last
 * line, because clients look for "-STARTTLS".
 */
#include "smtpd/auth.h"
#include "smtpd/commands.h"
#include "smtpd/pipeline.h"
#include "smtpd/plugins.h"
#include "smtpd/tarpit.h"
#include "smtpd/trust.h"

struct extension {
	const char *keyword;
	/* Appends what follows the keyword; false: not offered now.  NULL:
	 * always offered, nothing follows. */
	bool (*describe)(const struct session *, struct buf *line);
};

static bool
describe_size(const struct session *s, struct buf *line)
{
	int64_t max = session_size_max(s);

	if (max > 0)
		buf_addf(line, " %lld", (long long)max);
	return true;
}

static bool
describe_starttls(const struct session *s, struct buf *line)
{
	(void)line;
	return ucspi_tls_may_start(&s->tls);
}

static const struct extension extensions[] = {
	{"AUTH=LOGIN",           auth_describe_old},
	{ "AUTH",                auth_describe    },
	{ "ENHANCEDSTATUSCODES", NULL             },
	{ "PIPELINING",          NULL             },
	{ "STARTTLS",            describe_starttls},
	{ "SIZE",                describe_size    },
	{ "8BITMIME",            NULL             },
};

/* Both begin the session anew; the name is kept for Received and checks. */
static bool
begin(struct session *s, struct strv name, bool extended, struct reply *refusal)
{
	struct plugins_verdict plugins;
	struct verdict v;

	command_reset_transaction(s);
	buf_reset(&s->helo);
	buf_add_view(&s->helo, name);
	s->extended = extended;
	/* Of a known spammer nothing is asked: its mail is wanted. */
	if (trust_is_spammer(s))
		return true;
	v = pipeline_run(s, STAGE_HELO);
	tarpit_delay(s, v.tarpit);
	*refusal = v.reply;
	if (v.kind == VERDICT_REJECT)
		return false;
	plugins = plugins_run(s, PLUGIN_HELO);
	*refusal = plugins.reply;
	return plugins.kind != PLUGINS_ANSWER;
}

struct reply
command_helo(struct session *s, struct strv argument)
{
	struct reply refusal;

	if (!begin(s, argument, false, &refusal))
		return refusal;
	return reply_makef(
	    250, NULL, STRV_FMT, STRV_ARG(s->settings.last_line));
}

struct reply
command_ehlo(struct session *s, struct strv argument)
{
	size_t count = sizeof(extensions) / sizeof(*extensions);
	struct reply refusal;
	char usual[128];
	struct buf line = BUF_IN(usual, 0);

	if (!begin(s, argument, true, &refusal))
		return refusal;
	session_say_line(s, 250, s->settings.last_line, false);
	for (size_t i = 0; i < count; i++) {
		const struct extension *e = &extensions[i];

		buf_reset(&line);
		buf_add_str(&line, e->keyword);
		if (e->describe == NULL || e->describe(s, &line))
			session_say_line(
			    s, 250, buf_view(&line), i == count - 1);
	}
	buf_free(&line);
	return (struct reply){ .code = 0 };
}
