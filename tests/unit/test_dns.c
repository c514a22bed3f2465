/*
 * base/dns, dns_batch and dns_exchange against a server on loopback whose
 * manner is chosen by the first label of the name.
 */
#include "base/clock.h"
#include "base/dns.h"
#include "base/dns_batch.h"
#include "base/dns_exchange.h"
#include "unit.h"

#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

enum { HEADER = 12, SERVER_LIFE_MS = 60000, PACKET_MAX = 1500 };

struct fixture {
	pid_t server;
	int silent_fd; /* bound, and nobody reads it */
	char good[32], silent_first[64], silent[32];
};

/* "a.example" from the question; returns where the question ends. */
static size_t
read_name(const unsigned char *packet, size_t len, char *name, size_t size)
{
	size_t at = HEADER, used = 0;

	while (at < len && packet[at] != 0) {
		size_t n = packet[at++];

		if (at + n > len || used + n + 2 > size)
			return 0;
		memcpy(name + used, packet + at, n);
		used += n;
		name[used++] = '.';
		at += n;
	}
	name[used] = '\0';
	return at + 5 <= len ? at + 5 : 0;
}

static size_t
add_record(unsigned char *out, unsigned type, const char *data, size_t n)
{
	const unsigned char fixed[12] = { 0xc0, 0x0c, 0, (unsigned char)type, 0,
		1, 0, 0, 0, 60, 0, (unsigned char)n };

	memcpy(out, fixed, sizeof(fixed));
	memcpy(out + sizeof(fixed), data, n);
	return sizeof(fixed) + n;
}

static bool
is_first_label(const char *name, const char *label)
{
	size_t n = strlen(label);

	return strncasecmp(name, label, n) == 0 && name[n] == '.';
}

static size_t
add_answer(unsigned char *out, const char *name, unsigned type)
{
	if (type == DNS_MX && is_first_label(name, "mx"))
		return add_record(out, DNS_MX, "\0\012\001a\300\014", 6);
	if (type == DNS_A && !is_first_label(name, "none"))
		return add_record(out, DNS_A, "\300\0\002\001", 4);
	if (type == DNS_TXT && !is_first_label(name, "none"))
		return add_record(out, DNS_TXT, "\003one\000\004 two", 10);
	if (type == DNS_AAAA &&
	    (is_first_label(name, "both") || strncmp(name, "half", 4) == 0))
		return add_record(out, DNS_AAAA,
		    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16);
	return 0;
}

/* Turns the query into its answer; 0: none. */
static size_t
answer(unsigned char *p, size_t len, bool tcp)
{
	char name[300];
	size_t end = read_name(p, len, name, sizeof(name));
	bool edns = p[11] != 0;
	size_t more;

	if (end == 0 || is_first_label(name, "silent"))
		return 0;
	p[2] = 0x81;
	p[3] = 0x80;
	p[11] = 0;
	/* DNSSEC vouches for A or for AAAA; "half-failed" has no A. */
	if (is_first_label(name, "half-a") == (p[end - 3] == DNS_A))
		p[3] |= 0x20;
	if (is_first_label(name, "half-failed") && p[end - 3] == DNS_A)
		p[3] |= 2;
	else if (is_first_label(name, "nx"))
		p[3] |= 3;
	else if (is_first_label(name, "fail"))
		p[3] |= 2;
	else if (is_first_label(name, "noedns") && edns)
		p[3] |= 1;
	else if (is_first_label(name, "big") && !tcp)
		p[2] |= 2;
	else {
		more = add_answer(p + end, name, p[end - 3]);
		p[7] = more > 0;
		end += more;
	}
	return end;
}

static void
serve_udp(int fd)
{
	unsigned char packet[PACKET_MAX];
	struct sockaddr_in peer;
	socklen_t size = sizeof(peer);
	ssize_t got = recvfrom(
	    fd, packet, sizeof(packet) / 2, 0, (struct sockaddr *)&peer, &size);
	size_t n = got < HEADER ? 0 : answer(packet, (size_t)got, false);

	if (n == 0)
		return;
	/* A stranger's guess comes first. */
	packet[0] ^= 0xff;
	sendto(fd, packet, n, 0, (struct sockaddr *)&peer, size);
	packet[0] ^= 0xff;
	sendto(fd, packet, n, 0, (struct sockaddr *)&peer, size);
}

static void
serve_tcp(int fd)
{
	unsigned char packet[PACKET_MAX];
	int peer = accept(fd, NULL, NULL);
	ssize_t got = read(peer, packet, sizeof(packet) / 2);
	size_t n =
	    got < HEADER + 2 ? 0 : answer(packet + 2, (size_t)got - 2, true);

	packet[0] = (unsigned char)(n >> 8);
	packet[1] = (unsigned char)n;
	/* In two pieces, as networks do. */
	if (n > 0 && write(peer, packet, 1) == 1)
		(void)!write(peer, packet + 1, n + 1);
	close(peer);
}

static _Noreturn void
serve(int udp, int tcp)
{
	int64_t end = clock_mono_ms() + SERVER_LIFE_MS;

	signal(SIGPIPE, SIG_IGN);
	while (clock_mono_ms() < end) {
		struct pollfd p[2] = {
			{udp,  POLLIN, 0},
                        { tcp, POLLIN, 0}
		};

		if (poll(p, 2, 1000) <= 0)
			continue;
		if (p[0].revents != 0)
			serve_udp(udp);
		if (p[1].revents != 0)
			serve_tcp(tcp);
	}
	_exit(0);
}

/* Binds to loopback; *port 0 chooses one. */
static int
bind_to(int type, uint16_t *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_port = htons(*port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	if (bind(fd, (struct sockaddr *)&address, size) < 0 ||
	    (type == SOCK_STREAM && listen(fd, 5) < 0)) {
		close(fd);
		return -1;
	}
	assert_int_equal(
	    getsockname(fd, (struct sockaddr *)&address, &size), 0);
	*port = ntohs(address.sin_port);
	return fd;
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	uint16_t port = 0, quiet = 0;
	int udp = -1, tcp = -1;

	assert_non_null(f);
	for (int try = 0; try < 20 && tcp < 0; try++) {
		port = 0;
		if (udp >= 0)
			close(udp);
		udp = bind_to(SOCK_DGRAM, &port);
		tcp = bind_to(SOCK_STREAM, &port);
	}
	assert_true(udp >= 0 && tcp >= 0);
	f->silent_fd = bind_to(SOCK_DGRAM, &quiet);
	f->server = fork();
	assert_true(f->server >= 0);
	if (f->server == 0)
		serve(udp, tcp);
	close(udp);
	close(tcp);
	snprintf(f->good, sizeof(f->good), "127.0.0.1:%u", port);
	snprintf(f->silent, sizeof(f->silent), "127.0.0.1:%u", quiet);
	snprintf(f->silent_first, sizeof(f->silent_first), "%s %s", f->silent,
	    f->good);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	kill(f->server, SIGKILL);
	waitpid(f->server, NULL, 0);
	close(f->silent_fd);
	free(f);
	return 0;
}

static int
find(const char *servers, int64_t timeout_ms, const char *name, int family,
    struct ipaddr_list *out)
{
	struct dns *dns;
	int r;

	assert_int_equal(dns_open(strv_of(servers), timeout_ms, &dns), 0);
	r = dns_addresses(dns, strv_of(name), family, out);
	dns_close(&dns);
	assert_null(dns);
	return r;
}

static void
check(const struct fixture *f, const char *name, int want, size_t count)
{
	struct ipaddr_list list = { 0 };

	assert_int_equal(find(f->good, 5000, name, AF_UNSPEC, &list), want);
	assert_int_equal(list.count, count);
	ipaddr_list_free(&list);
}

static void
test_dns_addresses(void **state)
{
	const struct fixture *f = *state;

	check(f, "a.example", 0, 1);
	check(f, "both.example", 0, 2);
	check(f, "none.example", QE_ABSENT, 0);
	check(f, "nx.example", QE_DENIED, 0);
	check(f, "fail.example", QE_TEMP, 0);
	check(f, "a b.example", QE_SYNTAX, 0);
	check(f, "", QE_SYNTAX, 0);
}

/* What holds for one family must not be said of both. */
static void
test_dns_secure_is_all_of_a_look_up(void **state)
{
	static const struct {
		const char *name;
		int family;
		bool secure;
	} cases[] = {
		{"half-a.example",       AF_UNSPEC, false},
		{ "half-a.example",      AF_INET,   true },
		{ "half-a.example",      AF_INET6,  false},
		{ "half-aaaa.example",   AF_UNSPEC, false},
		{ "half-aaaa.example",   AF_INET6,  true },
 /* No answer is none that DNSSEC does not vouch for. */
		{ "half-failed.example", AF_UNSPEC, true },
	};
	const struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct ipaddr_list list = { 0 };
		struct dns *dns;

		assert_int_equal(dns_open(strv_of(f->good), 5000, &dns), 0);
		assert_int_equal(dns_addresses(dns, strv_of(cases[i].name),
				     cases[i].family, &list),
		    0);
		assert_int_equal(dns_was_secure(dns), cases[i].secure);
		ipaddr_list_free(&list);
		dns_close(&dns);
	}
}

static void
test_dns_changes_its_manner(void **state)
{
	const struct fixture *f = *state;

	check(f, "big.example", 0, 1);
	check(f, "noedns.example", 0, 1);
}

static void
test_dns_mx(void **state)
{
	const struct fixture *f = *state;
	static struct dns_mx mx[DNS_MX_MAX];
	struct dns *dns;
	size_t count = 0;

	assert_int_equal(dns_open(strv_of(f->good), 5000, &dns), 0);
	assert_int_equal(dns_mx(dns, STRV("MX.Example"), mx, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(mx[0].preference, 10);
	assert_string_equal(mx[0].name, "a.mx.example");
	assert_int_equal(
	    dns_mx(dns, STRV("none.example"), mx, &count), QE_ABSENT);
	assert_int_equal(
	    dns_mx(dns, STRV("nx.example"), mx, &count), QE_DENIED);
	dns_close(&dns);
}

static void
test_dns_goes_past_a_silent_server(void **state)
{
	const struct fixture *f = *state;
	struct ipaddr_list list = { 0 };

	assert_int_equal(
	    find(f->silent_first, 4000, "a.example", AF_INET, &list), 0);
	assert_int_equal(list.count, 1);
	ipaddr_list_free(&list);
}

static void
test_dns_ends_in_time(void **state)
{
	const struct fixture *f = *state;
	struct ipaddr_list list = { 0 };

	assert_int_equal(
	    find(f->silent, 400, "a.example", AF_INET, &list), QE_TEMP);
	assert_int_equal(
	    find(f->good, 400, "silent.example", AF_UNSPEC, &list), QE_TEMP);
	assert_int_equal(list.count, 0);
}

enum { MANY = 8 };

struct many {
	struct dns_question questions[MANY];
	struct ipaddr_list addresses[MANY];
	struct buf texts[MANY];
};

static int
ask_many(struct many *m, const char *servers, const char *const names[],
    unsigned type, int64_t ms, bool (*enough)(void *))
{
	struct dns *dns;
	size_t n = 0;
	int r;

	*m = (struct many){ 0 };
	for (; names[n] != NULL; n++) {
		m->questions[n].name = strv_of(names[n]);
		m->questions[n].type = type;
		m->questions[n].found.addresses = &m->addresses[n];
		m->questions[n].found.text = &m->texts[n];
		m->texts[n].max = 6;
	}
	assert_int_equal(dns_open(strv_of(servers), ms, &dns), 0);
	r = dns_ask_all(
	    dns, m->questions, n, clock_mono_ms() + ms, enough, m->questions);
	dns_close(&dns);
	return r;
}

static void
free_many(struct many *m)
{
	for (size_t i = 0; i < MANY; i++) {
		ipaddr_list_free(&m->addresses[i]);
		buf_free(&m->texts[i]);
	}
}

static bool
first_is_done(void *context)
{
	const struct dns_question *questions = context;

	return questions[0].done;
}

static void
test_dns_batch_one_silent_name_costs_the_others_nothing(void **state)
{
	const struct fixture *f = *state;
	static const char *const names[] = { "silent.example", "a.example",
		"nx.example", "fail.example", "big.example", "noedns.example",
		"none.example", "a b.example", NULL };
	static const int want[] = { 1, 0, QE_DENIED, QE_TEMP, 0, 0, QE_ABSENT,
		QE_SYNTAX };
	struct many m;
	int64_t start = clock_mono_ms();

	assert_int_equal(ask_many(&m, f->good, names, DNS_A, 2000, NULL), 0);
	assert_true(clock_mono_ms() - start >= 2000);
	assert_false(m.questions[0].done);
	for (size_t i = 1; i < MANY; i++) {
		assert_true(m.questions[i].done);
		assert_int_equal(m.questions[i].result, want[i]);
		assert_int_equal(m.addresses[i].count, want[i] == 0);
	}
	free_many(&m);
}

static void
test_dns_batch_stops_when_it_is_enough(void **state)
{
	const struct fixture *f = *state;
	static const char *const names[] = { "a.example", "silent.example",
		NULL };
	struct many m;
	int64_t start = clock_mono_ms();

	assert_int_equal(
	    ask_many(&m, f->good, names, DNS_A, 30000, first_is_done), 0);
	assert_true(clock_mono_ms() - start < 20000);
	assert_true(m.questions[0].done);
	assert_false(m.questions[1].done);
	free_many(&m);
}

static void
test_dns_batch_text(void **state)
{
	const struct fixture *f = *state;
	static const char *const names[] = { "a.example", "none.example",
		NULL };
	struct many m;

	assert_int_equal(ask_many(&m, f->good, names, DNS_TXT, 5000, NULL), 0);
	assert_int_equal(m.questions[0].result, 0);
	/* Two strings and an empty one, cut at the six bytes it may hold. */
	assert_int_equal(m.texts[0].len, 6);
	assert_memory_equal(m.texts[0].data, "one tw", 6);
	assert_int_equal(m.questions[1].result, QE_ABSENT);
	free_many(&m);
}

static void
test_dns_batch_goes_past_a_silent_server(void **state)
{
	const struct fixture *f = *state;
	static const char *const names[] = { "a.example", "nx.example", NULL };
	struct many m;

	assert_int_equal(
	    ask_many(&m, f->silent_first, names, DNS_A, 4000, NULL), 0);
	assert_int_equal(m.questions[0].result, 0);
	assert_int_equal(m.questions[1].result, QE_DENIED);
	free_many(&m);
	assert_int_equal(ask_many(&m, f->silent, names, DNS_A, 300, NULL), 0);
	assert_false(m.questions[0].done || m.questions[1].done);
	free_many(&m);
}

static void
test_dns_batch_has_a_limit(void **state)
{
	const struct fixture *f = *state;
	struct dns *dns;

	assert_int_equal(dns_open(strv_of(f->good), 100, &dns), 0);
	assert_int_equal(
	    dns_ask_all(dns, NULL, DNS_BATCH_MAX + 1, 0, NULL, NULL), QE_LIMIT);
	assert_int_equal(dns_ask_all(dns, NULL, 0, 0, NULL, NULL), 0);
	dns_close(&dns);
}

static void
test_dns_exchange_without_servers_in_reach(void **state)
{
	static unsigned char bytes[DNS_ANSWER_MAX];
	struct dns_servers servers = { .count = 1 };
	struct dns_query query;
	uint16_t port = 0;
	size_t len;
	int fd = bind_to(SOCK_DGRAM, &port);

	(void)state;
	close(fd); /* nobody listens there now */
	ipaddr_parse(STRV("127.0.0.1"), &servers.items[0].ip);
	servers.items[0].port = port;
	assert_int_equal(dns_query_make(STRV("a.example"), DNS_A, &query), 0);
	assert_int_equal(
	    dns_exchange(&servers, &query, clock_mono_ms() + 2000, bytes, &len),
	    QE_TEMP);
}

static void
test_dns_open_refuses_what_is_no_server(void **state)
{
	static const char *const bad[] = { "x", "127.0.0.1:0",
		"127.0.0.1:65536", "127.0.0.1:", "[::1]x", "::1:53:x",
		"127.0.0.1 x" };
	struct dns *dns = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(
		    dns_open(strv_of(bad[i]), 100, &dns), QE_SYNTAX);
	assert_null(dns);
	assert_int_equal(
	    dns_open(STRV("[::1]:53\t127.0.0.1 ::1"), 100, &dns), 0);
	dns_close(&dns);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_dns_addresses),
		TEST(test_dns_secure_is_all_of_a_look_up),
		TEST(test_dns_changes_its_manner),
		TEST(test_dns_mx),
		TEST(test_dns_goes_past_a_silent_server),
		TEST(test_dns_ends_in_time),
		TEST(test_dns_batch_one_silent_name_costs_the_others_nothing),
		TEST(test_dns_batch_stops_when_it_is_enough),
		TEST(test_dns_batch_text),
		TEST(test_dns_batch_goes_past_a_silent_server),
		TEST(test_dns_batch_has_a_limit),
		TEST(test_dns_exchange_without_servers_in_reach),
		TEST(test_dns_open_refuses_what_is_no_server),
	};

	return RUN_TESTS(tests);
}
