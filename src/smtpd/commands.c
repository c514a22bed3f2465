/*
 * Commands as a table of facts, and the one place that answers them: form,
 * order and the limits on clients that talk and send no mail.
 */
#include "smtpd/commands.h"
#include "smtp/line.h"
#include "smtp/verb.h"
#include "smtpd/log.h"
#include "smtpd/plugins.h"
#include "smtpd/tarpit.h"

struct command {
	const char *verb;
	bool in_transaction;  /* only between MAIL and the end of DATA */
	bool is_idle;         /* brings no message any further */
	const char *argument; /* said with 501 if there is none */
	command_handler run;
};

static const char need_host[] = "syntax error, I need your hostname";

/* verb, in_transaction, is_idle, argument, run */
static const struct command commands[] = {
	{"HELO",      false, true,  need_host, command_helo    },
	{ "EHLO",     false, true,  need_host, command_ehlo    },
	{ "AUTH",     false, true,  NULL,      command_auth    },
	{ "MAIL",     false, false, NULL,      command_mail    },
	{ "RCPT",     true,  false, NULL,      command_rcpt    },
	{ "DATA",     true,  false, NULL,      command_data    },
	{ "RSET",     false, true,  NULL,      command_rset    },
	{ "NOOP",     false, true,  NULL,      command_noop    },
	{ "VRFY",     false, true,  NULL,      command_vrfy    },
	{ "HELP",     false, true,  NULL,      command_help    },
	{ "QUIT",     false, false, NULL,      command_quit    },
	{ "STARTTLS", false, true,  NULL,      command_starttls},
};

static const struct command *
command_find(struct strv verb)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		if (strv_eq_nocase(strv_of(commands[i].verb), verb))
			return &commands[i];
	return NULL;
}

bool
command_is_known(struct strv verb)
{
	return command_find(verb) != NULL;
}

/* RFC 3207 section 4: what asks for anything waits for TLS, if it must be. */
static bool
needs_tls(const struct command *command)
{
	return command->run != command_quit &&
	       (!command->is_idle || command->run == command_auth);
}

static struct reply
command_dispatch(struct session *s)
{
	struct verb_line line = verb_split(buf_view(&s->line));
	const struct command *command = command_find(line.verb);

	if (command == NULL)
		return reply_make(502, "5.5.1", "unimplemented");
	/* Of a client that goes on with AUTH where we do not: see log.c. */
	s->hides_input = command->run == command_auth;
	if (command->is_idle && ++s->idle > SESSION_IDLE_MAX)
		return session_farewell(
		    421, "4.7.0", "too many commands and no mail, goodbye");
	if (ucspi_tls_is_required(&s->tls) && needs_tls(command))
		return reply_make(530, "5.7.0", "must issue STARTTLS first");
	if (command->in_transaction && !s->tx.open)
		return reply_make(503, "5.5.1", "MAIL first");
	if (command->argument != NULL && line.argument.len == 0)
		return reply_make(501, "5.5.4", command->argument);
	return command->run(s, line.argument);
}

/* Refused for its form or its order, not for what it asked. */
static bool
is_junk(const struct reply *reply)
{
	return (reply->code >= 500 && reply->code <= 504) ||
	       reply->code == 530 || reply->code == 555;
}

void
command_run(struct session *s, unsigned flaws)
{
	struct reply reply;

	if ((flaws & ~(unsigned)LINE_TOO_LONG) != 0) {
		reply = refuse_flaws(flaws);
	} else if (flaws != 0) {
		tarpit_delay(s, TARPIT_LIMIT);
		reply = reply_make(500, "5.5.2", "line too long");
	} else {
		reply = command_dispatch(s);
	}
	if (is_junk(&reply) && ++s->junk > SESSION_JUNK_MAX)
		reply = session_farewell(
		    421, "4.7.0", "too many bad commands, goodbye");
	session_say(s, &reply);
}

void
command_reset_transaction(struct session *s)
{
	transaction_reset(&s->tx);
	notes_reset(&s->notes);
	plugins_reset(s);
}

struct reply
refuse_flaws(unsigned flaws)
{
	if ((flaws & (LINE_HAS_NUL | LINE_BARE_CR)) != 0)
		return session_farewell(
		    550, "5.6.0", "NUL and bare CR are not allowed, goodbye");
	return session_farewell(
	    451, "4.6.0", "See https://cr.yp.to/docs/smtplf.html.");
}
