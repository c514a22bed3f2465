/* tls/order, tls/tickets, tls/request: what qmail-tlsd is told by others. */
#include "smtp/tls_client.h"
#include "smtp/tls_order.h"
#include "tls/request.h"
#include "tls/tickets.h"
#include "tls_contexts.h"
#include "unit.h"

#include <errno.h>

#include <sys/socket.h>

static void
make_pair(int type, int pair[2])
{
	assert_int_equal(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair), 0);
}

static void
test_order(void **state)
{
	int way[2], control[2], data[2], net[2];
	struct tls_order sent = { .mode = ORDER_WAIT, .peer = "2001:db8::7" };
	struct tls_order got;
	char byte;

	(void)state;
	make_pair(SOCK_SEQPACKET, way);
	make_pair(SOCK_STREAM, control);
	make_pair(SOCK_STREAM, data);
	make_pair(SOCK_STREAM, net);
	sent.control = control[1];
	sent.data = data[1];
	sent.net_in = sent.net_out = net[1];
	assert_int_equal(order_send(way[0], &sent), 0);
	assert_int_equal(order_receive(way[1], &got), 0);
	assert_int_equal(got.mode, ORDER_WAIT);
	assert_string_equal(got.peer, "2001:db8::7");
	assert_int_equal(got.net_in, got.net_out);
	assert_int_equal(fcntl(got.data, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(write(got.control, "+", 1), 1);
	assert_int_equal(read(control[0], &byte, 1), 1);
	assert_int_equal(byte, '+');
	order_close(&got);
	assert_int_equal(got.control, -1);
	/* Nothing more, and then nobody. */
	assert_int_equal(order_receive(way[1], &got), QE_SYS);
	assert_int_equal(errno, EAGAIN);
	close(way[0]);
	assert_int_equal(order_receive(way[1], &got), QE_EOF);
	assert_int_equal(order_send(way[1], &sent), QE_EOF);
	close(way[1]);
	for (int i = 0; i < 2; i++) {
		close(control[i]);
		close(data[i]);
		close(net[i]);
	}
}

/* Data and control are one, and something is to be said to the client. */
static void
test_order_soon(void **state)
{
	struct tls_order sent = { .mode = ORDER_SOON,
		.peer = "192.0.2.1",
		.words = "220 a\r\n",
		.words_len = 7 };
	struct tls_order got;
	int way[2], data[2], net[2];

	(void)state;
	make_pair(SOCK_SEQPACKET, way);
	make_pair(SOCK_STREAM, data);
	make_pair(SOCK_STREAM, net);
	sent.control = sent.data = data[1];
	sent.net_in = net[1];
	sent.net_out = data[0];
	for (int i = 0; i < 2; i++) {
		assert_int_equal(order_send(way[0], &sent), 0);
		assert_int_equal(order_wait(way[1], &got), 0);
		assert_int_equal(got.mode, ORDER_SOON);
		assert_string_equal(got.peer, "192.0.2.1");
		assert_int_equal(got.data, got.control);
		assert_int_equal(got.net_in == got.net_out, i == 1);
		assert_int_equal(got.words_len, sent.words_len);
		assert_memory_equal(got.words, sent.words, got.words_len);
		order_close(&got);
		sent.net_out = sent.net_in;
		memset(sent.words, 'x', sizeof(sent.words));
		sent.words_len = sizeof(sent.words);
	}
	for (int i = 0; i < 2; i++) {
		close(way[i]);
		close(data[i]);
		close(net[i]);
	}
}

/* A message of that text with so many descriptors. */
static void
send_raw(int fd, struct strv text, size_t count)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int) * 8)];
	} room = { .bytes = { 0 } };
	char copy[512];
	struct iovec part = { copy, text.len };
	struct msghdr message = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = room.bytes,
		.msg_controllen = CMSG_SPACE(sizeof(int) * count) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	int fds[8] = { 0 };

	memcpy(copy, text.ptr, text.len);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int) * count);
	memcpy(CMSG_DATA(header), fds, sizeof(int) * count);
	if (count == 0) {
		message.msg_control = NULL;
		message.msg_controllen = 0;
	}
	assert_true(sendmsg(fd, &message, 0) >= 0);
}

static void
test_order_hostile(void **state)
{
	static const struct {
		struct strv text;
		size_t count;
	} bad[] = {
		{{ "w", 1 },         0},
		{ { "w", 1 },        1},
		{ { "w1.2.3.4", 8 }, 2},
		{ { "w", 1 },        5},
		{ { "x", 1 },        3},
		{ { "\0", 1 },       3},
		{ { "", 0 },         3},
		{ { "s", 1 },        1},
		{ { "s", 1 },        4},
	};
	char lots[400];
	struct tls_order got;
	int way[2], before, after;

	(void)state;
	make_pair(SOCK_SEQPACKET, way);
	before = dup(0);
	close(before);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		send_raw(way[0], bad[i].text, bad[i].count);
		assert_int_equal(order_receive(way[1], &got), QE_SYNTAX);
	}
	memset(lots, 'w', sizeof(lots));
	send_raw(way[0], strv_from(lots, sizeof(lots)), 3);
	assert_int_equal(order_receive(way[1], &got), QE_SYNTAX);
	/* Whatever came with it is closed. */
	after = dup(0);
	close(after);
	assert_int_equal(before, after);
	/* No text of it can play with a log. */
	send_raw(way[0], STRV("n1.2.3.4\n\x1b[31m"), 4);
	assert_int_equal(order_receive(way[1], &got), 0);
	assert_string_equal(got.peer, "1.2.3.4");
	assert_int_equal(got.mode, ORDER_NOW);
	order_close(&got);
	close(way[0]);
	close(way[1]);
}

static void
test_tickets_form(void **state)
{
	struct tickets t = { .count = 2 }, back = { .count = 0 };
	unsigned char bytes[TICKETS_KEYS * TICKET_RECORD];
	const struct ticket_key *key;
	size_t n;

	(void)state;
	t.keys[0].created = 5000;
	memset(t.keys[0].name, 'a', TICKET_NAME);
	memset(t.keys[0].cipher, 'b', TICKET_SECRET);
	memset(t.keys[0].mac, 'c', TICKET_SECRET);
	t.keys[1] = t.keys[0];
	t.keys[1].created = 4000;
	memset(t.keys[1].name, 'x', TICKET_NAME);
	n = tickets_encode(&t, bytes);
	assert_int_equal(n, 2 * TICKET_RECORD);
	assert_int_equal(tickets_decode(&back, bytes, n, 6000), 0);
	assert_int_equal(back.count, 2);
	key = tickets_find(&back, t.keys[1].name);
	assert_non_null(key);
	assert_int_equal(key->created, 4000);
	assert_int_equal(key->mac[31], 'c');
	assert_null(tickets_find(&back, t.keys[0].mac));
	/* A cut file is none; keys of the future are dropped. */
	assert_int_equal(tickets_decode(&back, bytes, n - 1, 6000), QE_CORRUPT);
	assert_int_equal(tickets_decode(&back, bytes, n, 4999 - 3600), 0);
	assert_int_equal(back.count, 1);
	assert_int_equal(back.keys[0].created, 4000);
}

static void
test_tickets_rotate(void **state)
{
	struct tickets mine = { .count = 0 }, other = { .count = 0 };
	unsigned char first[TICKET_NAME];
	char dir[64], path[96];
	struct stat st;
	bool saved;

	(void)state;
	unit_make_dir(dir);
	snprintf(path, sizeof(path), "%s/tickets", dir);
	assert_int_equal(tickets_refresh(&mine, dir, 100000, &saved), 0);
	assert_true(saved);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	memcpy(first, mine.keys[0].name, TICKET_NAME);
	/* Another service finds the same key. */
	assert_int_equal(tickets_refresh(&other, dir, 100001, &saved), 0);
	assert_memory_equal(other.keys[0].name, first, TICKET_NAME);
	/* Later somebody makes a new one, and the old one is still known. */
	other.looked = 0;
	assert_int_equal(
	    tickets_refresh(&other, dir, 100000 + TICKETS_ROTATE, &saved), 0);
	assert_memory_not_equal(other.keys[0].name, first, TICKET_NAME);
	assert_non_null(tickets_find(&other, first));
	mine.looked = 0;
	assert_int_equal(
	    tickets_refresh(&mine, dir, 100001 + TICKETS_ROTATE, &saved), 0);
	assert_memory_equal(mine.keys[0].name, other.keys[0].name, TICKET_NAME);
	for (int i = 2; i < 6; i++) {
		mine.looked = 0;
		assert_int_equal(tickets_refresh(&mine, dir,
				     100000 + i * TICKETS_ROTATE, &saved),
		    0);
	}
	assert_int_equal(mine.count, TICKETS_KEYS);
	assert_null(tickets_find(&mine, first));
	unit_remove(dir);
}

static void
test_tickets_without_a_file(void **state)
{
	struct tickets t = { .count = 0 };
	char dir[64], path[96];
	bool saved;

	(void)state;
	assert_int_equal(tickets_refresh(&t, "/nonexistent", 9, &saved), 0);
	assert_false(saved);
	assert_int_equal(t.count, 1);
	/* One that others may read is as good as public: never used. */
	unit_make_dir(dir);
	snprintf(path, sizeof(path), "%s/tickets", dir);
	t = (struct tickets){ .count = 0 };
	assert_int_equal(tickets_refresh(&t, dir, 1000, &saved), 0);
	assert_int_equal(chmod(path, 0644), 0);
	t = (struct tickets){ .count = 0 };
	assert_int_equal(tickets_refresh(&t, dir, 1000, &saved), 0);
	assert_true(saved);
	assert_int_equal(t.count, 1);
	unit_remove(dir);
}

/* A clock that was years ahead for a while: its key does not last as long. */
static void
test_tickets_clock_set_back(void **state)
{
	struct tickets t = { .count = 0 };
	bool saved;

	(void)state;
	assert_int_equal(
	    tickets_refresh(&t, "/nonexistent", 900000000, &saved), 0);
	t.looked = 0;
	assert_int_equal(
	    tickets_refresh(&t, "/nonexistent", 100000000, &saved), 0);
	assert_int_equal(t.keys[0].created, 100000000);
	/* Tickets that were made with it are still good. */
	assert_int_equal(t.count, 2);
	assert_int_equal(t.keys[1].created, 900000000);
	/* By some seconds is nothing. */
	t.looked = 0;
	assert_int_equal(
	    tickets_refresh(&t, "/nonexistent", 99999990, &saved), 0);
	assert_int_equal(t.keys[0].created, 100000000);
}

static void
test_request(void **state)
{
	const struct strv names[] = { STRV("mx.a.example"), STRV("a.example") };
	const struct tls_tlsa tlsa[] = {
		{3,  1, 1, STRV("\x01\xab\xff")},
                { 2, 0, 2, STRV("\0")          }
	};
	const struct tls_client_request sent = { .level = TLS_LEVEL_DANE,
		.names = names,
		.name_count = 2,
		.ca_file = "control/cafile",
		.tlsa = tlsa,
		.tlsa_count = 2,
		.deadline_ms = 7000 };
	struct buf text = BUF_INIT;
	struct request got;

	(void)state;
	tls_client_encode(&sent, 2000, &text);
	assert_int_equal(
	    request_decode(&got, strv_from(text.data, text.len - 1)), 0);
	assert_int_equal(got.level, TLS_LEVEL_DANE);
	assert_int_equal(got.timeout_ms, 5000);
	assert_int_equal(got.name_count, 2);
	assert_string_equal(got.names[1], "a.example");
	assert_string_equal(got.ca_file, "control/cafile");
	assert_int_equal(got.tlsa_count, 2);
	assert_int_equal(got.tlsa[1].usage, 2);
	assert_int_equal(got.tlsa[1].pos, 3);
	assert_same(buf_view(&got.bytes), STRV("\x01\xab\xff\0"));
	request_clear(&got);
	buf_free(&text);
}

static void
test_request_refusals(void **state)
{
	static const struct strv bad[] = {
		{"",			      0 },
		{ "level=may",                    9 },
		{ "level=none\0",                 11},
		{ "level=verify\0",               13},
		{ "level=dane\0name=a\0",         18},
		{ "timeout=5\0",                  10},
		{ "level=may\0timeout=x\0",       20},
		{ "level=may\0name=\0",           16},
		{ "level=may\0tlsa=3 1 1 0\0",    23},
		{ "level=may\0tlsa=3 1 1 0X\0",   24},
		{ "level=may\0tlsa=3 1 256 00\0", 26},
		{ "level=may\0tlsa=3\0",          17},
		{ "level=may\0\0",                11},
		{ "level=may\0what=x\0",          17},
		{ "level=may\0tlsa=3 1 1\0",      21},
		{ "level=may\0tlsa=3 1 1 \0",     22},
	};
	struct request got;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_int_equal(request_decode(&got, bad[i]), QE_SYNTAX);
		request_clear(&got);
	}
	assert_int_equal(request_decode(&got, STRV("level=may\0")), 0);
	request_clear(&got);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_order_soon),
		cmocka_unit_test(test_order_hostile),
		cmocka_unit_test(test_tickets_form),
		cmocka_unit_test(test_tickets_rotate),
		cmocka_unit_test(test_tickets_without_a_file),
		cmocka_unit_test(test_tickets_clock_set_back),
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_request_refusals),
	};

	return RUN_TESTS(tests);
}
