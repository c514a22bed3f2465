/* pop3/link: requests of the front, good ones and those of an intruder. */
#include "pop3/link.h"

#include "base/io.h"
#include "unit.h"

#include <sys/socket.h>

static void
fill(struct sasl *x, const char *user, const char *a)
{
	sasl_init(x, "pop", STRV("host"));
	x->program = "cram-md5";
	x->mechanism = sasl_find(STRV("CRAM-MD5"), SASL_ALL);
	buf_add_str(&x->user, user);
	buf_add_str(&x->a, a);
	buf_add_str(&x->b, "b");
	buf_add_str(&x->facts, "nc=1\n");
}

static void
test_link_login_round_trip(void **state)
{
	struct buf bytes = BUF_LIMIT(LINK_MAX);
	struct link_request r;
	struct sasl x;

	(void)state;
	fill(&x, "joe", "<challenge>");
	link_encode_login(&bytes, &x);
	assert_int_equal(bytes.err, 0);
	assert_int_equal(link_decode(buf_view(&bytes), &r), 0);
	assert_int_equal(r.kind, LINK_LOGIN);
	assert_view(r.mechanism, "CRAM-MD5");
	assert_view(r.program, "cram-md5");
	assert_view(r.user, "joe");
	assert_view(r.a, "<challenge>");
	assert_view(r.b, "b");
	assert_view(r.private_file, "nc=1\n");
	/* No shorter one is one, nor a longer one. */
	for (size_t n = 0; n < bytes.len; n++)
		assert_int_equal(
		    link_decode(strv_head(buf_view(&bytes), n), &r), QE_SYNTAX);
	buf_add_char(&bytes, 'x');
	assert_int_equal(link_decode(buf_view(&bytes), &r), QE_SYNTAX);
	buf_free(&bytes);
	sasl_free(&x);
}

static int
decode(struct strv bytes)
{
	struct link_request r;

	return link_decode(bytes, &r);
}

static void
test_link_refuses_what_no_front_sends(void **state)
{
	(void)state;
	assert_int_equal(decode(STRV("L\0\0\0\1p\0\1u\0\0\0\0\0\0")), 0);
	/* no user; NUL in each; what is no name; an unknown kind */
	assert_int_equal(decode(STRV("L\0\0\0\1p\0\0\0\0\0\0\0\0")), QE_SYNTAX);
	assert_int_equal(
	    decode(STRV("L\0\0\0\1p\0\1\0\0\0\0\0\0\0")), QE_SYNTAX);
	assert_int_equal(
	    decode(STRV("L\0\0\0\1p\0\1u\0\1\0\0\0\0\0")), QE_SYNTAX);
	assert_int_equal(
	    decode(STRV("L\0\0\0\1p\0\1u\0\0\0\1\0\0\0")), QE_SYNTAX);
	assert_int_equal(
	    decode(STRV("L\0\0\0\1=\0\1u\0\0\0\0\0\0")), QE_SYNTAX);
	assert_int_equal(
	    decode(STRV("L\0\1/\0\1p\0\1u\0\0\0\0\0\0")), QE_SYNTAX);
	assert_int_equal(decode(STRV("L\0\0\0\0\0\1u\0\0\0\0\0\0")), QE_SYNTAX);
	assert_int_equal(
	    decode(STRV("X\0\0\0\1p\0\1u\0\0\0\0\0\0")), QE_SYNTAX);
	assert_int_equal(decode(STRV("")), QE_SYNTAX);
	assert_int_equal(decode(STRV("T")), QE_SYNTAX);
}

static void
test_link_refuses_long_fields(void **state)
{
	struct buf bytes = BUF_LIMIT(LINK_MAX);
	struct link_request r;

	(void)state;
	buf_add(&bytes, "L\0\0\0\1p\1\0", 8);
	for (int i = 0; i < 256; i++)
		buf_add_char(&bytes, 'u');
	buf_add(&bytes, "\0\0\0\0\0\0", 6);
	assert_int_equal(link_decode(buf_view(&bytes), &r), QE_SYNTAX);
	buf_free(&bytes);
}

static void
test_link_tls_facts_are_cleaned(void **state)
{
	struct buf bytes = BUF_LIMIT(LINK_MAX);
	struct tls_facts facts;
	struct link_request r;

	(void)state;
	memset(&facts, 'x', sizeof(facts)); /* no string of it ends */
	memcpy(facts.protocol, "TLS\n\x80", 6);
	link_encode_tls(&bytes, &facts);
	assert_int_equal(link_decode(buf_view(&bytes), &r), 0);
	assert_int_equal(r.kind, LINK_TLS);
	assert_string_equal(r.facts.protocol, "TLS??");
	assert_int_equal(
	    strlen(r.facts.server_name), sizeof(facts.server_name) - 1);
	assert_int_equal(
	    link_decode(strv_head(buf_view(&bytes), bytes.len - 1), &r),
	    QE_SYNTAX);
	buf_free(&bytes);
}

static void
test_link_keeps_datagrams_apart(void **state)
{
	struct buf got = BUF_LIMIT(LINK_MAX);
	int fds[2];

	(void)state;
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(link_send(fds[0], STRV("one")), 0);
	assert_int_equal(link_send(fds[0], STRV("two")), 0);
	assert_int_equal(link_receive(fds[1], &got), 0);
	assert_buf(&got, "one");
	assert_int_equal(link_receive(fds[1], &got), 0);
	assert_buf(&got, "two");
	io_close(&fds[0]);
	assert_int_equal(link_receive(fds[1], &got), QE_EOF);
	io_close(&fds[1]);
	buf_free(&got);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_link_login_round_trip),
		cmocka_unit_test(test_link_refuses_what_no_front_sends),
		cmocka_unit_test(test_link_refuses_long_fields),
		cmocka_unit_test(test_link_tls_facts_are_cleaned),
		cmocka_unit_test(test_link_keeps_datagrams_apart),
	};

	return RUN_TESTS(tests);
}
