/*
 * The log of a session, one write(2) a line.  Escaping and the longest line
 * are base/log.h's; what is said and when it is wanted, is decided here.
 */
#include "smtpd/log.h"
#include "base/die.h"
#include "base/log.h"
#include "smtp/verb.h"
#include "smtpd/commands.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static void
log_text(int fd, const char *prefix, struct strv text)
{
	char usual[256];
	struct buf line = BUF_IN(usual, 2 * LOG_LINE_MAX);

	if (fd == 0)
		return;
	buf_add_str(&line, prefix);
	buf_add_view(&line, strv_head(text, LOG_LINE_MAX));
	if (line.err == 0)
		log_line(fd, die_name(), buf_view(&line));
	buf_free(&line);
}

/*
 * AUTH may hold a password, and what is no command behind it may be what the
 * client still has to say of it.
 */
void
log_client(const struct session *s, struct strv line)
{
	struct strv verb = verb_split(strv_trim_blanks(line)).verb;

	if (!s->settings.log.in)
		return;
	if (strv_eq_nocase(verb, STRV("AUTH")))
		line = STRV("AUTH [...]");
	else if (s->hides_input && !command_is_known(verb))
		line = STRV("[...]");
	log_text(s->settings.log.fd, "C: ", line);
}

void
log_server(const struct session *s, struct strv text)
{
	if (!s->settings.log.out)
		return;
	while (text.len > 0) {
		struct strv line = strv_cut(&text, '\n', NULL);

		if (line.len > 0 && line.ptr[line.len - 1] == '\r')
			line.len--;
		log_text(s->settings.log.fd, "S: ", line);
	}
}

void
log_envelope(const struct session *s, const char *tag)
{
	log_envelope_about(s, tag, NULL);
}

void
log_envelope_about(const struct session *s, const char *tag, const char *about)
{
	char usual[256];
	struct buf line = BUF_IN(usual, 0);
	const struct transaction *t = &s->tx;

	buf_addf(&line, "%s:", tag);
	if (t->open || t->sender.len > 0)
		buf_addf(
		    &line, " <" STRV_FMT ">", STRV_ARG(buf_view(&t->sender)));
	if (t->candidate.len > 0)
		buf_addf(&line, " to <" STRV_FMT ">",
		    STRV_ARG(buf_view(&t->candidate)));
	buf_addf(&line, " | helo(" STRV_FMT ")", STRV_ARG(buf_view(&s->helo)));
	if (about != NULL)
		buf_addf(&line, " | %s", about);
	if (line.err == 0)
		log_text(s->settings.log.fd, "", buf_view(&line));
	buf_free(&line);
}

void
log_event(const struct session *s, const char *format, ...)
{
	char text[LOG_LINE_MAX + 1];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	log_text(s->settings.log.fd, "", strv_of(text));
}

void
log_trouble(const struct session *s, const char *text)
{
	int fd = s->settings.log.fd;

	log_text(fd == 0 ? STDERR_FILENO : fd, "", strv_of(text));
}
