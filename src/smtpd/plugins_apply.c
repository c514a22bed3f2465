/*
 * Obeys the commands of one plugin, once all of them have been understood.
 */
#include "base/env.h"
#include "base/error.h"
#include "smtpd/log.h"
#include "smtpd/plugins_state.h"
#include "smtpd/trust.h"

struct applying {
	struct session *s;
	struct plugins *p;
	enum plugin_stage stage;
	struct plugins_verdict *verdict;
	bool ends;
};

/* All lines are commands: the last one looked at is in *line. */
static bool
is_understood(struct strv output, enum plugin_stage stage, struct strv *line)
{
	struct plugin_command command;
	int r;

	do
		r = plugin_command_next(&output, stage, &command, line);
	while (r == 0);
	return r == QE_EOF;
}

static void
answer(struct applying *a, const struct reply *reply)
{
	*a->verdict = (struct plugins_verdict){ PLUGINS_ANSWER, *reply };
	a->ends = true;
}

static void
apply_reply(struct applying *a, const struct plugin_command *c)
{
	struct reply reply;

	if (plugin_reply_parse(c->argument, &reply) != 0)
		return;
	/* There is no command that could be refused, but the connection. */
	if (c->verb == PLUGIN_REJECT || a->stage == PLUGIN_CONNECTION)
		reply.close = true;
	answer(a, &reply);
}

/* The first one counts; what should have been said already is said now. */
static void
apply_later(struct applying *a, const struct plugin_command *c)
{
	struct plugin_later *later = &a->p->later[c->until];
	bool is_now = a->stage >= c->until && a->stage <= PLUGIN_CONTENT;

	if (!later->pending &&
	    plugin_reply_parse(c->argument, &later->reply) == 0) {
		later->pending = true;
		/* A login holds as long as the name before it. */
		later->set_at =
		    a->stage == PLUGIN_AUTH ? PLUGIN_HELO : a->stage;
	}
	if (is_now && later->pending)
		answer(a, &later->reply);
}

static void
apply_drop(struct applying *a)
{
	const struct reply nothing = { .code = 0 };

	a->s->state = SESSION_CLOSED;
	answer(a, &nothing);
}

static void
apply_print(struct applying *a, const struct plugin_command *c)
{
	struct reply reply;

	if (plugin_reply_parse(c->argument, &reply) == 0)
		session_say_line(a->s, reply.code, strv_of(reply.text), false);
}

static void
apply_header(struct applying *a, const struct plugin_command *c)
{
	struct buf *to = &a->s->tx.fields;

	if (a->stage == PLUGIN_CONNECTION)
		to = &a->p->connection_fields;
	else if (a->stage == PLUGIN_HELO || a->stage == PLUGIN_AUTH)
		to = &a->p->helo_fields;
	else if (a->stage == PLUGIN_CONTENT)
		to = &a->p->content_fields;
	if (c->argument.len + 1 > to->max - to->len) {
		log_event(a->s, "plugins: no room for another header field");
		return;
	}
	buf_add_view(to, c->argument);
	buf_add_char(to, '\n');
}

static void
apply_change(struct applying *a, const struct plugin_command *c)
{
	struct buf *to =
	    a->stage == PLUGIN_MAIL ? &a->s->tx.sender : &a->s->tx.candidate;

	buf_reset(to);
	to->max = ADDRESS_BYTES_MAX;
	buf_add_view(to, c->argument);
	if (to->err != 0) {
		const struct reply reply =
		    reply_make(451, "4.3.0", "out of memory");

		answer(a, &reply);
	}
}

/* What the session has borrowed from the environment is borrowed again. */
static void
borrow_again(struct applying *a, struct strv name)
{
	struct control_error err = { .text = "" };

	a->p->changed_environment = true;
	session_read_peer(a->s);
	if (strv_eq(name, STRV("RELAYCLIENT")))
		session_read_relay(a->s);
	/* A login is no excuse for what a plugin has seen of it. */
	if (strv_eq(name, STRV("BLACKLISTED")))
		a->s->is_forgiven = false;
	if ((strv_eq(name, STRV("BLACKLISTED")) ||
		strv_eq(name, STRV("RCPTTOFIXED"))) &&
	    trust_read_addresses(a->s, &err) != 0) {
		struct reply reply =
		    session_farewell(421, "4.3.0", "unable to read controls");

		log_trouble(a->s, err.text);
		answer(a, &reply);
	}
}

static void
apply_variable(struct applying *a, const struct plugin_command *c)
{
	struct buf copy = BUF_LIMIT(2 * PLUGIN_VARIABLE_MAX);
	struct strv value = STRV_EMPTY;
	struct strv name = plugin_variable(c->argument, &value);

	buf_add_view(&copy, name);
	buf_add_char(&copy, '\0');
	buf_add_view(&copy, value);
	a->p->environment_bytes += c->argument.len;
	if (a->p->environment_bytes > PLUGINS_ENVIRONMENT_MAX) {
		log_event(a->s, "plugins: no room for another variable");
	} else if (buf_cstr(&copy) != NULL) {
		if (c->verb == PLUGIN_UNSET)
			env_unset(copy.data);
		else
			(void)env_set(copy.data, copy.data + name.len + 1);
		borrow_again(a, name);
	}
	buf_free(&copy);
}

static void
apply_accept(struct applying *a)
{
	a->p->off = true;
	a->p->off_anyway |= a->stage == PLUGIN_CONNECTION;
	for (int i = PLUGIN_MAIL; i <= PLUGIN_DATA; i++)
		a->p->later[i].pending = false;
	a->ends = true;
}

static void
apply(struct applying *a, const struct plugin_command *c)
{
	switch (c->verb) {
	case PLUGIN_ACCEPT:
		apply_accept(a);
		break;
	case PLUGIN_OK:
		a->verdict->kind = PLUGINS_TRUST;
		a->ends = true;
		break;
	case PLUGIN_NEXT:
		a->ends = true;
		break;
	case PLUGIN_ERROR:
	case PLUGIN_REJECT:
		apply_reply(a, c);
		break;
	case PLUGIN_LATER:
		apply_later(a, c);
		break;
	case PLUGIN_DROP:
		apply_drop(a);
		break;
	case PLUGIN_SET:
	case PLUGIN_UNSET:
		apply_variable(a, c);
		break;
	case PLUGIN_HEADER:
		apply_header(a, c);
		break;
	case PLUGIN_CHANGE:
		apply_change(a, c);
		break;
	case PLUGIN_PRINT:
		apply_print(a, c);
		break;
	}
}

bool
plugins_apply(struct session *s, enum plugin_stage stage, struct strv output,
    struct plugins_verdict *verdict, bool *ends, struct buf *why)
{
	struct applying a = { s, s->plugins, stage, verdict, false };
	struct plugin_command command;
	struct strv line = STRV_EMPTY;

	if (!is_understood(output, stage, &line)) {
		buf_add_view(why, strv_head(line, why->max));
		return false;
	}
	while (!a.ends &&
	       plugin_command_next(&output, stage, &command, &line) == 0)
		apply(&a, &command);
	*ends = a.ends;
	return true;
}
