/* auth/proof: the examples of the RFCs, and what does not match. */
#include "auth/proof.h"
#include "auth/proof_digest.h"
#include "unit.h"

#include <sys/mman.h>

struct attempt {
	struct credentials given;
	struct proof proof;
	struct buf answer;
	bool match;
};

/* A checker's view of one login; facts may be NULL. */
static void
begin(struct attempt *a, const char *sasl, const char *login, const char *x,
    const char *y, const char *facts)
{
	char path[64] = "";

	*a = (struct attempt){ .answer = BUF_LIMIT(PROOF_ANSWER_MAX) };
	if (facts != NULL) {
		int fd = memfd_create("facts", MFD_CLOEXEC);

		/* Up to 3 they are not private files. */
		fd = fcntl(fd, F_DUPFD_CLOEXEC, 10);
		assert_true(fd >= 10);
		assert_int_equal(
		    write(fd, facts, strlen(facts)), (ssize_t)strlen(facts));
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		y = path;
	}
	a->given.len = (size_t)snprintf(a->given.bytes, sizeof(a->given.bytes),
	    "%s%c%s%c%s", login, 0, x, 0, y);
	a->given.login = a->given.bytes;
	a->given.a = a->given.login + strlen(login) + 1;
	a->given.b = a->given.a + strlen(x) + 1;
	assert_int_equal(proof_open(&a->proof, sasl, &a->given), 0);
	assert_int_equal(proof_read(&a->proof), 0);
}

static bool
check(struct attempt *a, const char *password)
{
	assert_int_equal(
	    proof_check(&a->proof, strv_of(password), &a->match, &a->answer),
	    0);
	return a->match;
}

static void
end(struct attempt *a)
{
	proof_close(&a->proof);
	buf_free(&a->answer);
}

static void
test_proof_clear_and_apop(void **state)
{
	struct attempt a;

	(void)state;
	begin(&a, "plain", "joe", "secret", "", NULL);
	assert_true(check(&a, "secret"));
	assert_false(check(&a, "secre"));
	assert_false(check(&a, "secrett"));
	assert_false(check(&a, ""));
	end(&a);
	begin(&a, "apop", "mrose", "c4c9334bac560ecc979e58001b3e22fb",
	    "<1896.697170952@dbc.mtview.ca.us>", NULL);
	assert_true(check(&a, "tanstaaf"));
	assert_false(check(&a, "tanstaag"));
	end(&a);
	assert_int_equal(proof_open(&a.proof, "gssapi", &a.given), QE_ABSENT);
}

static void
test_proof_cram(void **state)
{
	struct attempt a;

	(void)state;
	begin(&a, "cram-md5", "tim",
	    "<1896.697170952@postoffice.reston.mci.net>",
	    "b913a602c7eda7a495b4e6e7334d3890", NULL);
	assert_true(check(&a, "tanstaaftanstaaf"));
	assert_false(check(&a, "tanstaaf"));
	end(&a);
	begin(&a, "cram-sha1", "x", "what do ya want for nothing?",
	    "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79", NULL);
	assert_true(check(&a, "Jefe"));
	end(&a);
}

#define RFC2831                                                                \
	"nc=00000001\nqop=auth\nrealm=elwood.innosoft.com\n"                   \
	"nonce=OA6MG9tEQGm2hh\ncnonce=OA6MHXh6VqTrRk\n"                        \
	"digest-uri=imap/elwood.innosoft.com\n"

static void
test_proof_digest(void **state)
{
	struct attempt a;
	struct buf left = BUF_INIT;

	(void)state;
	begin(&a, "digest-md5", "chris", "d388dad90d4bbd760a152321f2143af7",
	    NULL, RFC2831);
	assert_false(check(&a, "Secret"));
	assert_true(check(&a, "secret"));
	assert_buf(&a.answer, "ea40f60335c427b5527b84dbabcdfffd");
	assert_int_equal(proof_leave(&a.proof, &a.answer), 0);
	buf_free(&a.proof.facts);
	assert_int_equal(proof_read(&a.proof), 0);
	assert_buf(&a.proof.facts, "ea40f60335c427b5527b84dbabcdfffd");
	end(&a);
	begin(&a, "digest-md5", "chris", "d388dad90d4bbd760a152321f2143af7",
	    NULL, "nc=00000001\nqop=auth\n");
	assert_int_equal(
	    proof_check(&a.proof, STRV("secret"), &a.match, &a.answer),
	    QE_SYNTAX);
	assert_false(a.match);
	end(&a);
	buf_free(&left);
}

#define SERVER_FIRST                                                           \
	"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"                \
	"s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
#define RFC7677                                                                \
	"salt=W22ZaJ0SNY7soEsUEjb6gQ==\niterations=4096\n"                     \
	"auth-message=n=user,r=rOprNGfwEbeRWgbNEkqO," SERVER_FIRST             \
	",c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0\n"

static void
test_proof_scram(void **state)
{
	static const char proof[] =
	    "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
	static const char *const wrong[] = { "salt=x\n", "iterations=4096\n",
		"salt=W22ZaJ0SNY7soEsUEjb6gQ==\niterations=0\nauth-message=\n",
		"salt=W22ZaJ0SNY7soEsUEjb6gQ==\niterations=99999999\n"
		"auth-message=\n",
		"salt=W22\niterations=4096\nauth-message=\n", "\n" };
	struct attempt a;

	(void)state;
	begin(&a, "scram-sha-256", "user", proof, NULL, RFC7677);
	assert_true(check(&a, "pencil"));
	assert_buf(&a.answer, "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
	assert_false(check(&a, "pencils"));
	end(&a);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		begin(&a, "scram-sha-256", "user", proof, NULL, wrong[i]);
		assert_int_equal(
		    proof_check(&a.proof, STRV("pencil"), &a.match, &a.answer),
		    QE_SYNTAX);
		assert_false(a.match);
		end(&a);
	}
}

static void
test_proof_private_file(void **state)
{
	struct attempt a;
	char dir[64], path[128], link[128];

	(void)state;
	unit_make_dir(dir);
	snprintf(path, sizeof(path), "%s/facts", dir);
	snprintf(link, sizeof(link), "%s/link", dir);
	unit_write(path, STRV(RFC2831));
	assert_int_equal(symlink(path, link), 0);
	a.given.login = "chris";
	a.given.a = "d388dad90d4bbd760a152321f2143af7";
	a.given.b = path;
	/* Another server's: a real file. */
	assert_int_equal(proof_open(&a.proof, "digest-md5", &a.given), 0);
	proof_close(&a.proof);
	a.given.b = link;
	assert_int_equal(proof_open(&a.proof, "digest-md5", &a.given), QE_SYS);
	a.given.b = "";
	assert_int_equal(
	    proof_open(&a.proof, "digest-md5", &a.given), QE_SYNTAX);
	a.given.b = "relative";
	assert_int_equal(
	    proof_open(&a.proof, "digest-md5", &a.given), QE_SYNTAX);
	a.given.b = "/dev/null";
	assert_int_equal(
	    proof_open(&a.proof, "digest-md5", &a.given), QE_DENIED);
	a.given.b = "/proc/self/fd/999";
	assert_int_equal(proof_open(&a.proof, "digest-md5", &a.given), QE_SYS);
	unit_remove(dir);
}

static void
test_proof_latin1(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	proof_add_latin1(&b, STRV("a\xc3\xa9\xc2\x80z"));
	assert_buf(&b, "a\xe9\x80z");
	buf_reset(&b);
	proof_add_latin1(&b, STRV("\xe2\x82\xac"));
	assert_buf(&b, "\xe2\x82\xac");
	buf_reset(&b);
	proof_add_latin1(&b, STRV("x\xc3"));
	assert_buf(&b, "x\xc3");
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_proof_clear_and_apop),
		cmocka_unit_test(test_proof_cram),
		cmocka_unit_test(test_proof_digest),
		cmocka_unit_test(test_proof_scram),
		cmocka_unit_test(test_proof_private_file),
		cmocka_unit_test(test_proof_latin1),
	};

	return RUN_TESTS(tests);
}
