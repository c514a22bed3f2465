/*
 * The lines and variables of one delivery.  Everything here may come from
 * strangers by way of an address: no line gets an LF in its middle.
 */
#include "local/environment.h"
#include "base/env.h"
#include "base/error.h"
#include "mail/address.h"
#include "mail/date.h"

#include <stdio.h>

enum { PARTS_LAST = 4 /* EXT2..EXT4, HOST2..HOST4 */ };

/* Ends a line; whatever looked like an end before becomes '_'. */
static int
line_end(struct buf *line)
{
	for (size_t i = 0; line->err == 0 && i < line->len; i++)
		if (line->data[i] == '\n')
			line->data[i] = '_';
	buf_add_char(line, '\n');
	return line->err == 0 ? 0 : QE_NOMEM;
}

static int
make_from_line(struct buf *line, const char *sender, int64_t now)
{
	struct strv rest = strv_of(*sender == '\0' ? "MAILER-DAEMON" : sender);

	buf_add_str(line, "From ");
	for (size_t i = 0; i < rest.len; i++) {
		char c = rest.ptr[i];

		buf_add_char(
		    line, c == ' ' || c == '\t' || c == '\n' ? '-' : c);
	}
	buf_add_char(line, ' ');
	date_add_ctime(line, now);
	return line_end(line);
}

int
local_lines_make(
    struct local_lines *lines, const struct local_mail *mail, int64_t now)
{
	*lines = (struct local_lines){ .recipient = BUF_INIT };
	buf_add_str(&lines->recipient, mail->local);
	buf_add_char(&lines->recipient, '@');
	buf_add_str(&lines->recipient, mail->domain);
	if (buf_cstr(&lines->recipient) == NULL)
		return QE_NOMEM;
	buf_add_str(&lines->return_path, "Return-Path: <");
	address_add_quoted(&lines->return_path, strv_of(mail->sender));
	buf_add_char(&lines->return_path, '>');
	buf_add_str(&lines->delivered, "Delivered-To: ");
	buf_add_view(&lines->delivered, buf_view(&lines->recipient));
	if (line_end(&lines->return_path) != 0 ||
	    line_end(&lines->delivered) != 0)
		return QE_NOMEM;
	return make_from_line(&lines->from, mail->sender, now);
}

void
local_lines_clear(struct local_lines *lines)
{
	buf_free(&lines->recipient);
	buf_free(&lines->return_path);
	buf_free(&lines->delivered);
	buf_free(&lines->from);
}

struct strv
local_ext_after(struct strv ext, unsigned nth)
{
	while (nth-- > 0)
		strv_cut(&ext, '-', NULL);
	return ext;
}

struct strv
local_host_before(struct strv host, unsigned nth)
{
	while (nth-- > 0) {
		size_t dot = strv_rfind(host, '.');

		if (dot == STRV_NPOS)
			break;
		host = strv_head(host, dot);
	}
	return host;
}

/* Sets name from a view, by way of a scratch buffer. */
static int
set_view(const char *name, struct strv value, struct buf *scratch)
{
	const char *text;

	buf_reset(scratch);
	buf_add_view(scratch, value);
	text = buf_cstr(scratch);
	return text == NULL ? QE_NOMEM : env_set(name, text);
}

static int
set_parts(const struct local_mail *mail)
{
	struct buf scratch = BUF_INIT;
	int r = 0;

	for (unsigned i = 2; r == 0 && i <= PARTS_LAST; i++) {
		char name[sizeof("HOST0")];

		snprintf(name, sizeof(name), "EXT%u", i % 10);
		r = set_view(
		    name, local_ext_after(strv_of(mail->ext), i - 1), &scratch);
		if (r != 0)
			break;
		snprintf(name, sizeof(name), "HOST%u", i % 10);
		r = set_view(name,
		    local_host_before(strv_of(mail->domain), i - 1), &scratch);
	}
	buf_free(&scratch);
	return r;
}

/* One from a caller further up would be taken for ours. */
static int
set_remainder(const char *remainder)
{
	if (remainder != NULL)
		return env_set("DEFAULT", remainder);
	env_unset("DEFAULT");
	return 0;
}

int
local_environment_set(const struct local_mail *mail,
    const struct local_lines *lines, const char *new_sender)
{
	struct buf scratch = BUF_INIT;
	int r;

	if (env_set("SENDER", mail->sender) != 0 ||
	    env_set("NEWSENDER", new_sender) != 0 ||
	    env_set("USER", mail->user) != 0 ||
	    env_set("HOME", mail->home) != 0 ||
	    env_set("LOCAL", mail->local) != 0 ||
	    env_set("EXT", mail->ext) != 0 ||
	    env_set("HOST", mail->domain) != 0 || set_parts(mail) != 0 ||
	    set_remainder(mail->remainder) != 0)
		return QE_NOMEM;
	r = set_view("RECIPIENT", buf_view(&lines->recipient), &scratch);
	if (r == 0)
		r = set_view("DTLINE", buf_view(&lines->delivered), &scratch);
	if (r == 0)
		r = set_view("RPLINE", buf_view(&lines->return_path), &scratch);
	if (r == 0)
		r = set_view("UFLINE", buf_view(&lines->from), &scratch);
	buf_free(&scratch);
	return r == 0 ? 0 : QE_NOMEM;
}
