/* base/dns_message: answers from strangers. */
#include "base/dns_message.h"
#include "base/error.h"
#include "fuzz.h"

#include <string.h>

static void
check_answer(unsigned type, const unsigned char *answer, size_t len)
{
	static struct dns_mx mx[DNS_MX_MAX];
	struct ipaddr_list addresses = { 0 };
	struct buf text = BUF_LIMIT(200);
	struct dns_found found = { .text = &text };
	struct dns_query query;
	int r;

	require(dns_query_make(STRV("mx.example"), type, &query) == 0);
	dns_query_set_id(&query, (unsigned)answer[0] << 8 | answer[1]);
	if (dns_answer_judge(&query, answer, len) != DNS_GOOD)
		return;
	if (type == DNS_MX)
		found.mx = mx;
	else
		found.addresses = &addresses;
	r = dns_answer_read(&query, answer, len, &found);
	require(found.mx_count <= DNS_MX_MAX);
	require(addresses.count <= DNS_ADDRESSES_MAX);
	require(
	    r != 0 || found.mx_count + addresses.count + found.text_count > 0);
	require(text.len <= text.max);
	for (size_t i = 0; i < found.mx_count; i++)
		require(memchr(mx[i].name, '\0', sizeof(mx[i].name)) != NULL);
	ipaddr_list_free(&addresses);
	buf_free(&text);
}

static void
check_name(struct strv name)
{
	struct dns_query query;

	if (dns_query_make(name, DNS_A, &query) != 0)
		return;
	require(query.len <= sizeof(query.bytes));
	require(memchr(query.name, '\0', sizeof(query.name)) != NULL);
	dns_query_strip_edns(&query);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_name(fuzz_input(data, size));
	if (size < 2)
		return 0;
	check_answer(DNS_MX, data, size);
	check_answer(DNS_A, data, size);
	check_answer(DNS_AAAA, data, size);
	check_answer(DNS_TXT, data, size);
	return 0;
}
