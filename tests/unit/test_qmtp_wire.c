/* qmtp/wire, qmtp/servers: netstrings in any pieces, boxes, server lists. */
#include "qmtp/servers.h"
#include "qmtp/wire.h"
#include "unit.h"

/* A wire whose peer has said this and hung up. */
static struct wire *
wire_from(struct strv said, int fds[2])
{
	struct wire *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(write(fds[1], said.ptr, said.len), (ssize_t)said.len);
	close(fds[1]);
	fds[1] = open("/dev/null", O_WRONLY | O_CLOEXEC);
	wire_init(w, fds[0], fds[1]);
	return w;
}

static void
wire_end(struct wire *w, const int fds[2])
{
	close(fds[0]);
	close(fds[1]);
	free(w);
}

static void
expect_text(struct strv said, size_t max, int want, const char *text)
{
	struct buf out = BUF_LIMIT(max);
	int fds[2];
	struct wire *w = wire_from(said, fds);

	assert_int_equal(wire_text(w, &out), want);
	if (want == 0 && text != NULL)
		assert_same(buf_view(&out), strv_of(text));
	if (want == 0 && text == NULL)
		assert_int_equal(out.err, QE_LIMIT);
	buf_free(&out);
	wire_end(w, fds);
}

static void
test_texts(void **state)
{
	(void)state;
	expect_text(STRV("5:hello,"), 100, 0, "hello");
	expect_text(STRV("0:,rest"), 100, 0, "");
	expect_text(STRV("5:hello,"), 4, 0, NULL);
	expect_text(STRV(""), 100, QE_EOF, NULL);
	expect_text(STRV("5"), 100, QE_SYNTAX, NULL);
	expect_text(STRV("5:hell"), 100, QE_SYNTAX, NULL);
	expect_text(STRV("5:hello"), 100, QE_SYNTAX, NULL);
	expect_text(STRV("5:hello;"), 100, QE_SYNTAX, NULL);
	expect_text(STRV("05:hello,"), 100, QE_SYNTAX, NULL);
	expect_text(STRV("+5:hello,"), 100, QE_SYNTAX, NULL);
	expect_text(STRV("200000000:x"), 100, QE_SYNTAX, NULL);
	expect_text(STRV("200000001:x"), 100, QE_LIMIT, NULL);
	expect_text(STRV("99999999999999999999:"), 100, QE_LIMIT, NULL);
}

static void
test_box(void **state)
{
	struct buf out = BUF_LIMIT(10);
	uint64_t length;
	int fds[2];
	struct wire *w = wire_from(STRV("8:1:a,1:b,,5:3:abc,,"), fds);

	(void)state;
	assert_int_equal(wire_length(w, &length), 0);
	wire_enter(w, length);
	assert_int_equal(wire_text(w, &out), 0);
	assert_buf(&out, "a");
	assert_int_equal(wire_text(w, &out), 0);
	assert_buf(&out, "b");
	assert_int_equal(w->box, 0);
	assert_int_equal(wire_text(w, &out), QE_SYNTAX);
	assert_int_equal(wire_leave(w), 0);
	/* What claims to be longer than what is around it. */
	assert_int_equal(wire_length(w, &length), 0);
	wire_enter(w, length);
	assert_int_equal(wire_text(w, &out), QE_SYNTAX);
	assert_int_equal(wire_leave(w), QE_SYNTAX);
	buf_free(&out);
	wire_end(w, fds);
}

static void
expect_servers(const char *text, int want, size_t count)
{
	struct control_set set;
	struct control_error err;
	struct qmqp_servers servers;
	unsigned line = 0;

	assert_int_equal(
	    control_set_parse(strv_of(text), CT_LIST, "x", &set, &err), 0);
	assert_int_equal(servers_take(&set, &servers, &line), want);
	if (want == 0)
		assert_int_equal(servers.count, count);
	if (want == QE_SYNTAX)
		assert_int_equal(line, count);
	control_set_free(&set);
}

static void
test_servers(void **state)
{
	struct control_set set;
	struct control_error err;
	struct qmqp_servers s;
	char ip[IPADDR_TEXT_MAX];
	unsigned line;

	(void)state;
	assert_int_equal(control_set_parse(
			     STRV("9.9.9.9\n1.1.1.1:7\n[::1]:65535\n2001::2\n"),
			     CT_LIST, "x", &set, &err),
	    0);
	assert_int_equal(servers_take(&set, &s, &line), 0);
	assert_int_equal(s.count, 4);
	ipaddr_format(&s.items[0].ip, ip);
	assert_string_equal(ip, "9.9.9.9");
	assert_int_equal(s.items[0].port, SERVERS_PORT);
	assert_int_equal(s.items[1].port, 7);
	assert_int_equal(s.items[2].port, 65535);
	assert_int_equal(s.items[3].port, SERVERS_PORT);
	control_set_free(&set);
	expect_servers("", QE_ABSENT, 0);
	expect_servers("1.1.1.1\nhost.example\n", QE_SYNTAX, 2);
	expect_servers("1.1.1.1:0\n", QE_SYNTAX, 1);
	expect_servers("1.1.1.1:65536\n", QE_SYNTAX, 1);
	expect_servers("[::1]x:1\n", QE_SYNTAX, 1);
	expect_servers("[::1]:\n", QE_SYNTAX, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_box),
		cmocka_unit_test(test_servers),
	};

	return RUN_TESTS(tests);
}
