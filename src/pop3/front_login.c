/*
 * Logins: USER and PASS, APOP (RFC 1939 section 7), AUTH (RFC 1734, RFC
 * 5034).  The exchanges of AUTH are smtp/sasl's; whether a password is right,
 * the keeper finds out.
 *
 * A login that is refused is answered after control/auth/delay, and three of
 * them end the session.
 */
#include "base/clock.h"
#include "base/error.h"
#include "pop3/front.h"
#include "pop3/link.h"

#include <poll.h>
#include <string.h>

/* Waiting costs nothing, and ends when the client hangs up. */
static void
front_delay(struct popup *p)
{
	if (p->settings.delay_seconds == 0)
		return;
	if (pop3_flush(&p->conn) != 0 ||
	    io_wait(p->conn.in.fd, POLLRDHUP,
		clock_deadline(p->settings.delay_seconds)) == 0)
		front_end(p);
}

static void
front_refuse(struct popup *p, const char *text)
{
	if (++p->failures >= POPUP_FAILURES_MAX)
		front_fail(p, text);
	pop3_err(&p->conn, text);
}

/*
 * The keeper's word about the login.  While it waits for that the front holds
 * no password any more.
 */
static enum link_answer
front_ask(struct popup *p, struct sasl *x)
{
	struct buf datagram = BUF_LIMIT(LINK_MAX);
	enum link_answer answer;
	int r;

	buf_reserve(&datagram, LINK_MAX);
	link_encode_login(&datagram, x);
	sasl_free(x);
	pop3_conn_forget(&p->conn);
	r = datagram.err;
	if (r == 0)
		r = link_send(p->link, buf_view(&datagram));
	buf_free_secret(&datagram);
	if (r == 0)
		r = link_receive(p->link, &datagram);
	if (r != 0)
		front_end(p);
	answer = (enum link_answer)(unsigned char)datagram.data[0];
	buf_free(&datagram);
	return answer;
}

/* The end of an exchange, good or bad. */
static void
front_conclude(struct popup *p, enum sasl_result result, struct sasl *x)
{
	enum link_answer answer = LINK_TEMPORARY;

	if (pop3_flush(&p->conn) != 0)
		result = SASL_FAILED;
	if (result == SASL_CHECK)
		answer = front_ask(p, x);
	else if (result == SASL_REFUSED)
		answer = LINK_REFUSED;
	if (result != SASL_CHECK)
		sasl_free(x);
	buf_reset(&p->user);
	switch (answer) {
	case LINK_REFUSED:
		front_delay(p);
		front_refuse(p, "[AUTH] authorization failed");
		return;
	case LINK_CRASHED:
		front_refuse(p, "[SYS/TEMP] aack, child crashed");
		return;
	case LINK_TEMPORARY:
		break;
	}
	front_refuse(p, "[SYS/TEMP] authorization failed for now");
}

void
front_pass(struct popup *p, struct strv password)
{
	struct sasl x;

	if (p->user.len == 0) {
		pop3_junk(&p->conn, "USER first");
	} else if (password.len == 0) {
		pop3_junk(&p->conn, "syntax error");
	} else {
		sasl_init(&x, "pop", strv_of(p->host));
		front_conclude(
		    p, sasl_set_clear(&x, buf_view(&p->user), password), &x);
	}
}

void
front_apop(struct popup *p, struct strv argument)
{
	struct strv digest = strv_trim_blanks(argument);
	struct strv name = strv_cut(&digest, ' ', NULL);
	struct sasl x;

	digest = strv_trim_blanks(digest);
	if (name.len == 0 || digest.len == 0) {
		pop3_junk(&p->conn, "syntax error");
		return;
	}
	sasl_init(&x, "pop", strv_of(p->host));
	front_conclude(
	    p, sasl_set_apop(&x, name, digest, buf_view(&p->stamp)), &x);
}

/* Challenges and responses until something comes of it. */
static enum sasl_result
front_exchange(struct popup *p, struct sasl *x, const struct sasl_mechanism *m,
    struct strv initial)
{
	struct buf challenge = BUF_LIMIT(SASL_CHALLENGE_MAX);
	struct buf line = BUF_LIMIT(SASL_LINE_MAX);
	enum sasl_result result = sasl_begin(x, m, initial, &challenge);

	buf_reserve(&line, SASL_LINE_MAX);
	while (result == SASL_CONTINUE) {
		int r;

		pop3_challenge(&p->conn, buf_view(&challenge));
		r = pop3_next_response(&p->conn, &line);
		if (r == QE_SYNTAX)
			result = SASL_MALFORMED;
		else if (r != 0)
			front_end(p);
		else
			result = sasl_step(x, buf_view(&line), &challenge);
	}
	buf_free(&challenge);
	buf_free_secret(&line);
	return result;
}

/* AUTH without a name: what there is, as RFC 1734's clients ask. */
static void
front_list_mechanisms(struct popup *p)
{
	struct buf names = BUF_INIT;
	struct strv rest;

	sasl_add_names(&names, popup_mechanisms(p));
	rest = strv_trim_blanks(buf_view(&names));
	pop3_ok(&p->conn, "");
	while (rest.len > 0) {
		sink_put_view(&p->conn.out, strv_cut(&rest, ' ', NULL));
		sink_put_str(&p->conn.out, "\r\n");
	}
	sink_put_str(&p->conn.out, ".\r\n");
	buf_free(&names);
}

void
front_auth(struct popup *p, struct strv argument)
{
	struct strv initial = strv_trim_blanks(argument);
	struct strv name = strv_cut(&initial, ' ', NULL);
	const struct sasl_mechanism *m = sasl_find(name, popup_mechanisms(p));
	enum sasl_result result;
	struct sasl x;

	if (name.len == 0) {
		front_list_mechanisms(p);
		return;
	}
	if (m == NULL) {
		pop3_junk(&p->conn, "no such mechanism here");
		return;
	}
	sasl_init(&x, "pop", strv_of(p->host));
	result = front_exchange(p, &x, m, strv_trim_blanks(initial));
	if (result == SASL_CANCELLED || result == SASL_MALFORMED) {
		sasl_free(&x);
		pop3_junk(&p->conn, result == SASL_CANCELLED
					? "authorization cancelled"
					: "syntax error");
		return;
	}
	front_conclude(p, result, &x);
}
