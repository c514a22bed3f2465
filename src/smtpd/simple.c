/* The commands that need no more than a sentence. */
#include "smtpd/commands.h"

struct reply
command_rset(struct session *s, struct strv argument)
{
	(void)argument;
	command_reset_transaction(s);
	return reply_make(250, "2.0.0", "flushed");
}

struct reply
command_noop(struct session *s, struct strv argument)
{
	(void)s;
	(void)argument;
	return reply_make(250, "2.0.0", "ok");
}

struct reply
command_vrfy(struct session *s, struct strv argument)
{
	(void)s;
	(void)argument;
	return reply_make(252, "2.0.0", "send some mail, i'll try my best");
}

struct reply
command_help(struct session *s, struct strv argument)
{
	(void)s;
	(void)argument;
	return reply_make(214, "2.0.0", "qmail-md: see qmail-smtpd(8)");
}

struct reply
command_quit(struct session *s, struct strv argument)
{
	(void)argument;
	s->state = SESSION_QUIT;
	return reply_makef(
	    221, "2.0.0", STRV_FMT, STRV_ARG(s->settings.last_line));
}
