/* Queries as they go out, answers of every kind as they come in. */
#include "base/dns_message.h"

#include "unit.h"

struct packet {
	unsigned char bytes[DNS_ANSWER_MAX];
	size_t len;
};

static void
put(struct packet *p, const void *bytes, size_t n)
{
	assert_true(p->len + n <= sizeof(p->bytes));
	memcpy(p->bytes + p->len, bytes, n);
	p->len += n;
}

static void
put16(struct packet *p, unsigned n)
{
	unsigned char b[2] = { (unsigned char)(n >> 8), (unsigned char)n };

	put(p, b, 2);
}

/* The answer's header and the question of the query. */
static void
begin(struct packet *p, const struct dns_query *q, unsigned flags,
    unsigned answers)
{
	p->len = 0;
	put(p, q->bytes, 2);
	put16(p, flags);
	put16(p, 1);
	put16(p, answers);
	put16(p, 0);
	put16(p, 0);
	put(p, q->bytes + 12, q->len - 12 - 11); /* without OPT */
}

/* A record; owner and data in wire form. */
static void
add(struct packet *p, struct strv owner, unsigned type, unsigned class,
    struct strv data)
{
	put(p, owner.ptr, owner.len);
	put16(p, type);
	put16(p, class);
	put16(p, 0);
	put16(p, 60);
	put16(p, (unsigned)data.len);
	put(p, data.ptr, data.len);
}

#define ASKED STRV("\xc0\x0c")

static struct dns_query
query_for(unsigned type)
{
	struct dns_query q;

	assert_int_equal(dns_query_make(STRV("Host.Example"), type, &q), 0);
	dns_query_set_id(&q, 0x1234);
	return q;
}

static void
test_query(void **state)
{
	static const unsigned char want[] = "\x12\x34\1\x20\0\1\0\0\0\0\0\1"
					    "\4Host\7Example\0\0\x0f\0\1"
					    "\0\0\x29\4\xd0\0\0\0\0\0";
	struct dns_query q = query_for(DNS_MX);

	(void)state;
	assert_int_equal(q.len, sizeof(want));
	assert_memory_equal(q.bytes, want, sizeof(want));
	dns_query_strip_edns(&q);
	dns_query_strip_edns(&q);
	assert_int_equal(q.len, sizeof(want) - 11);
	assert_int_equal(q.bytes[11], 0);
}

static void
test_names(void **state)
{
	static const char *const bad[] = { "", ".", "..", ".a", "a..b", "a b",
		"a\\b", "a@b", "a\nb", "a\"b" };
	char name[300];
	struct dns_query q;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(
		    dns_query_make(strv_of(bad[i]), DNS_A, &q), QE_SYNTAX);
	assert_int_equal(dns_query_make(STRV("a\0b"), DNS_A, &q), QE_SYNTAX);
	assert_int_equal(dns_query_make(STRV("a."), DNS_A, &q), 0);
	assert_int_equal(dns_query_make(STRV("_x-1.\xc3\xa4"), DNS_A, &q), 0);
	memset(name, 'a', sizeof(name));
	assert_int_equal(dns_query_make(strv_from(name, 63), DNS_A, &q), 0);
	assert_int_equal(
	    dns_query_make(strv_from(name, 64), DNS_A, &q), QE_SYNTAX);
	for (size_t i = 49; i < sizeof(name); i += 50)
		name[i] = '.';
	assert_int_equal(dns_query_make(strv_from(name, 253), DNS_A, &q), 0);
	assert_int_equal(
	    dns_query_make(strv_from(name, 254), DNS_A, &q), QE_SYNTAX);
}

static enum dns_verdict
judge(const struct dns_query *q, unsigned flags)
{
	static struct packet p;

	begin(&p, q, flags, 0);
	return dns_answer_judge(q, p.bytes, p.len);
}

static void
test_judge(void **state)
{
	static struct packet p;
	struct dns_query q = query_for(DNS_A);
	struct dns_query other = query_for(DNS_MX);

	(void)state;
	assert_int_equal(judge(&q, 0x8180), DNS_GOOD);
	assert_int_equal(judge(&q, 0x8400), DNS_GOOD);     /* authoritative */
	assert_int_equal(judge(&q, 0x8000), DNS_UNUSABLE); /* a referral */
	assert_int_equal(judge(&q, 0x8183), DNS_GOOD);
	assert_int_equal(judge(&q, 0x8182), DNS_UNUSABLE);
	assert_int_equal(judge(&q, 0x8185), DNS_UNUSABLE);
	assert_int_equal(judge(&q, 0x8181), DNS_NO_EDNS);
	assert_int_equal(judge(&q, 0x8380), DNS_TRUNCATED);
	assert_int_equal(judge(&q, 0x0180), DNS_FOREIGN); /* a query */
	assert_int_equal(judge(&q, 0xa980), DNS_FOREIGN); /* opcode */
	assert_int_equal(judge(&other, 0x8180), DNS_GOOD);
	begin(&p, &other, 0x8180, 0);
	assert_int_equal(dns_answer_judge(&q, p.bytes, p.len), DNS_FOREIGN);
	begin(&p, &q, 0x8180, 0);
	for (size_t len = 0; len < p.len; len++)
		assert_int_equal(
		    dns_answer_judge(&q, p.bytes, len), DNS_FOREIGN);
	p.bytes[1] ^= 1;
	assert_int_equal(dns_answer_judge(&q, p.bytes, p.len), DNS_FOREIGN);
	p.bytes[1] ^= 1;
	p.bytes[13] ^= 0x20; /* the case of a letter does not matter */
	assert_int_equal(dns_answer_judge(&q, p.bytes, p.len), DNS_GOOD);
	p.bytes[3] = 0x81;
	assert_int_equal(dns_answer_judge(&q, p.bytes, 12), DNS_NO_EDNS);
	dns_query_strip_edns(&q);
	assert_int_equal(dns_answer_judge(&q, p.bytes, 12), DNS_UNUSABLE);
}

static void
test_mx(void **state)
{
	static struct dns_mx mx[DNS_MX_MAX];
	static struct packet p;
	struct dns_query q = query_for(DNS_MX);
	struct dns_found found = { .mx = mx };

	(void)state;
	begin(&p, &q, 0x8180, 5);
	add(&p, ASKED, DNS_MX, 1, STRV("\0\x0a\2MX\xc0\x0c"));
	add(&p, ASKED, DNS_MX, 1, STRV("\1\0\0"));    /* the root */
	add(&p, ASKED, DNS_MX, 3, STRV("\0\1\1x\0")); /* another class */
	add(&p, STRV("\1y\0"), DNS_MX, 1, STRV("\0\1\1x\0"));
	add(&p, ASKED, DNS_A, 1, STRV("\1\2\3\4"));
	assert_int_equal(dns_answer_read(&q, p.bytes, p.len, &found), 0);
	assert_int_equal(found.mx_count, 2);
	assert_int_equal(mx[0].preference, 10);
	assert_string_equal(mx[0].name, "mx.host.example");
	assert_int_equal(mx[1].preference, 256);
	assert_string_equal(mx[1].name, "");
}

static int
read_addresses(
    const struct dns_query *q, const struct packet *p, struct ipaddr_list *list)
{
	struct dns_found found = { .addresses = list };

	return dns_answer_read(q, p->bytes, p->len, &found);
}

static void
test_addresses_behind_aliases(void **state)
{
	static struct packet p;
	struct dns_query q = query_for(DNS_AAAA);
	struct ipaddr_list list = { NULL, 0, 0 };

	(void)state;
	begin(&p, &q, 0x8180, 4);
	add(&p, STRV("\1c\0"), DNS_AAAA, 1, STRV("0123456789abcdef"));
	add(&p, STRV("\1B\0"), 5, 1, STRV("\1C\0"));
	add(&p, ASKED, 5, 1, STRV("\1b\0"));
	add(&p, ASKED, DNS_AAAA, 1, STRV("fedcba9876543210"));
	assert_int_equal(read_addresses(&q, &p, &list), 0);
	assert_int_equal(list.count, 1);
	assert_memory_equal(list.items[0].bytes, "0123456789abcdef", 16);
	ipaddr_list_free(&list);
}

static void
test_ends_of_chains(void **state)
{
	static struct packet p;
	struct dns_query q = query_for(DNS_A);
	struct ipaddr_list list = { NULL, 0, 0 };
	struct dns_found found = { .addresses = &list };

	(void)state;
	begin(&p, &q, 0x8180, 0);
	assert_int_equal(read_addresses(&q, &p, &list), QE_ABSENT);
	begin(&p, &q, 0x8183, 0);
	assert_int_equal(read_addresses(&q, &p, &list), QE_DENIED);
	begin(&p, &q, 0x8180, 1);
	add(&p, ASKED, 5, 1, STRV("\1B\0"));
	assert_int_equal(dns_answer_read(&q, p.bytes, p.len, &found), QE_EOF);
	assert_string_equal(found.alias, "b");
	begin(&p, &q, 0x8180, 2);
	add(&p, ASKED, 5, 1, STRV("\1b\0"));
	add(&p, STRV("\1b\0"), 5, 1, ASKED);
	assert_int_equal(read_addresses(&q, &p, &list), QE_TEMP);
}

static void
test_malformed(void **state)
{
	static struct packet p;
	struct dns_query q = query_for(DNS_A);
	struct ipaddr_list list = { NULL, 0, 0 };

	(void)state;
	begin(&p, &q, 0x8180, 2);
	add(&p, ASKED, DNS_A, 1, STRV("\1\2\3\4"));
	add(&p, ASKED, DNS_A, 1, STRV("\1\2\3"));
	assert_int_equal(read_addresses(&q, &p, &list), QE_TEMP);
	assert_int_equal(list.count, 0);
	begin(&p, &q, 0x8180, 3); /* one more than there are */
	add(&p, ASKED, DNS_A, 1, STRV("\1\2\3\4"));
	add(&p, ASKED, DNS_A, 1, STRV("\1\2\3\4"));
	assert_int_equal(read_addresses(&q, &p, &list), QE_TEMP);
	for (size_t len = p.len - 1; len > 30; len--) {
		p.len = len;
		assert_int_equal(read_addresses(&q, &p, &list), QE_TEMP);
	}
	begin(&p, &q, 0x8180, 1); /* a name that points at itself */
	add(&p, STRV("\xc0\x1e"), DNS_A, 1, STRV("\1\2\3\4"));
	assert_int_equal(read_addresses(&q, &p, &list), QE_TEMP);
	assert_int_equal(list.count, 0);
	ipaddr_list_free(&list);
}

static void
test_limits(void **state)
{
	static struct dns_mx mx[DNS_MX_MAX];
	static struct packet p;
	struct dns_query q = query_for(DNS_A);
	struct dns_query q_mx = query_for(DNS_MX);
	struct ipaddr_list list = { NULL, 0, 0 };
	struct dns_found found = { .mx = mx };

	(void)state;
	begin(&p, &q, 0x8180, 300);
	for (int i = 0; i < 300; i++)
		add(&p, ASKED, DNS_A, 1, STRV("\1\2\3\4"));
	assert_int_equal(read_addresses(&q, &p, &list), 0);
	assert_int_equal(list.count, DNS_ADDRESSES_MAX);
	ipaddr_list_free(&list);
	begin(&p, &q_mx, 0x8180, 300);
	for (int i = 0; i < 300; i++)
		add(&p, ASKED, DNS_MX, 1, STRV("\0\1\xc0\x0c"));
	assert_int_equal(dns_answer_read(&q_mx, p.bytes, p.len, &found), 0);
	assert_int_equal(found.mx_count, DNS_MX_MAX);
}

/* Any damage to a good answer is survived. */
static void
test_damage(void **state)
{
	static struct dns_mx mx[DNS_MX_MAX];
	static struct packet good, bad;
	struct dns_query q = query_for(DNS_MX);
	struct dns_found found = { .mx = mx };
	uint32_t seed = 7;

	(void)state;
	begin(&good, &q, 0x8180, 4);
	add(&good, ASKED, 5, 1, STRV("\5alias\xc0\x0c"));
	add(&good, STRV("\5alias\xc0\x0c"), DNS_MX, 1,
	    STRV("\0\1\2mx\xc0\x11"));
	add(&good, STRV("\5alias\xc0\x0c"), DNS_MX, 1, STRV("\0\1\xc0\x2a"));
	add(&good, STRV("\5other\xc0\x0c"), DNS_A, 1, STRV("\1\2\3\4"));
	for (int i = 0; i < 100000; i++) {
		bad = (struct packet){ .len = good.len };
		memcpy(bad.bytes, good.bytes, good.len);
		for (unsigned n = unit_random(&seed) % 4; n < 4; n++)
			bad.bytes[unit_random(&seed) % bad.len] =
			    (unsigned char)unit_random(&seed);
		if (dns_answer_judge(&q, bad.bytes, bad.len) == DNS_GOOD &&
		    dns_answer_read(&q, bad.bytes, bad.len, &found) == 0)
			assert_in_range(found.mx_count, 1, 3);
	}
}

/*
 * A name that is one pointer after another takes long to follow, and a record
 * that asks for it costs twelve bytes.
 */
static void
test_dns_message_pointer_chains(void **state)
{
	enum { CHAIN = 8000, OWNERS = 4000 };
	static struct packet p;
	static char chain[2 * CHAIN];
	struct dns_query q = query_for(DNS_A);
	struct ipaddr_list list = { .items = NULL };
	struct dns_found found = { .addresses = &list };
	size_t at;

	(void)state;
	begin(&p, &q, 0x8180, 1 + OWNERS);
	at = p.len + 11; /* of the data: behind owner and fixed part */
	for (size_t i = 1; i < CHAIN; i++) {
		size_t to = at + 2 * (i - 1);

		chain[2 * i] = (char)(0xc0 | to >> 8);
		chain[2 * i + 1] = (char)(to & 0xff);
	}
	add(&p, STRV("\0"), 16, 1, strv_from(chain, sizeof(chain)));
	for (size_t i = 0; i < OWNERS; i++)
		add(&p, strv_from(chain + sizeof(chain) - 2, 2), DNS_A, 1,
		    STRV_EMPTY);
	assert_int_equal(dns_answer_read(&q, p.bytes, p.len, &found), QE_TEMP);
	ipaddr_list_free(&list);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_query),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_judge),
		cmocka_unit_test(test_mx),
		cmocka_unit_test(test_addresses_behind_aliases),
		cmocka_unit_test(test_ends_of_chains),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_dns_message_pointer_chains),
		cmocka_unit_test(test_damage),
	};

	return RUN_TESTS(tests);
}
