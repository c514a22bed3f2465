/*
 * PLAIN, LOGIN, CRAM-* and SCRAM-SHA-256 as a client.
 *
 * Names and passwords are sent as they stand in control/smtprelays: they are
 * not normalised (RFC 4013), which matters for other letters than ASCII only.
 */
#include "smtp/sasl_client.h"

#include "base/error.h"
#include "base/secret.h"
#include "mail/base64.h"

#include <string.h>

static const char *const names[SASL_CLIENT_METHODS] = { "NONE", "LOGIN",
	"PLAIN", "CRAM-MD5", "CRAM-SHA1", "CRAM-RIPEMD", "SCRAM-SHA-256" };

/* Our channel binding: none, and none that we would know of ("n,,"). */
static const char no_binding[] = "n,,";
static const char no_binding_base64[] = "biws";

const char *
sasl_client_name(enum sasl_client_method method)
{
	return names[method];
}

static bool
is_offered(struct strv offered, struct strv name)
{
	while (offered.len > 0) {
		struct strv word = strv_cut(&offered, ' ', NULL);

		if (strv_eq_nocase(strv_trim_blanks(word), name))
			return true;
	}
	return false;
}

enum sasl_client_method
sasl_client_choose(struct strv offered, struct strv named, bool has_tls)
{
	for (int m = SASL_CLIENT_METHODS - 1; m > SASL_CLIENT_NONE; m--) {
		struct strv name = strv_of(names[m]);

		if (!is_offered(offered, name))
			continue;
		if (named.len > 0 ? strv_eq_nocase(named, name)
				  : has_tls || m > SASL_CLIENT_PLAIN)
			return (enum sasl_client_method)m;
	}
	return SASL_CLIENT_NONE;
}

void
sasl_client_init(struct sasl_client *c, enum sasl_client_method method,
    struct strv user, struct strv password, const char *nonce,
    const struct sasl_client_digests *digests)
{
	struct strv n = strv_head(strv_of(nonce), SASL_CLIENT_NONCE_MAX);

	*c = (struct sasl_client){ .method = method,
		.user = user,
		.password = password,
		.digests = digests,
		.signature = BUF_LIMIT(SASL_CLIENT_TEXT_MAX) };
	memcpy(c->nonce, n.ptr, n.len);
}

void
sasl_client_clear(struct sasl_client *c)
{
	buf_free_secret(&c->signature);
	c->user = c->password = STRV_EMPTY;
}

/* RFC 5802 section 5.1: a comma ends a value. */
static void
add_saslname(struct buf *out, struct strv name)
{
	for (size_t i = 0; i < name.len; i++) {
		if (name.ptr[i] == ',')
			buf_add_str(out, "=2C");
		else if (name.ptr[i] == '=')
			buf_add_str(out, "=3D");
		else
			buf_add_char(out, name.ptr[i]);
	}
}

static void
add_first_bare(const struct sasl_client *c, struct buf *out)
{
	buf_add_str(out, "n=");
	add_saslname(out, c->user);
	buf_add_str(out, ",r=");
	buf_add_str(out, c->nonce);
}

bool
sasl_client_initial(struct sasl_client *c, struct buf *out)
{
	if (c->method == SASL_CLIENT_PLAIN) {
		buf_add_char(out, '\0');
		buf_add_view(out, c->user);
		buf_add_char(out, '\0');
		buf_add_view(out, c->password);
		c->done = true;
		return true;
	}
	if (c->method != SASL_CLIENT_SCRAM_SHA_256)
		return false;
	buf_add_str(out, no_binding);
	add_first_bare(c, out);
	return true;
}

/* "User Name" and "Password", whatever the server calls them. */
static int
answer_login(struct sasl_client *c, struct buf *out)
{
	if (c->step > 2)
		return QE_SYNTAX;
	buf_add_view(out, c->step == 1 ? c->user : c->password);
	c->done = c->step == 2;
	return 0;
}

static int
answer_cram(struct sasl_client *c, struct strv challenge, struct buf *out)
{
	struct buf hex = BUF_INIT;
	int r;

	if (c->step > 1 || challenge.len == 0)
		return QE_SYNTAX;
	r = c->digests->cram(
	    c->digests->state, c->method, c->password, challenge, &hex);
	if (r == 0)
		r = hex.err;
	if (r == 0) {
		buf_add_view(out, c->user);
		buf_add_char(out, ' ');
		buf_add_view(out, buf_view(&hex));
		c->done = true;
	}
	buf_free_secret(&hex);
	return r;
}

/* "x=value" at the front, up to a comma. */
static int
take_attribute(struct strv *rest, char name, struct strv *value)
{
	struct strv item = strv_cut(rest, ',', NULL);

	if (item.len < 2 || item.ptr[0] != name || item.ptr[1] != '=')
		return QE_SYNTAX;
	*value = strv_skip(item, 2);
	return 0;
}

struct server_first {
	struct strv nonce;
	struct buf salt;
	unsigned iterations;
};

/* The server's nonce goes on where ours ends. */
static int
parse_server_first(
    const struct sasl_client *c, struct strv text, struct server_first *out)
{
	struct strv ours = strv_of(c->nonce);
	struct strv salt, count;
	uint64_t number;
	int r = take_attribute(&text, 'r', &out->nonce);

	if (r == 0)
		r = take_attribute(&text, 's', &salt);
	if (r == 0)
		r = take_attribute(&text, 'i', &count);
	if (r < 0 || !strv_starts(out->nonce, ours) ||
	    out->nonce.len == ours.len)
		return QE_SYNTAX;
	if (strv_to_u64(count, SASL_CLIENT_ITERATIONS_MAX, &number) < 0 ||
	    number < SASL_CLIENT_ITERATIONS_MIN)
		return QE_SYNTAX;
	out->iterations = (unsigned)number;
	r = base64_decode(&out->salt, salt);
	return r == 0 && out->salt.len == 0 ? QE_SYNTAX : r;
}

/* AuthMessage: all that was said, and our last words but for the proof. */
static void
add_auth_message(const struct sasl_client *c, struct strv server_first,
    struct strv last, struct buf *out)
{
	add_first_bare(c, out);
	buf_add_char(out, ',');
	buf_add_view(out, server_first);
	buf_add_char(out, ',');
	buf_add_view(out, last);
}

static int
prove(struct sasl_client *c, struct strv server_first,
    const struct server_first *first, struct buf *out)
{
	struct buf message = BUF_LIMIT(4 * SASL_CLIENT_TEXT_MAX);
	struct buf proof = BUF_INIT, last = BUF_INIT;
	int r;

	buf_addf(&last, "c=%s,r=", no_binding_base64);
	buf_add_view(&last, first->nonce);
	add_auth_message(c, server_first, buf_view(&last), &message);
	r = message.err != 0 ? message.err : last.err;
	if (r == 0)
		r = c->digests->scram(c->digests->state, c->password,
		    buf_view(&first->salt), first->iterations,
		    buf_view(&message), &proof, &c->signature);
	if (r == 0) {
		buf_add_view(out, buf_view(&last));
		buf_add_str(out, ",p=");
		base64_encode(out, buf_view(&proof));
	}
	buf_free(&message);
	buf_free(&last);
	buf_free_secret(&proof);
	return r;
}

static int
answer_server_first(
    struct sasl_client *c, struct strv challenge, struct buf *out)
{
	struct server_first first = { .salt = BUF_LIMIT(SASL_CLIENT_TEXT_MAX) };
	int r = parse_server_first(c, challenge, &first);

	if (r == 0)
		r = prove(c, challenge, &first, out);
	buf_free(&first.salt);
	return r;
}

/* "v=signature", or "e=" and an error. */
static int
check_server_final(struct sasl_client *c, struct strv challenge)
{
	struct buf shown = BUF_LIMIT(SASL_CLIENT_TEXT_MAX);
	struct strv value;
	int r = take_attribute(&challenge, 'v', &value);

	if (r == 0)
		r = base64_decode(&shown, value);
	if (r == 0 &&
	    (c->signature.len == 0 ||
		!secret_equal_view(buf_view(&shown), buf_view(&c->signature))))
		r = QE_DENIED;
	c->done = r == 0;
	buf_free(&shown);
	return r;
}

static int
answer_scram(struct sasl_client *c, struct strv challenge, struct buf *out)
{
	switch (c->step) {
	case 1:
		return answer_server_first(c, challenge, out);
	case 2:
		return check_server_final(c, challenge);
	default:
		return QE_SYNTAX;
	}
}

int
sasl_client_answer(
    struct sasl_client *c, struct strv challenge, struct buf *out)
{
	int r = QE_SYNTAX;

	if (c->done || challenge.len > SASL_CLIENT_TEXT_MAX)
		return QE_SYNTAX;
	c->step++;
	switch (c->method) {
	case SASL_CLIENT_NONE:
	case SASL_CLIENT_PLAIN:
	case SASL_CLIENT_METHODS:
		break;
	case SASL_CLIENT_LOGIN:
		r = answer_login(c, out);
		break;
	case SASL_CLIENT_CRAM_MD5:
	case SASL_CLIENT_CRAM_SHA1:
	case SASL_CLIENT_CRAM_RIPEMD:
		r = answer_cram(c, challenge, out);
		break;
	case SASL_CLIENT_SCRAM_SHA_256:
		r = answer_scram(c, challenge, out);
		break;
	}
	return r == 0 ? out->err : r;
}
