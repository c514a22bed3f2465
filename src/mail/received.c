/*
 * The Received field of the network servers.  Every word in it comes from
 * strangers, so each passes one filter and has a largest length.
 */
#include "mail/received.h"
#include "mail/date.h"

#include <string.h>

enum { WORD_MAX = 255 }; /* bytes: the longest domain of RFC 1035 */

static bool
is_plain(char c, const char *also)
{
	return ascii_is_alpha(c) || ascii_is_digit(c) ||
	       (c != '\0' && strchr(also, c) != NULL);
}

/* A word that had to be cut shows it by three dots. */
static void
add_filtered(struct buf *out, struct strv word, const char *also)
{
	struct strv head = strv_head(word, WORD_MAX);

	for (size_t i = 0; i < head.len; i++)
		buf_add_char(
		    out, is_plain(head.ptr[i], also) ? head.ptr[i] : '?');
	if (head.len < word.len)
		buf_add_str(out, "...");
}

static void
add_word(struct buf *out, struct strv word)
{
	add_filtered(out, word, ".@%+/=:-[]");
}

static struct strv
or_unknown(struct strv word)
{
	return word.len == 0 ? STRV("unknown") : word;
}

void
received_add(struct buf *out, const struct received *r)
{
	struct strv remote_host = or_unknown(r->remote_host);

	buf_add_str(out, "Received: from ");
	add_word(out, remote_host);
	if (r->helo.len > 0 && !strv_eq_nocase(r->helo, remote_host)) {
		buf_add_str(out, " (HELO ");
		add_word(out, r->helo);
		buf_add_char(out, ')');
	}
	buf_add_str(out, " (");
	if (r->remote_info.len > 0) {
		add_word(out, r->remote_info);
		buf_add_char(out, '@');
	}
	add_word(out, or_unknown(r->remote_ip));
	buf_add_str(out, ")\n  by ");
	add_word(out, or_unknown(r->local_host));
	buf_add_str(out, " with ");
	add_word(out, r->protocol);
	if (r->tls.len > 0) {
		buf_add_str(out, " (");
		add_filtered(out, r->tls, ".@%+/=:-[]_, ");
		buf_add_char(out, ')');
	}
	buf_add_str(out, "; ");
	date_add_822(out, r->time);
	buf_add_char(out, '\n');
}
