/* smtp/sasl: what each mechanism hands to a checker, and what it refuses. */
#include "mail/base64.h"
#include "smtp/sasl.h"
#include "smtp/sasl_mechanisms.h"
#include "unit.h"

struct exchange {
	struct sasl x;
	struct buf challenge; /* as it goes over the wire */
	struct buf plain;     /* the same, decoded */
};

static void
open_exchange(struct exchange *e)
{
	*e = (struct exchange){ .challenge = BUF_LIMIT(SASL_CHALLENGE_MAX) };
	sasl_init(&e->x, "smtp", STRV("mx.example.org"));
}

static void
close_exchange(struct exchange *e)
{
	sasl_free(&e->x);
	buf_free(&e->challenge);
	buf_free(&e->plain);
}

static void
decode_challenge(struct exchange *e)
{
	buf_reset(&e->plain);
	assert_int_equal(base64_decode(&e->plain, buf_view(&e->challenge)), 0);
}

static enum sasl_result
begin(struct exchange *e, const char *name, struct strv initial)
{
	const struct sasl_mechanism *m = sasl_find(strv_of(name), SASL_ALL);
	enum sasl_result r;

	assert_non_null(m);
	r = sasl_begin(&e->x, m, initial, &e->challenge);
	decode_challenge(e);
	return r;
}

static enum sasl_result
step(struct exchange *e, struct strv plain)
{
	struct buf coded = BUF_LIMIT(2 * SASL_LINE_MAX);
	enum sasl_result r;

	base64_encode(&coded, plain);
	r = sasl_step(&e->x, buf_view(&coded), &e->challenge);
	decode_challenge(e);
	buf_free(&coded);
	return r;
}

static enum sasl_result
plain_result(struct strv response)
{
	struct exchange e;
	enum sasl_result r;

	open_exchange(&e);
	assert_int_equal(begin(&e, "PLAIN", STRV_EMPTY), SASL_CONTINUE);
	assert_int_equal(e.challenge.len, 0);
	r = step(&e, response);
	close_exchange(&e);
	return r;
}

static void
test_sasl_names(void **state)
{
	struct buf names = BUF_INIT;

	(void)state;
	sasl_add_names(&names, 0);
	assert_buf(&names, "");
	sasl_add_names(&names, SASL_LOGIN | SASL_PLAIN | SASL_SCRAM_SHA_256);
	assert_buf(&names, " LOGIN PLAIN SCRAM-SHA-256");
	assert_null(sasl_find(STRV("PLAIN"), SASL_ALL & ~SASL_PLAIN));
	assert_null(sasl_find(STRV("PLAI"), SASL_ALL));
	assert_null(sasl_find(STRV(""), SASL_ALL));
	assert_null(sasl_find(STRV("GSSAPI"), SASL_ALL));
	assert_int_equal(
	    sasl_find(STRV("cram-md5"), SASL_CRAM_MD5)->bit, SASL_CRAM_MD5);
	buf_free(&names);
}

static void
test_sasl_plain(void **state)
{
	struct exchange e;
	char longest[600] = "\0joe\0";

	(void)state;
	open_exchange(&e);
	assert_int_equal(
	    begin(&e, "PLAIN", STRV("AGpvZQBzZSBjcmV0")), SASL_CHECK);
	assert_buf(&e.x.user, "joe");
	assert_buf(&e.x.a, "se cret");
	assert_buf(&e.x.b, "");
	assert_string_equal(e.x.program, "plain");
	assert_int_equal(
	    sasl_accepted(&e.x, STRV_EMPTY, &e.challenge), SASL_DONE);
	close_exchange(&e);
	assert_int_equal(plain_result(STRV("joe\0joe\0x")), SASL_CHECK);
	assert_int_equal(plain_result(STRV("root\0joe\0x")), SASL_REFUSED);
	assert_int_equal(plain_result(STRV("\0joe\0")), SASL_REFUSED);
	assert_int_equal(plain_result(STRV("\0\0x")), SASL_REFUSED);
	assert_int_equal(plain_result(STRV("\0jo\ne\0x")), SASL_REFUSED);
	assert_int_equal(plain_result(STRV("\0joe\0x\0")), SASL_MALFORMED);
	assert_int_equal(plain_result(STRV("\0joe\0x\0y")), SASL_MALFORMED);
	assert_int_equal(plain_result(STRV("\0joe")), SASL_MALFORMED);
	assert_int_equal(plain_result(STRV("")), SASL_MALFORMED);
	memset(longest + 5, 'x', sizeof(longest) - 5);
	assert_int_equal(
	    plain_result(strv_from(longest, sizeof(longest))), SASL_REFUSED);
}

static void
test_sasl_plain_is_strict_base64(void **state)
{
	struct exchange e;

	(void)state;
	open_exchange(&e);
	assert_int_equal(
	    begin(&e, "PLAIN", STRV("AGpvZQBzZWNyZXQ")), SASL_MALFORMED);
	assert_int_equal(begin(&e, "PLAIN", STRV("=")), SASL_MALFORMED);
	assert_int_equal(begin(&e, "PLAIN", STRV_EMPTY), SASL_CONTINUE);
	assert_int_equal(
	    sasl_step(&e.x, STRV("AGpv ZQBz"), &e.challenge), SASL_MALFORMED);
	assert_int_equal(
	    sasl_step(&e.x, STRV("*"), &e.challenge), SASL_CANCELLED);
	close_exchange(&e);
}

static void
test_sasl_login(void **state)
{
	struct exchange e;

	(void)state;
	open_exchange(&e);
	assert_int_equal(begin(&e, "LOGIN", STRV_EMPTY), SASL_CONTINUE);
	assert_buf(&e.challenge, "VXNlcm5hbWU6");
	assert_int_equal(step(&e, STRV("joe")), SASL_CONTINUE);
	assert_buf(&e.challenge, "UGFzc3dvcmQ6");
	assert_int_equal(step(&e, STRV("secret")), SASL_CHECK);
	assert_buf(&e.x.user, "joe");
	assert_buf(&e.x.a, "secret");
	close_exchange(&e);

	open_exchange(&e);
	assert_int_equal(begin(&e, "LOGIN", STRV("am9l")), SASL_CONTINUE);
	assert_buf(&e.plain, "Password:");
	assert_int_equal(step(&e, STRV("a\0b")), SASL_REFUSED);
	close_exchange(&e);

	/* No sooner than a wrong password. */
	open_exchange(&e);
	assert_int_equal(begin(&e, "LOGIN", STRV_EMPTY), SASL_CONTINUE);
	assert_int_equal(step(&e, STRV("jo\0e")), SASL_CONTINUE);
	assert_int_equal(step(&e, STRV("secret")), SASL_REFUSED);
	close_exchange(&e);
}

static void
test_sasl_cram(void **state)
{
	struct buf before = BUF_INIT;
	struct exchange e;

	(void)state;
	for (int i = 0; i < 2; i++) {
		open_exchange(&e);
		assert_int_equal(
		    begin(&e, "CRAM-MD5", STRV_EMPTY), SASL_CONTINUE);
		assert_true(strv_starts(buf_view(&e.plain), STRV("<")));
		assert_true(strv_ends_nocase(
		    buf_view(&e.plain), STRV("@mx.example.org>")));
		/* Never the same one twice. */
		assert_false(strv_eq(buf_view(&before), buf_view(&e.plain)));
		buf_reset(&before);
		buf_add_view(&before, buf_view(&e.plain));
		assert_int_equal(
		    step(&e, STRV("two words "
				  "0123456789ABCDEF0123456789abcdef")),
		    SASL_CHECK);
		assert_buf(&e.x.user, "two words");
		assert_same(buf_view(&e.x.a), buf_view(&before));
		assert_buf(&e.x.b, "0123456789abcdef0123456789abcdef");
		assert_string_equal(e.x.program, "cram-md5");
		close_exchange(&e);
	}
	buf_free(&before);
	open_exchange(&e);
	assert_int_equal(begin(&e, "CRAM-SHA1", STRV("am9l")), SASL_MALFORMED);
	assert_int_equal(begin(&e, "CRAM-SHA1", STRV_EMPTY), SASL_CONTINUE);
	assert_int_equal(step(&e, STRV("joe 0123456789abcdef0123456789abcdef")),
	    SASL_MALFORMED);
	close_exchange(&e);
}

/* A good answer to the challenge of e, with one value as given. */
static void
add_digest(
    struct exchange *e, struct buf *out, const char *nonce, const char *rest)
{
	struct strv challenge = buf_view(&e->plain);
	struct strv real;

	(void)strv_cut(&challenge, '"', NULL);
	(void)strv_cut(&challenge, '"', NULL);
	(void)strv_cut(&challenge, '"', NULL);
	real = strv_cut(&challenge, '"', NULL);
	buf_reset(out);
	buf_addf(out,
	    "username=\"joe\",nonce=\"" STRV_FMT "\",cnonce=\"c\\\"n\","
	    "response=0123456789abcdef0123456789abcdef%s",
	    STRV_ARG(nonce == NULL ? real : strv_of(nonce)), rest);
}

static enum sasl_result
digest_result(const char *nonce, const char *rest)
{
	struct buf response = BUF_INIT;
	struct exchange e;
	enum sasl_result r;

	open_exchange(&e);
	assert_int_equal(begin(&e, "DIGEST-MD5", STRV_EMPTY), SASL_CONTINUE);
	add_digest(&e, &response, nonce, rest);
	r = step(&e, buf_view(&response));
	buf_free(&response);
	close_exchange(&e);
	return r;
}

#define GOOD ",nc=00000001,qop=auth,digest-uri=\"smtp/mx.example.org\""

static void
test_sasl_digest(void **state)
{
	struct buf response = BUF_INIT;
	struct exchange e;

	(void)state;
	open_exchange(&e);
	assert_int_equal(begin(&e, "DIGEST-MD5", STRV_EMPTY), SASL_CONTINUE);
	assert_true(strv_starts(
	    buf_view(&e.plain), STRV("realm=\"mx.example.org\",nonce=\"")));
	add_digest(&e, &response, NULL,
	    GOOD ",realm=\"mx.example.org\" , ,charset=utf-8,maxbuf=65536");
	assert_int_equal(step(&e, buf_view(&response)), SASL_CHECK);
	assert_buf(&e.x.user, "joe");
	assert_buf(&e.x.a, "0123456789abcdef0123456789abcdef");
	assert_true(strv_starts(buf_view(&e.x.facts),
	    STRV("nc=00000001\nqop=auth\nrealm=mx.example.org\nnonce=")));
	assert_true(strv_ends_nocase(buf_view(&e.x.facts),
	    STRV("\ncnonce=c\"n\ndigest-uri=smtp/mx.example.org\n")));
	assert_int_equal(
	    sasl_accepted(&e.x, STRV("nc=00000001\n"), &e.challenge),
	    SASL_FAILED);
	assert_int_equal(
	    sasl_accepted(
		&e.x, STRV("0123456789abcdef0123456789abcdef\n"), &e.challenge),
	    SASL_CONTINUE);
	decode_challenge(&e);
	assert_buf(&e.plain, "rspauth=0123456789abcdef0123456789abcdef");
	assert_int_equal(
	    sasl_step(&e.x, STRV("QQ=="), &e.challenge), SASL_MALFORMED);
	assert_int_equal(sasl_step(&e.x, STRV_EMPTY, &e.challenge), SASL_DONE);
	close_exchange(&e);
	buf_free(&response);
}

static void
test_sasl_digest_refuses(void **state)
{
	(void)state;
	assert_int_equal(digest_result(NULL, GOOD), SASL_CHECK);
	/* A replay: the nonce is not that of this challenge. */
	assert_int_equal(digest_result("0123456789abcdef", GOOD), SASL_REFUSED);
	assert_int_equal(
	    digest_result(NULL, ",nc=00000002,digest-uri=\"smtp/mx\""),
	    SASL_REFUSED);
	assert_int_equal(
	    digest_result(NULL, ",nc=00000001,digest-uri=\"imap/mx\""),
	    SASL_REFUSED);
	assert_int_equal(
	    digest_result(NULL, GOOD ",realm=\"other\""), SASL_REFUSED);
	assert_int_equal(
	    digest_result(NULL, GOOD ",authzid=\"root\""), SASL_REFUSED);
	assert_int_equal(
	    digest_result(NULL, GOOD ",authzid=\"joe\""), SASL_CHECK);
	assert_int_equal(
	    digest_result(NULL, GOOD ",charset=latin1"), SASL_REFUSED);
	assert_int_equal(
	    digest_result(NULL, GOOD ",nc=00000001"), SASL_MALFORMED);
	assert_int_equal(digest_result(NULL, ""), SASL_MALFORMED);
	assert_int_equal(
	    digest_result(NULL, GOOD ",realm=\"open"), SASL_MALFORMED);
	assert_int_equal(
	    digest_result(NULL, GOOD ",realm=\"a\nb\""), SASL_MALFORMED);
	assert_int_equal(digest_result(NULL, GOOD ",realm"), SASL_MALFORMED);
	assert_int_equal(
	    digest_result(NULL, GOOD ",realm=\"a\"b"), SASL_MALFORMED);
}

static void
scram_first(struct exchange *e, struct buf *nonce, struct buf *server)
{
	struct strv rest;

	open_exchange(e);
	assert_int_equal(begin(e, "SCRAM-SHA-256", STRV_EMPTY), SASL_CONTINUE);
	assert_int_equal(
	    step(e, STRV("n,,n=a=2Cb=3D,r=rOprNGfw")), SASL_CONTINUE);
	assert_buf(&e->x.user, "a,b=");
	assert_true(strv_starts(buf_view(&e->plain), STRV("r=rOprNGfw")));
	buf_reset(server);
	buf_add_view(server, buf_view(&e->plain));
	rest = strv_skip(buf_view(&e->plain), 2);
	buf_reset(nonce);
	buf_add_view(nonce, strv_cut(&rest, ',', NULL));
	assert_true(strv_starts(rest, STRV("s=")));
	assert_true(strv_ends_nocase(rest, STRV(",i=4096")));
}

#define PROOF "p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

static enum sasl_result
scram_result(const char *before, const char *after)
{
	struct buf nonce = BUF_INIT, server = BUF_INIT, out = BUF_INIT;
	struct exchange e;
	enum sasl_result r;

	scram_first(&e, &nonce, &server);
	buf_addf(&out, "%s" STRV_FMT "%s", before, STRV_ARG(buf_view(&nonce)),
	    after);
	r = step(&e, buf_view(&out));
	close_exchange(&e);
	buf_free(&nonce);
	buf_free(&server);
	buf_free(&out);
	return r;
}

static void
test_sasl_scram(void **state)
{
	struct buf nonce = BUF_INIT, server = BUF_INIT, out = BUF_INIT;
	struct exchange e;

	(void)state;
	scram_first(&e, &nonce, &server);
	buf_addf(
	    &out, "c=biws,r=" STRV_FMT "," PROOF, STRV_ARG(buf_view(&nonce)));
	assert_int_equal(step(&e, buf_view(&out)), SASL_CHECK);
	assert_same(buf_view(&e.x.a), strv_skip(STRV(PROOF), 2));
	buf_reset(&out);
	buf_addf(&out,
	    "iterations=4096\nauth-message=n=a=2Cb=3D,r=rOprNGfw," STRV_FMT
	    ",c=biws,r=" STRV_FMT "\n",
	    STRV_ARG(buf_view(&server)), STRV_ARG(buf_view(&nonce)));
	assert_true(strv_starts(buf_view(&e.x.facts), STRV("salt=")));
	assert_true(strv_ends_nocase(buf_view(&e.x.facts), buf_view(&out)));
	assert_int_equal(
	    sasl_accepted(&e.x, STRV("salt=x"), &e.challenge), SASL_FAILED);
	assert_int_equal(
	    sasl_accepted(&e.x,
		STRV("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\nx"),
		&e.challenge),
	    SASL_CONTINUE);
	decode_challenge(&e);
	assert_buf(&e.plain, "v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
	close_exchange(&e);
	buf_free(&nonce);
	buf_free(&server);
	buf_free(&out);
}

static void
test_sasl_scram_refuses(void **state)
{
	static const char *const firsts[] = { "", "n", "n,", "n,,", "n,,n=joe",
		"n,,r=x", "n,,n=joe,r=", "p=tls-unique,,n=joe,r=x",
		"n,,m=ext,n=joe,r=x", "n,,n=j=2Xoe,r=x", "n,,n=joe=,r=x",
		"n,b=joe,n=joe,r=x", "n,,n=joe,r=\x01", "n,,n=joe,r=a b" };
	struct exchange e;

	(void)state;
	for (size_t i = 0; i < sizeof(firsts) / sizeof(*firsts); i++) {
		open_exchange(&e);
		assert_int_equal(
		    begin(&e, "SCRAM-SHA-256", STRV_EMPTY), SASL_CONTINUE);
		assert_int_equal(step(&e, strv_of(firsts[i])), SASL_MALFORMED);
		close_exchange(&e);
	}
	open_exchange(&e);
	assert_int_equal(begin(&e, "SCRAM-SHA-256", STRV_EMPTY), SASL_CONTINUE);
	assert_int_equal(step(&e, STRV("n,a=root,n=joe,r=x")), SASL_REFUSED);
	close_exchange(&e);
	assert_int_equal(scram_result("c=biws,r=", "," PROOF), SASL_CHECK);
	assert_int_equal(scram_result("c=biws,r=", "x," PROOF), SASL_REFUSED);
	assert_int_equal(scram_result("c=eSws,r=", "," PROOF), SASL_REFUSED);
	assert_int_equal(scram_result("c=biws,r=", ",p=AAAA"), SASL_MALFORMED);
	assert_int_equal(scram_result("c=biws,r=", ""), SASL_MALFORMED);
	assert_int_equal(scram_result("r=", ",c=biws," PROOF), SASL_MALFORMED);
}

static void
test_sasl_user_names(void **state)
{
	struct exchange e;
	char longest[SASL_USER_MAX + 1];

	(void)state;
	memset(longest, 'x', sizeof(longest));
	open_exchange(&e);
	assert_int_equal(sasl_set_user(&e.x, STRV("a b")), SASL_CHECK);
	assert_int_equal(
	    sasl_set_user(&e.x, strv_from(longest, SASL_USER_MAX)), SASL_CHECK);
	assert_int_equal(
	    sasl_set_user(&e.x, strv_from(longest, sizeof(longest))),
	    SASL_REFUSED);
	assert_int_equal(sasl_set_user(&e.x, STRV_EMPTY), SASL_REFUSED);
	assert_int_equal(sasl_set_user(&e.x, STRV("a\0b")), SASL_REFUSED);
	assert_int_equal(sasl_set_user(&e.x, STRV("a\nb")), SASL_REFUSED);
	assert_int_equal(sasl_set_user(&e.x, STRV("a\x7f")), SASL_REFUSED);
	close_exchange(&e);
}

static void
test_sasl_other_logins(void **state)
{
	struct exchange e;

	(void)state;
	open_exchange(&e);
	assert_int_equal(
	    sasl_set_clear(&e.x, STRV("joe"), STRV("x y")), SASL_CHECK);
	assert_buf(&e.x.a, "x y");
	assert_int_equal(
	    sasl_set_apop(&e.x, STRV("joe"),
		STRV("0123456789abcdef0123456789ABCDEF"), STRV("<1@x>")),
	    SASL_CHECK);
	assert_string_equal(e.x.program, "apop");
	assert_buf(&e.x.a, "0123456789abcdef0123456789abcdef");
	assert_buf(&e.x.b, "<1@x>");
	assert_int_equal(
	    sasl_set_apop(&e.x, STRV("joe"), STRV("1"), STRV("<1@x>")),
	    SASL_REFUSED);
	close_exchange(&e);
}

static void
test_sasl_says_whether_it_names_the_host(void **state)
{
	static const char *const names[] = { "LOGIN", "PLAIN", "CRAM-MD5",
		"CRAM-SHA1", "DIGEST-MD5", "SCRAM-SHA-256" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		const struct sasl_mechanism *m =
		    sasl_find(strv_of(names[i]), SASL_ALL);
		struct exchange e;
		const char *said;

		open_exchange(&e);
		begin(&e, names[i], STRV_EMPTY);
		said = buf_cstr(&e.plain);
		assert_non_null(said);
		assert_int_equal(
		    m->names_host, strstr(said, "mx.example.org") != NULL);
		close_exchange(&e);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sasl_names),
		cmocka_unit_test(test_sasl_plain),
		cmocka_unit_test(test_sasl_plain_is_strict_base64),
		cmocka_unit_test(test_sasl_login),
		cmocka_unit_test(test_sasl_cram),
		cmocka_unit_test(test_sasl_digest),
		cmocka_unit_test(test_sasl_digest_refuses),
		cmocka_unit_test(test_sasl_scram),
		cmocka_unit_test(test_sasl_scram_refuses),
		cmocka_unit_test(test_sasl_user_names),
		cmocka_unit_test(test_sasl_other_logins),
		cmocka_unit_test(test_sasl_says_whether_it_names_the_host),
	};

	return RUN_TESTS(tests);
}
