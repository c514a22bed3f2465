/*
 * Known spammers, fixed recipients and clients that have logged in by POP3.
 *
 * A value that cannot be used is an error: mail that was to go to one address
 * must not go to others because of a typing mistake.
 */
#include "smtpd/trust.h"
#include "base/clock.h"
#include "base/env.h"
#include "base/error.h"
#include "conf/opensmtp.h"
#include "mail/address.h"
#include "smtpd/log.h"

#include <limits.h>
#include <stdio.h>

/* An address, with or without <>; the empty view if there is none. */
static int
address_from(const char *variable, struct strv *out, struct control_error *err)
{
	struct strv v = strv_trim_blanks(strv_of(env_get(variable)));

	if (v.len > 1 && v.ptr[0] == '<' && v.ptr[v.len - 1] == '>')
		v = strv_from(v.ptr + 1, v.len - 2);
	if (v.len > ADDRESS_BYTES_MAX || address_is_poisoned(v)) {
		snprintf(err->text, sizeof(err->text),
		    "$%s: not an address that mail can go to", variable);
		return QE_SYNTAX;
	}
	*out = v;
	return 0;
}

/* control/databytes+; without it spammers have the limit of all others. */
static int
limit_spam(struct session *s, struct control_error *err)
{
	int r = control_int(CTL_DATABYTES_PLUS, &s->spam_size_max, err);

	if (r != QE_ABSENT)
		return r;
	s->spam_size_max = s->settings.size_max;
	return 0;
}

/* Has this client fetched its mail lately?  In doubt it has not. */
static int
find_login(struct session *s, struct strv directory, struct control_error *err)
{
	int64_t lifetime;
	int r = control_int(CTL_OPENSMTPTIME, &lifetime, err);

	if (r != 0 || directory.len == 0)
		return r;
	r = opensmtp_find(directory, s->peer.remote_ip, lifetime, clock_wall());
	if (r == 0) {
		s->relay = true;
		trust_forgive(s);
	} else if (r == QE_SYS || r == QE_NOMEM) {
		snprintf(err->text, sizeof(err->text),
		    "unable to look into the directory of control/opensmtp: %s",
		    error_result_text(r));
		log_trouble(s, err->text);
	}
	return 0;
}

static int
establish_login(struct session *s, struct control_error *err)
{
	struct buf directory = BUF_LIMIT(PATH_MAX);
	int r;

	if (s->relay)
		return 0;
	r = control_line(CTL_OPENSMTP, &directory, err);
	if (r == 0)
		r = find_login(s, buf_view(&directory), err);
	else if (r == QE_ABSENT)
		r = 0;
	buf_free(&directory);
	return r;
}

int
trust_read_addresses(struct session *s, struct control_error *err)
{
	int r = address_from("BLACKLISTED", &s->spam_to, err);

	if (r == 0)
		r = address_from("RCPTTOFIXED", &s->fixed_to, err);
	if (r == 0 && s->spam_to.len > 0)
		r = limit_spam(s, err);
	return r;
}

int
trust_establish(struct session *s, struct control_error *err)
{
	int r = trust_read_addresses(s, err);

	if (r == 0)
		r = establish_login(s, err);
	return r;
}

void
trust_forgive(struct session *s)
{
	s->is_forgiven = true;
}

bool
trust_is_spammer(const struct session *s)
{
	return s->spam_to.len > 0 && !s->is_forgiven;
}
