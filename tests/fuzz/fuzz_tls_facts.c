/* smtp/tls_facts: the same in every cutting, printable, within bounds. */
#include "base/error.h"
#include "fuzz.h"
#include "smtp/tls_facts.h"

#include <string.h>

static int
feed(struct tls_facts *facts, struct strv in, size_t piece)
{
	struct tls_facts_reader reader;
	int r = 0;

	memset(facts, 0, sizeof(*facts));
	tls_facts_reader_init(&reader);
	while (r == 0 && in.len > 0) {
		struct strv cut = strv_head(in, piece);

		r = tls_facts_feed(&reader, facts, &cut);
		in = strv_skip(in, piece);
	}
	return r;
}

static void
require_text(const char *text, size_t size)
{
	size_t n = strnlen(text, size);

	require(n < size);
	for (size_t i = 0; i < n; i++)
		require(text[i] >= ' ' && text[i] <= '~');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strv in = fuzz_input(data, size);
	struct tls_facts whole, cut;
	size_t piece = 1 + fuzz_take(&in);
	int r = feed(&whole, in, in.len + 1);

	require(r == 0 || r == 1 || r == QE_LIMIT);
	require(feed(&cut, in, piece) == r);
	require(memcmp(&whole, &cut, sizeof(whole)) == 0);
	require_text(whole.protocol, sizeof(whole.protocol));
	require_text(whole.cipher, sizeof(whole.cipher));
	require_text(whole.server_name, sizeof(whole.server_name));
	require_text(whole.client_name, sizeof(whole.client_name));
	require_text(whole.outcome, sizeof(whole.outcome));
	require_text(whole.error, sizeof(whole.error));
	return 0;
}
