/*
 * The line "!lmtp:server [recipient]": which server, and what the recipient is
 * called there.  A virtual domain's address carries a prefix here that the
 * server knows nothing of, hence the variables.
 */
#include "local/lmtp_line.h"
#include "base/error.h"

enum { LMTP_RECIPIENT_MAX = 1002 };

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The value of a variable, or NULL if it is none of those. */
static const char *
variable(struct strv name, const struct local_mail *mail)
{
	if (strv_eq(name, STRV("USER")))
		return mail->user;
	if (strv_eq(name, STRV("LOCAL")))
		return mail->local;
	if (strv_eq(name, STRV("HOST")))
		return mail->domain;
	if (strv_eq(name, STRV("EXT")))
		return mail->ext;
	if (strv_eq(name, STRV("DEFAULT")))
		return mail->remainder == NULL ? "" : mail->remainder;
	return NULL;
}

static int
expand(struct strv text, const struct local_mail *mail, struct buf *out)
{
	while (text.len > 0) {
		size_t n = 1;
		const char *value;

		if (text.ptr[0] != '$') {
			buf_add_char(out, text.ptr[0]);
			text = strv_skip(text, 1);
			continue;
		}
		while (n < text.len && ascii_is_alpha(text.ptr[n]))
			n++;
		value = variable(strv_skip(strv_head(text, n), 1), mail);
		if (value == NULL)
			return QE_SYNTAX;
		buf_add_str(out, value);
		text = strv_skip(text, n);
	}
	return 0;
}

int
lmtp_line_parse(
    struct strv text, const struct local_mail *mail, struct lmtp_line *out)
{
	struct strv rest = strv_trim_blanks(text);
	size_t n = 0;
	int r;

	*out = (struct lmtp_line){ .recipient = BUF_LIMIT(LMTP_RECIPIENT_MAX) };
	while (n < rest.len && !is_blank(rest.ptr[n]))
		n++;
	r = lmtp_server_parse(strv_head(rest, n), &out->server);
	if (r != 0)
		return r;
	rest = strv_trim_blanks(strv_skip(rest, n));
	r = expand(
	    rest.len > 0 ? rest : STRV("$LOCAL@$HOST"), mail, &out->recipient);
	if (r == 0)
		r = out->recipient.err;
	if (r == 0 && out->recipient.len == 0)
		r = QE_SYNTAX;
	return r;
}

void
lmtp_line_clear(struct lmtp_line *line)
{
	buf_free(&line->recipient);
}
