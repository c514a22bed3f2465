/*
 * SASL mechanisms as a client, against the examples of their RFCs, and
 * servers that do not keep to them.
 */
#include "smtp/sasl_client.h"

#include "mail/base64.h"
#include "unit.h"

/* Digests of RFC 7677 section 3, where they must be asked for. */
struct fake {
	int result;
	unsigned calls;
};

static int
fake_cram(void *state, enum sasl_client_method method, struct strv password,
    struct strv challenge, struct buf *hex)
{
	struct fake *fake = state;

	fake->calls++;
	assert_view(password, "tanstaaftanstaaf");
	buf_addf(hex, "%d:", (int)method);
	buf_add_view(hex, challenge);
	return fake->result;
}

static int
fake_scram(void *state, struct strv password, struct strv salt,
    unsigned iterations, struct strv message, struct buf *proof,
    struct buf *signature)
{
	struct fake *fake = state;
	struct buf plain = BUF_INIT;

	fake->calls++;
	assert_view(password, "pencil");
	assert_int_equal(iterations, 4096);
	assert_int_equal(
	    base64_decode(&plain, STRV("W22ZaJ0SNY7soEsUEjb6gQ==")), 0);
	assert_same(salt, buf_view(&plain));
	buf_free(&plain);
	assert_view(message,
	    "n=user,r=rOprNGfwEbeRWgbNEkqO,"
	    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
	    "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
	    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0");
	assert_int_equal(
	    base64_decode(
		proof, STRV("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")),
	    0);
	assert_int_equal(
	    base64_decode(signature,
		STRV("6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")),
	    0);
	return fake->result;
}

static const char nonce[] = "rOprNGfwEbeRWgbNEkqO";
static const char server_first[] =
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

struct scene {
	struct fake fake;
	struct sasl_client_digests digests;
	struct sasl_client client;
	struct buf out;
};

static void
begin(struct scene *s, enum sasl_client_method method, const char *user,
    const char *password)
{
	memset(s, 0, sizeof(*s));
	s->digests =
	    (struct sasl_client_digests){ &s->fake, fake_cram, fake_scram };
	sasl_client_init(&s->client, method, strv_of(user), strv_of(password),
	    nonce, &s->digests);
}

static int
answer(struct scene *s, const char *challenge)
{
	buf_reset(&s->out);
	return sasl_client_answer(&s->client, strv_of(challenge), &s->out);
}

static void
end(struct scene *s)
{
	sasl_client_clear(&s->client);
	buf_free(&s->out);
}

static void
test_plain(void **state)
{
	struct scene s;

	(void)state;
	begin(&s, SASL_CLIENT_PLAIN, "tim", "tanstaaftanstaaf");
	assert_true(sasl_client_initial(&s.client, &s.out));
	assert_buf(&s.out, "\0tim\0tanstaaftanstaaf");
	assert_true(s.client.done);
	assert_int_equal(answer(&s, ""), QE_SYNTAX);
	end(&s);
}

static void
test_login(void **state)
{
	struct scene s;

	(void)state;
	begin(&s, SASL_CLIENT_LOGIN, "tim", "secret");
	assert_false(sasl_client_initial(&s.client, &s.out));
	assert_int_equal(answer(&s, "User Name"), 0);
	assert_buf(&s.out, "tim");
	assert_false(s.client.done);
	assert_int_equal(answer(&s, ""), 0);
	assert_buf(&s.out, "secret");
	assert_true(s.client.done);
	assert_int_equal(answer(&s, "more"), QE_SYNTAX);
	end(&s);
}

static void
test_cram(void **state)
{
	struct scene s;

	(void)state;
	begin(&s, SASL_CLIENT_CRAM_MD5, "tim", "tanstaaftanstaaf");
	assert_false(sasl_client_initial(&s.client, &s.out));
	assert_int_equal(answer(&s, "<1896.697170952@x>"), 0);
	assert_buf(&s.out, "tim 3:<1896.697170952@x>");
	assert_true(s.client.done);
	assert_int_equal(answer(&s, "again"), QE_SYNTAX);
	assert_int_equal(s.fake.calls, 1);
	end(&s);
	begin(&s, SASL_CLIENT_CRAM_RIPEMD, "tim", "tanstaaftanstaaf");
	assert_int_equal(answer(&s, ""), QE_SYNTAX);
	end(&s);
	begin(&s, SASL_CLIENT_CRAM_RIPEMD, "tim", "tanstaaftanstaaf");
	s.fake.result = QE_ABSENT;
	assert_int_equal(answer(&s, "x"), QE_ABSENT);
	assert_false(s.client.done);
	end(&s);
}

static void
test_scram(void **state)
{
	struct scene s;

	(void)state;
	begin(&s, SASL_CLIENT_SCRAM_SHA_256, "user", "pencil");
	assert_true(sasl_client_initial(&s.client, &s.out));
	assert_buf(&s.out, "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
	assert_int_equal(answer(&s, server_first), 0);
	assert_buf(&s.out,
	    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
	    "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
	assert_false(s.client.done);
	assert_int_equal(
	    answer(&s, "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), 0);
	assert_int_equal(s.out.len, 0);
	assert_true(s.client.done);
	end(&s);
}

static void
test_scram_server_without_the_password(void **state)
{
	static const char *const finals[] = {
		"v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", "v=",
		"e=invalid-proof", "", "v=6rriTRBi"
	};
	struct scene s;

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		begin(&s, SASL_CLIENT_SCRAM_SHA_256, "user", "pencil");
		assert_true(sasl_client_initial(&s.client, &s.out));
		assert_int_equal(answer(&s, server_first), 0);
		assert_true(answer(&s, finals[i]) < 0);
		assert_false(s.client.done);
		end(&s);
	}
}

static void
test_scram_hostile_first_messages(void **state)
{
	static const char *const bad[] = { "", "r=", "r=other,s=QQ==,i=4096",
		"r=rOprNGfwEbeRWgbNEkqO,s=QQ==,i=4096", /* adds nothing */
		"r=rOprNGfwEbeRWgbNEkqOx,s=,i=4096",
		"r=rOprNGfwEbeRWgbNEkqOx,s=Q,i=4096",
		"r=rOprNGfwEbeRWgbNEkqOx,s=QQ==,i=1",
		"r=rOprNGfwEbeRWgbNEkqOx,s=QQ==,i=99999999",
		"r=rOprNGfwEbeRWgbNEkqOx,s=QQ==,i=-4096",
		"r=rOprNGfwEbeRWgbNEkqOx,s=QQ==", "e=other-error",
		"m=ext,r=rOprNGfwEbeRWgbNEkqOx,s=QQ==,i=4096" };
	struct scene s;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		begin(&s, SASL_CLIENT_SCRAM_SHA_256, "user", "pencil");
		assert_true(sasl_client_initial(&s.client, &s.out));
		assert_int_equal(answer(&s, bad[i]), QE_SYNTAX);
		assert_int_equal(s.fake.calls, 0);
		end(&s);
	}
}

static void
test_scram_names_are_escaped(void **state)
{
	struct scene s;

	(void)state;
	begin(&s, SASL_CLIENT_SCRAM_SHA_256, "a,b=c", "x");
	assert_true(sasl_client_initial(&s.client, &s.out));
	assert_buf(&s.out, "n,,n=a=2Cb=3Dc,r=rOprNGfwEbeRWgbNEkqO");
	end(&s);
}

static void
test_choice(void **state)
{
	static const struct {
		const char *offered, *named;
		bool tls;
		const char *want;
	} cases[] = {
		{"PLAIN LOGIN CRAM-MD5",                  "",         true,  "CRAM-MD5"     },
		{ " plain  login",                        "",         true,  "PLAIN"        },
		{ "LOGIN",				"",         true,  "LOGIN"        },
		{ "PLAIN LOGIN",                          "",         false, "NONE"         },
		{ "PLAIN LOGIN",                          "login",    false, "LOGIN"        },
		{ "PLAIN",				"login",    true,  "NONE"         },
		{ "CRAM-MD5 CRAM-SHA1 CRAM-RIPEMD",       "",         false, "CRAM-RIPEMD"  },
		{ "CRAM-MD5 SCRAM-SHA-256 PLAIN",         "",         false, "SCRAM-SHA-256"},
		{ "CRAM-MD5 SCRAM-SHA-256",               "cram-md5", false, "CRAM-MD5"     },
		{ "SCRAM-SHA-256-PLUS DIGEST-MD5 GSSAPI", "",         true,  "NONE"         },
		{ "",				     "",         true,  "NONE"         },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_string_equal(sasl_client_name(sasl_client_choose(
					strv_of(cases[i].offered),
					strv_of(cases[i].named), cases[i].tls)),
		    cases[i].want);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_login),
		cmocka_unit_test(test_cram),
		cmocka_unit_test(test_scram),
		cmocka_unit_test(test_scram_server_without_the_password),
		cmocka_unit_test(test_scram_hostile_first_messages),
		cmocka_unit_test(test_scram_names_are_escaped),
		cmocka_unit_test(test_choice),
	};

	return RUN_TESTS(tests);
}
