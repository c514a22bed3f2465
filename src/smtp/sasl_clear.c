/*
 * Clear passwords: PLAIN (RFC 4616), LOGIN, and POP3's USER and PASS; and
 * APOP (RFC 1939), which is no SASL but asks the same checkers.
 */
#include "base/error.h"
#include "smtp/sasl_mechanisms.h"

enum { APOP_DIGITS = 32 };

enum sasl_result
sasl_set_clear(struct sasl *x, struct strv user, struct strv password)
{
	/* Nobody has an empty password, and none with a NUL can be told. */
	if (password.len == 0 || strv_find(password, '\0') != STRV_NPOS)
		return SASL_REFUSED;
	buf_reset(&x->a);
	buf_add_view(&x->a, password);
	x->program = "plain";
	return sasl_set_user(x, user);
}

enum sasl_result
sasl_set_apop(
    struct sasl *x, struct strv user, struct strv digest, struct strv stamp)
{
	if (!sasl_is_hex(digest, APOP_DIGITS))
		return SASL_REFUSED;
	buf_reset(&x->a);
	buf_reset(&x->b);
	buf_add_lower(&x->a, digest);
	buf_add_view(&x->b, stamp);
	x->program = "apop";
	return sasl_set_user(x, user);
}

/* Name and password, each asked for. */
enum sasl_result
sasl_login_step(struct sasl *x, struct strv response, struct buf *out)
{
	if (x->turn == 1) {
		enum sasl_result r = sasl_set_user(x, response);

		/* The password is asked for all the same: a name that nobody
		 * has is found out no sooner than a wrong password. */
		if (r != SASL_CHECK)
			buf_reset(&x->user);
		buf_add_str(out, "Password:");
		return SASL_CONTINUE;
	}
	return sasl_set_clear(x, buf_view(&x->user), response);
}

/* [authzid] NUL authcid NUL password; nobody may act for another one. */
enum sasl_result
sasl_plain_step(struct sasl *x, struct strv response, struct buf *out)
{
	bool has_user, has_password;
	struct strv rest = response;
	struct strv acts_for = strv_cut(&rest, '\0', &has_user);
	struct strv user = strv_cut(&rest, '\0', &has_password);

	(void)out;
	if (!has_user || !has_password || strv_find(rest, '\0') != STRV_NPOS)
		return SASL_MALFORMED;
	if (acts_for.len > 0 && !strv_eq(acts_for, user))
		return SASL_REFUSED;
	return sasl_set_clear(x, user, rest);
}
