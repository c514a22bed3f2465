/* smtp/tls_facts, ucspi_tls and tls_client: our side of TLS processes. */
#include "base/clock.h"
#include "base/env.h"
#include "smtp/tls_client.h"
#include "smtp/tls_facts.h"
#include "smtp/tls_order.h"
#include "smtp/tls_way.h"
#include "smtp/ucspi_tls.h"
#include "unit.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* All of text, in pieces of so many bytes. */
static int
feed(struct tls_facts *facts, struct strv text, size_t piece)
{
	struct tls_facts_reader reader;
	int r = 0;

	memset(facts, 0, sizeof(*facts));
	tls_facts_reader_init(&reader);
	while (r == 0 && text.len > 0) {
		struct strv cut = strv_head(text, piece);

		r = tls_facts_feed(&reader, facts, &cut);
		text = strv_skip(text, piece);
	}
	return r;
}

static void
test_facts(void **state)
{
	struct strv text = STRV("SSL_PROTOCOL=TLSv1.3\0X=y\0noise\0"
				"SSL_CIPHER=TLS_AES\0SSL_PROTOCOL=SSLv2\0\0"
				"SSL_CLIENT_S_DN=late\0\0");
	struct tls_facts facts;

	(void)state;
	for (size_t piece = 1; piece < 20; piece++) {
		assert_int_equal(feed(&facts, text, piece), 1);
		assert_string_equal(facts.protocol, "TLSv1.3");
		assert_string_equal(facts.cipher, "TLS_AES");
		assert_string_equal(facts.client_name, "");
	}
}

static void
test_facts_hostile(void **state)
{
	struct buf text = BUF_INIT;
	struct tls_facts facts;

	(void)state;
	assert_int_equal(
	    feed(&facts, STRV("SSL_CLIENT_S_DN=a\r\nReceived: \xff\t\0\0"), 7),
	    1);
	assert_string_equal(facts.client_name, "a??Received: ??");
	/* What does not fit is left out, not cut. */
	buf_add_str(&text, "SSL_CIPHER=");
	for (int i = 0; i < 96; i++)
		buf_add_char(&text, 'x');
	buf_add(&text, "\0SSL_PROTOCOL=", 14);
	for (int i = 0; i < 5000; i++)
		buf_add_char(&text, 'x');
	buf_add(&text, "\0SSL_TLS_SNI_SERVERNAME=a.example\0\0", 35);
	assert_int_equal(feed(&facts, buf_view(&text), 100), 1);
	assert_string_equal(facts.cipher, "");
	assert_string_equal(facts.protocol, "");
	assert_string_equal(facts.server_name, "a.example");
	buf_reset(&text);
	for (int i = 0; i <= TLS_FACTS_TEXT_MAX / 2; i++)
		buf_add(&text, "x", 2);
	assert_int_equal(feed(&facts, buf_view(&text), 4096), QE_LIMIT);
	assert_int_equal(feed(&facts, STRV("SSL_CIPHER=x\0"), 4096), 0);
	buf_free(&text);
}

/* A front: its ends of the control and data sockets, named as it would. */
struct front {
	int control[2], data[2], old[2];
	struct ucspi_tls tls;
	struct source in;
	struct sink out;
	char in_data[64], out_data[64];
};

static void
set_number(const char *name, int n)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", n);
	assert_int_equal(env_set(name, text), 0);
}

static void
front_make(struct front *f, const char *wish)
{
	const int type = SOCK_STREAM;
	int copy;

	memset(f, 0, sizeof(*f));
	assert_int_equal(socketpair(AF_UNIX, type, 0, f->control), 0);
	assert_int_equal(socketpair(AF_UNIX, type, 0, f->data), 0);
	assert_int_equal(socketpair(AF_UNIX, type, 0, f->old), 0);
	copy = dup(f->data[1]);
	assert_true(copy >= 0);
	env_unset("SMTPS");
	env_unset("QMAILTLS");
	assert_int_equal(env_set("UCSPITLS", wish), 0);
	set_number("SSLCTLFD", f->control[1]);
	set_number("SSLREADFD", f->data[1]);
	set_number("SSLWRITEFD", copy);
	ucspi_tls_init(&f->tls);
	source_init(&f->in, f->old[1], f->in_data, sizeof(f->in_data));
	sink_init(&f->out, dup(f->old[1]), f->out_data, sizeof(f->out_data));
}

static void
front_free(struct front *f)
{
	close(f->control[0]);
	close(f->data[0]);
	close(f->old[0]);
	close(f->in.fd);
	close(f->out.fd);
	io_close(&f->tls.control_fd);
	io_close(&f->tls.read_fd);
	io_close(&f->tls.write_fd);
}

static void
test_states(void **state)
{
	struct front f;

	(void)state;
	front_make(&f, "");
	assert_int_equal(f.tls.state, TLS_AVAILABLE);
	assert_true(ucspi_tls_may_start(&f.tls));
	assert_false(ucspi_tls_is_required(&f.tls));
	assert_null(env_get("SSLCTLFD"));
	assert_int_equal(
	    fcntl(f.tls.control_fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	front_free(&f);
	front_make(&f, "!");
	assert_int_equal(f.tls.state, TLS_REQUIRED);
	assert_true(ucspi_tls_may_start(&f.tls));
	assert_true(ucspi_tls_is_required(&f.tls));
	front_free(&f);
	front_make(&f, "-");
	assert_int_equal(f.tls.state, TLS_NONE);
	assert_false(ucspi_tls_may_start(&f.tls));
	front_free(&f);
}

static void
test_states_without_front(void **state)
{
	struct ucspi_tls tls;

	(void)state;
	env_unset("SMTPS");
	env_unset("UCSPITLS");
	ucspi_tls_init(&tls);
	assert_int_equal(tls.state, TLS_NONE);
	/* A way that is there and not wanted is closed. */
	assert_int_equal(env_set("UCSPITLS", "-"), 0);
	assert_true(dup2(STDERR_FILENO, 77) == 77);
	assert_true(dup2(STDERR_FILENO, 78) == 78);
	assert_int_equal(env_set("QMAILTLS", "77:78"), 0);
	ucspi_tls_init(&tls);
	assert_int_equal(tls.state, TLS_NONE);
	assert_false(tls_way_is_there(&tls.way));
	assert_int_equal(fcntl(77, F_GETFD), -1);
	assert_int_equal(fcntl(78, F_GETFD), -1);
	/* What is required stays so, even if it cannot be had. */
	assert_int_equal(env_set("UCSPITLS", "!"), 0);
	assert_int_equal(env_set("SSLCTLFD", "900"), 0);
	assert_int_equal(env_set("SSLREADFD", "1"), 0);
	assert_int_equal(env_set("SSLWRITEFD", "99999999999"), 0);
	ucspi_tls_init(&tls);
	assert_true(ucspi_tls_is_required(&tls));
	assert_false(ucspi_tls_may_start(&tls));
	/* Whoever started us speaks TLS already, and says how. */
	assert_int_equal(env_set("SMTPS", "1"), 0);
	assert_int_equal(env_set("SSL_PROTOCOL", "TLSv1.2"), 0);
	ucspi_tls_init(&tls);
	assert_true(ucspi_tls_is_on(&tls));
	assert_string_equal(tls.facts.protocol, "TLSv1.2");
	env_unset("SMTPS");
	env_unset("SSL_PROTOCOL");
	env_unset("UCSPITLS");
}

static int
start_soon(struct front *f)
{
	return ucspi_tls_start(
	    &f->tls, STRV("220\r\n"), &f->in, &f->out, clock_deadline(5));
}

static void
test_start(void **state)
{
	const struct strv facts = STRV("SSL_PROTOCOL=TLSv1.3\0\0");
	struct front f;
	char said[8], byte;

	(void)state;
	front_make(&f, "!");
	/* In clear, and sent together with STARTTLS: never read. */
	assert_int_equal(write(f.old[0], "RSET\r\nMAIL\r\n", 12), 12);
	assert_int_equal(source_fill(&f.in, clock_deadline(5)), 0);
	assert_int_equal(
	    write(f.control[0], facts.ptr, facts.len), (ssize_t)facts.len);
	assert_int_equal(start_soon(&f), 0);
	assert_int_equal(read(f.old[0], said, sizeof(said)), 5);
	assert_int_equal(read(f.control[0], &byte, 1), 1);
	assert_int_equal(byte, 'Y');
	assert_true(ucspi_tls_is_on(&f.tls));
	assert_false(ucspi_tls_may_start(&f.tls));
	assert_false(ucspi_tls_is_required(&f.tls));
	assert_string_equal(f.tls.facts.protocol, "TLSv1.3");
	assert_string_equal(env_get("SSL_PROTOCOL"), "TLSv1.3");
	assert_int_equal(source_peek(&f.in).len, 0);
	assert_int_equal(write(f.data[0], "EHLO", 4), 4);
	assert_int_equal(source_fill(&f.in, clock_deadline(5)), 0);
	assert_view(source_peek(&f.in), "EHLO");
	/* Nobody here holds the socket any more. */
	assert_int_equal(read(f.old[0], &byte, 1), 0);
	env_unset("SSL_PROTOCOL");
	front_free(&f);
}

/* Stands for a qmail-tlsd that takes one order and answers it with text. */
static void
answer_order(int way, struct strv text)
{
	struct tls_order taken;
	bool ok;

	if (fork() != 0)
		return;
	ok = io_wait(way, POLLIN, clock_deadline(5)) == 0 &&
	     order_receive(way, &taken) == 0 && taken.mode == ORDER_SOON &&
	     taken.data == taken.control && taken.words_len == 5 &&
	     memcmp(taken.words, "220\r\n", 5) == 0 &&
	     io_write_all(taken.data, text.ptr, text.len) == 0;
	_exit(ok ? 0 : 1);
}

static void
expect_answered(void)
{
	int status;

	assert_true(wait(&status) > 0);
	assert_int_equal(status, 0);
}

/* One without a front, and the way to a qmail-tlsd: its two descriptors. */
static void
direct_make(struct front *f, char dir[64], int way[2])
{
	front_make(f, "");
	io_close(&f->tls.control_fd);
	io_close(&f->tls.read_fd);
	io_close(&f->tls.write_fd);
	unit_make_dir(dir);
	assert_int_equal(tls_way_make(dir, &f->tls.way, &way[0], &way[1]), 0);
}

/* We make the socket, and order the handshake. */
static void
test_order(void **state)
{
	struct front f;
	char dir[64];
	int way[2];

	(void)state;
	direct_make(&f, dir, way);
	answer_order(way[0], STRV("+SSL_PROTOCOL=TLSv1.3\0\0EHLO"));
	assert_int_equal(start_soon(&f), 0);
	assert_true(ucspi_tls_is_on(&f.tls));
	assert_false(tls_way_is_there(&f.tls.way));
	assert_int_equal(f.tls.read_fd, -1);
	assert_string_equal(f.tls.facts.protocol, "TLSv1.3");
	/* What the client said in the same piece is not lost. */
	assert_view(source_peek(&f.in), "EHLO");
	env_unset("SSL_PROTOCOL");
	/* Nobody has it any more: that is the end of the pipe. */
	assert_int_equal(read(way[1], dir, 1), 0);
	close(way[0]);
	close(way[1]);
	unit_remove(dir);
	front_free(&f);
	expect_answered();
}

/* Nothing was said to the client, and nothing of it is forgotten. */
static void
test_order_refused(void **state)
{
	struct front f;
	char dir[64];
	int way[2];

	(void)state;
	direct_make(&f, dir, way);
	assert_int_equal(write(f.old[0], "RSET\r\n", 6), 6);
	assert_int_equal(source_fill(&f.in, clock_deadline(5)), 0);
	answer_order(way[0], STRV("-"));
	assert_int_equal(start_soon(&f), QE_ABSENT);
	assert_false(ucspi_tls_is_on(&f.tls));
	assert_int_equal(f.tls.read_fd, -1);
	assert_view(source_peek(&f.in), "RSET\r\n");
	expect_answered();
	/* It may be asked again; this one goes without an answer. */
	answer_order(way[0], STRV(""));
	assert_int_equal(start_soon(&f), QE_EOF);
	expect_answered();
	assert_int_equal(f.tls.read_fd, -1);
	/* Nobody is there who could take it, or there is no way. */
	close(way[0]);
	assert_int_equal(start_soon(&f), QE_ABSENT);
	tls_way_close(&f.tls.way);
	assert_int_equal(start_soon(&f), QE_ABSENT);
	close(way[1]);
	unit_remove(dir);
	front_free(&f);
}

/* Whatever one does who has the way, others can still send. */
static void
test_way(void **state)
{
	struct tls_way way, mine, none;
	struct tls_order sent = { .mode = ORDER_SOON }, got;
	char dir[64], path[96], text[32];
	int orders, end;

	(void)state;
	unit_make_dir(dir);
	assert_int_equal(tls_way_make(dir, &way, &orders, &end), 0);
	assert_int_equal(fcntl(way.place, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	/* No name is left by which others could find it. */
	snprintf(path, sizeof(path), "%s/run", dir);
	assert_int_equal(rmdir(path), 0);
	snprintf(text, sizeof(text), "%d:%d", way.place, way.life);
	assert_int_equal(env_set("QMAILTLS", text), 0);
	assert_true(tls_way_take(&mine));
	assert_int_equal(mine.place, way.place);
	assert_null(env_get("QMAILTLS"));
	assert_int_equal(shutdown(mine.place, SHUT_RDWR), -1);
	assert_int_equal(shutdown(mine.life, SHUT_RDWR), -1);
	assert_int_equal(write(mine.life, "x", 1), 1);
	for (int i = 0; i < 3; i++) {
		sent.control = sent.data = sent.net_in = sent.net_out = end;
		assert_int_equal(tls_way_send(&mine, &sent), 0);
		assert_int_equal(order_receive(orders, &got), 0);
		order_close(&got);
	}
	assert_int_equal(order_receive(orders, &got), QE_SYS);
	assert_int_equal(errno, EAGAIN);
	close(orders);
	assert_int_equal(tls_way_send(&mine, &sent), QE_EOF);
	tls_way_close(&mine);
	close(end);
	/* No way at all. */
	assert_false(tls_way_take(&none));
	for (size_t i = 0; i < 5; i++) {
		static const char *const bad[] = { "", "2:2", "900:901", "900",
			"x:y" };

		assert_int_equal(env_set("QMAILTLS", bad[i]), 0);
		assert_false(tls_way_take(&none));
		assert_int_equal(none.place, -1);
	}
	/* Where there is no home, or one in which we may write nothing. */
	snprintf(path, sizeof(path), "%s/nowhere", dir);
	assert_int_equal(tls_way_make(path, &way, &orders, &end), 0);
	sent.control = sent.data = sent.net_in = sent.net_out = end;
	assert_int_equal(tls_way_send(&way, &sent), 0);
	assert_int_equal(order_receive(orders, &got), 0);
	order_close(&got);
	tls_way_close(&way);
	close(orders);
	close(end);
	unit_remove(dir);
}

static void
test_start_fails(void **state)
{
	struct front f;

	(void)state;
	front_make(&f, "");
	assert_int_equal(write(f.control[0], "SSL_PROTOCOL=x", 14), 14);
	assert_int_equal(shutdown(f.control[0], SHUT_WR), 0);
	assert_int_equal(start_soon(&f), QE_EOF);
	assert_false(ucspi_tls_is_on(&f.tls));
	front_free(&f);
	front_make(&f, "");
	assert_int_equal(
	    ucspi_tls_start(&f.tls, STRV(""), &f.in, &f.out, clock_mono_ms()),
	    QE_TIMEOUT);
	front_free(&f);
}

static void
test_client_request(void **state)
{
	const struct strv names[] = { STRV("mx.a.example"), STRV("a.example") };
	const struct tls_tlsa tlsa[] = {
		{3, 1, 1, STRV("\x01\xab\xff")}
	};
	const struct tls_client_request request = { .level = TLS_LEVEL_DANE,
		.names = names,
		.name_count = 2,
		.ca_file = "control/cafile",
		.tlsa = tlsa,
		.tlsa_count = 1,
		.deadline_ms = 7000 };
	struct buf out = BUF_INIT;

	(void)state;
	tls_client_encode(&request, 2000, &out);
	assert_buf(&out, "level=dane\0timeout=5000\0name=mx.a.example\0"
			 "name=a.example\0cafile=control/cafile\0"
			 "tlsa=3 1 1 01abff\0\0");
	buf_free(&out);
}

static void
test_client_refusals(void **state)
{
	const struct strv name = STRV("mx.a.example");
	struct tls_client_request request = { .level = TLS_LEVEL_NONE,
		.names = &name,
		.name_count = 1,
		.deadline_ms = clock_deadline(5) };
	struct tls_client client;

	(void)state;
	assert_int_equal(tls_client_start(0, &request, &client), QE_LIMIT);
	request.level = TLS_LEVEL_DANE;
	assert_int_equal(tls_client_start(0, &request, &client), QE_LIMIT);
	request.level = TLS_LEVEL_VERIFY;
	request.name_count = 0;
	assert_int_equal(tls_client_start(0, &request, &client), QE_LIMIT);
	/* Without the program there is a sentence, and nothing left over. */
	request.name_count = 1;
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(tls_client_start(0, &request, &client), QE_ABSENT);
	assert_non_null(strstr(client.facts.error, "bin/qmail-tlsd"));
	assert_int_equal(client.fd, -1);
	assert_int_equal(client.pid, -1);
}

/* A place for orders, a request that names it, and a socket for the peer. */
struct place {
	char dir[64];
	struct tls_way way;
	int orders, end, sockets[2];
	struct tls_client_request request;
};

static void
place_make(struct place *p)
{
	unit_make_dir(p->dir);
	assert_int_equal(tls_way_make(p->dir, &p->way, &p->orders, &p->end), 0);
	assert_true(tls_way_is_place(p->way.place));
	assert_false(tls_way_is_place(p->orders));
	assert_false(tls_way_is_place(p->end));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, p->sockets), 0);
	p->request = (struct tls_client_request){ .level = TLS_LEVEL_MAY,
		.deadline_ms = clock_deadline(5),
		.place = p->way.place };
}

static void
place_free(struct place *p)
{
	unit_remove(p->dir);
	tls_way_close(&p->way);
	io_close(&p->orders);
	io_close(&p->end);
	io_close(&p->sockets[0]);
	io_close(&p->sockets[1]);
}

/* Stands for one who takes an order: says yes, hears, and answers. */
static void
take_client(const struct place *p, char yes, struct strv facts)
{
	struct tls_order taken;
	char asked[256] = "";
	bool ok;

	if (fork() != 0)
		return;
	ok = io_wait(p->orders, POLLIN, clock_deadline(5)) == 0 &&
	     order_receive(p->orders, &taken) == 0 && taken.mode == ORDER_NOW &&
	     taken.net_in == taken.net_out &&
	     (yes == '\0' || io_write_all(taken.control, &yes, 1) == 0);
	if (ok && yes == ORDER_YES)
		ok = io_read(taken.control, asked, sizeof(asked)) > 0 &&
		     strcmp(asked, "level=may") == 0 &&
		     io_write_all(taken.control, facts.ptr, facts.len) == 0 &&
		     io_write_all(taken.data, "220", 3) == 0 &&
		     io_write_all(taken.net_in, "net", 3) == 0;
	_exit(ok ? 0 : 1);
}

static void
test_client_by_order(void **state)
{
	struct place p;
	struct tls_client client;
	char bytes[8];

	(void)state;
	place_make(&p);
	take_client(&p, ORDER_YES,
	    STRV("SSL_PROTOCOL=TLSv1.3\0QMAILTLS_OUTCOME=ok\0\0"));
	assert_int_equal(
	    tls_client_start(p.sockets[0], &p.request, &client), 0);
	assert_int_equal(client.pid, -1);
	assert_string_equal(client.facts.protocol, "TLSv1.3");
	assert_int_equal(io_read(client.fd, bytes, sizeof(bytes)), 3);
	assert_memory_equal(bytes, "220", 3);
	assert_int_equal(io_read(p.sockets[1], bytes, sizeof(bytes)), 3);
	tls_client_end(&client);
	assert_int_equal(client.fd, -1);
	expect_answered();
	place_free(&p);
}

/* Without anybody to take it one is started, and here is none. */
static void
expect_own(struct place *p)
{
	struct tls_client client;

	assert_int_equal(chdir("/"), 0);
	assert_int_equal(
	    tls_client_start(p->sockets[0], &p->request, &client), QE_ABSENT);
	assert_non_null(strstr(client.facts.error, "bin/qmail-tlsd"));
	assert_int_equal(client.fd, -1);
}

static void
test_client_order_refused(void **state)
{
	struct place p;

	(void)state;
	place_make(&p);
	take_client(&p, ORDER_NO, STRV_EMPTY);
	expect_own(&p);
	expect_answered();
	take_client(&p, '\0', STRV_EMPTY); /* ends without a word */
	expect_own(&p);
	expect_answered();
	io_close(&p.orders); /* nobody is there */
	expect_own(&p);
	p.request.place = p.end; /* no place at all */
	expect_own(&p);
	place_free(&p);
}

/* Whoever takes it too late finds nobody, and nothing to do. */
static void
test_client_order_late(void **state)
{
	struct place p;
	struct tls_order taken;
	char byte;

	(void)state;
	place_make(&p);
	p.request.deadline_ms = clock_mono_ms() - 990;
	expect_own(&p);
	assert_int_equal(order_receive(p.orders, &taken), 0);
	assert_int_equal(io_read(taken.control, &byte, 1), 0);
	assert_int_equal(io_read(taken.data, &byte, 1), 0);
	order_close(&taken);
	place_free(&p);
}

/* With its queue full nobody waits for long. */
static void
test_client_orders_without_end(void **state)
{
	const struct tls_order order = { .mode = ORDER_NOW };
	struct place p;
	int r = 0;

	(void)state;
	place_make(&p);
	for (int i = 0; r == 0 && i < 100000; i++)
		r = tls_way_post(p.way.place, &order);
	assert_int_equal(r, QE_SYS);
	expect_own(&p);
	place_free(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_facts_hostile),
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_states_without_front),
		cmocka_unit_test(test_start),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_order_refused),
		cmocka_unit_test(test_way),
		cmocka_unit_test(test_start_fails),
		cmocka_unit_test(test_client_request),
		cmocka_unit_test(test_client_refusals),
		cmocka_unit_test(test_client_by_order),
		cmocka_unit_test(test_client_order_refused),
		cmocka_unit_test(test_client_order_late),
		cmocka_unit_test(test_client_orders_without_end),
	};

	return RUN_TESTS(tests);
}
