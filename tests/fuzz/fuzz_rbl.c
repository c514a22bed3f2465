/* smtp/rbl: what lists in the DNS answer, and what a client is told of it. */
#include "base/error.h"
#include "fuzz.h"
#include "smtp/rbl.h"

#include <string.h>

static const int results[] = { 0, QE_ABSENT, QE_DENIED, QE_TEMP, QE_SYNTAX };

enum { SOURCES = 4, RESULTS = sizeof(results) / sizeof(*results) };

static void
check_text(struct strv in)
{
	char out[RBL_TEXT_MAX + 1];

	rbl_text(in, STRV("2001:db8::1"), out);
	require(strlen(out) <= RBL_TEXT_MAX);
	for (const char *p = out; *p != '\0'; p++)
		require(*p >= ' ' && *p < 127);
}

static void
check_decision(struct strv in)
{
	struct rbl_source sources[SOURCES];
	struct dns_question questions[SOURCES] = { 0 };
	struct ipaddr_list addresses[SOURCES] = { 0 };
	struct buf text = BUF_LIMIT(RBL_TEXT_MAX);
	unsigned steer = fuzz_take(&in);
	const struct rbl_policy policy = { steer & 1, steer & 2 };
	struct rbl_verdict early, late;

	for (size_t i = 0; i < SOURCES; i++) {
		unsigned how = fuzz_take(&in);
		struct ipaddr ip;

		ipaddr_set(&ip, AF_INET,
		    (const unsigned char[4]){
			127, (unsigned char)how, (unsigned char)how, 2 });
		sources[i] = (struct rbl_source){
			.is_anti = how & 1, .asks_address = how & 3, .text = in
		};
		questions[i].done = how & 4;
		questions[i].result = results[how % RESULTS];
		questions[i].found.addresses = &addresses[i];
		questions[i].found.text = &text;
		if (ipaddr_list_add(&addresses[i], &ip) != 0)
			abort();
	}
	buf_add_view(&text, strv_head(in, RBL_TEXT_MAX));
	require(rbl_decide(sources, questions, SOURCES, &policy, true,
	    STRV("192.0.2.1"), &late));
	require(late.kind == RBL_CLEAN || late.code == 451 ||
		(late.code == 553 && policy.permanent));
	/* What is decided early is not decided otherwise later. */
	if (rbl_decide(sources, questions, SOURCES, &policy, false,
		STRV("192.0.2.1"), &early))
		require(early.kind == late.kind && early.code == late.code);
	for (size_t i = 0; i < SOURCES; i++)
		ipaddr_list_free(&addresses[i]);
	buf_free(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rbl_source source;
	struct strv in = fuzz_input(data, size);

	check_text(in);
	check_decision(in);
	if (rbl_source_parse(in, false, &source) == 0)
		require(source.zone.len > 0 && source.zone.len <= in.len);
	return 0;
}
