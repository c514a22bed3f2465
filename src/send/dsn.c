/*
 * Delivery status notifications (RFC 3461 section 6, RFC 3462, RFC 3464).
 *
 * Reports hold what strangers said: here every byte of them that is not
 * printable ASCII becomes a question mark, and none ends a line.
 */
#include "send/dsn.h"
#include "base/error.h"
#include "base/secret.h"
#include "mail/address.h"
#include "mail/date.h"

#include <stdio.h>

enum { DETAIL_DIGITS = 3 }; /* of "5.123.123" */

static const char said_text[] = "Remote host said: ";
static const char expired_text[] =
    "this message has been in the queue too long";

int
dsn_init(struct dsn *d, uint64_t id, int64_t now)
{
	uint64_t random;

	if (secret_random(&random, sizeof(random)) != 0)
		return QE_SYS;
	snprintf(d->boundary, sizeof(d->boundary), "=_%jx.%jx.%jx",
	    (uintmax_t)id, (uintmax_t)now, (uintmax_t)random);
	d->eight_bit = false;
	return 0;
}

bool
dsn_has_eight_bit(struct strv bytes)
{
	for (size_t i = 0; i < bytes.len; i++)
		if ((unsigned char)bytes.ptr[i] > 127)
			return true;
	return false;
}

static void
add_encoding(struct buf *out, const struct dsn *d)
{
	if (d->eight_bit)
		buf_add_str(out, "Content-Transfer-Encoding: 8bit\n");
}

/* The line end in front belongs to the boundary, not to the part. */
static void
add_part(struct buf *out, const struct dsn *d, const char *what,
    const char *description)
{
	buf_addf(out, "\n--%s\nContent-Type: %s\nContent-Description: %s\n",
	    d->boundary, what, description);
}

void
dsn_add_head(struct buf *out, const struct dsn *d,
    const struct send_config *config, const struct bounce *b, int64_t now)
{
	bounce_add_fields(out, config, b, now);
	buf_addf(out,
	    "MIME-Version: 1.0\n"
	    "Auto-Submitted: auto-replied\n"
	    "Content-Type: multipart/report; report-type=delivery-status;\n"
	    "\tboundary=\"%s\"\n",
	    d->boundary);
	add_encoding(out, d);
	add_part(out, d, "text/plain; charset=utf-8", "what happened");
	add_encoding(out, d);
	buf_add_char(out, '\n');
	bounce_add_text(out, config, b);
}

static void
add_plain(struct buf *out, struct strv text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		buf_add_char(out, c < ' ' || c > '~' ? '?' : text.ptr[i]);
	}
}

void
dsn_add_status(struct buf *out, const struct dsn *d,
    const struct send_config *config, int64_t birth)
{
	add_part(out, d, "message/delivery-status", "the same for programs");
	buf_add_str(out, "\nReporting-MTA: dns; ");
	add_plain(out, buf_view(&config->bouncehost));
	buf_add_str(out, "\nArrival-Date: ");
	date_add_822(out, birth);
	buf_add_char(out, '\n');
}

/* Digits of one part of a status, "5" or "123"; the rest in *rest. */
static bool
take_digits(struct strv *rest, size_t max)
{
	size_t n = 0;

	while (n < rest->len && n < max && ascii_is_digit(rest->ptr[n]))
		n++;
	*rest = strv_skip(*rest, n);
	return n > 0;
}

/* The status at the front of text, "5.1.1", or an empty view. */
static struct strv
status_at(struct strv text)
{
	struct strv rest = text;
	bool fits = take_digits(&rest, 1);

	for (int part = 0; fits && part < 2; part++) {
		fits = rest.len > 0 && rest.ptr[0] == '.';
		rest = strv_skip(rest, 1);
		fits = fits && take_digits(&rest, DETAIL_DIGITS);
	}
	if (!fits || (rest.len > 0 &&
			 (ascii_is_digit(rest.ptr[0]) || rest.ptr[0] == '.')))
		return STRV_EMPTY;
	return strv_head(text, text.len - rest.len);
}

/* What stands behind the needle in text, or an empty view. */
static struct strv
behind(struct strv text, struct strv needle)
{
	for (; text.len >= needle.len; text = strv_skip(text, 1))
		if (strv_starts(text, needle))
			return strv_skip(text, needle.len);
	return STRV_EMPTY;
}

/* The server's own code, "550 5.1.1 who?", goes before ours, "(#5.1.1)". */
static struct strv
find_status(struct strv report)
{
	struct strv said = behind(report, strv_of(said_text));
	struct strv status = status_at(strv_skip(said, 4));

	if (status.len == 0)
		status = status_at(behind(report, STRV("(#")));
	if (behind(report, strv_of(expired_text)).len > 0)
		return STRV("4.4.7");
	if (status.len == 0 || status.ptr[0] != '5')
		return STRV("5.0.0");
	return status;
}

static void
add_diagnostic(struct buf *out, struct strv report)
{
	struct strv said = behind(report, strv_of(said_text));
	struct strv rest = said.len > 0 ? said : report;
	size_t used = 0;

	buf_add_str(out, said.len > 0 ? "Diagnostic-Code: smtp;"
				      : "Diagnostic-Code: x-qmail;");
	/* A reply of several lines is several lines here. */
	while (rest.len > 0 && used < DSN_DIAGNOSTIC_MAX) {
		struct strv line = strv_head(
		    strv_cut(&rest, '\n', NULL), DSN_DIAGNOSTIC_MAX - used);

		if (line.len > 0) {
			buf_add_str(out, used == 0 ? " " : "\n\t");
			add_plain(out, line);
		}
		used += line.len + 1;
	}
	buf_add_char(out, '\n');
}

/* Where the next paragraph ends: behind its empty line. */
static struct strv
take_paragraph(struct strv *rest)
{
	struct strv whole = *rest;

	while (rest->len > 0) {
		struct strv line = strv_cut(rest, '\n', NULL);

		if (line.len == 0)
			break;
	}
	return strv_head(whole, whole.len - rest->len);
}

bool
dsn_add_recipient(struct buf *out, struct strv *rest)
{
	struct buf address = BUF_INIT;
	struct strv report, recipient, status;

	if (rest->len == 0)
		return false;
	report = take_paragraph(rest);
	recipient = strv_cut(&report, '\n', NULL);
	if (!strv_starts(recipient, STRV("<")) || recipient.len < 3)
		return true; /* not one of our paragraphs */
	recipient = strv_from(recipient.ptr + 1, recipient.len - 3);
	address_add_quoted(&address, recipient);
	status = find_status(report);
	buf_add_str(out, "\nFinal-Recipient: rfc822; ");
	add_plain(out, buf_view(&address));
	buf_add_str(out, "\nAction: failed\nStatus: ");
	buf_add_view(out, status);
	buf_add_char(out, '\n');
	add_diagnostic(out, report);
	buf_free(&address);
	return true;
}

void
dsn_add_message(struct buf *out, const struct dsn *d, struct strv sender)
{
	add_part(out, d, "message/rfc822", "the message");
	add_encoding(out, d);
	buf_add_char(out, '\n');
	bounce_add_return_path(out, sender);
}

void
dsn_add_end(struct buf *out, const struct dsn *d)
{
	buf_addf(out, "\n--%s--\n", d->boundary);
}
