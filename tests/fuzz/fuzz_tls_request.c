/* tls/request: what decodes is encoded to something that decodes the same. */
#include "base/error.h"
#include "fuzz.h"
#include "tls/request.h"

#include <string.h>

static void
encode(const struct request *r, struct buf *out)
{
	struct strv names[TLS_CLIENT_NAMES_MAX];
	struct tls_tlsa tlsa[TLS_CLIENT_TLSA_MAX];
	const struct tls_client_request request = { .level = r->level,
		.names = names,
		.name_count = r->name_count,
		.ca_file = r->ca_file[0] == '\0' ? NULL : r->ca_file,
		.tlsa = tlsa,
		.tlsa_count = r->tlsa_count,
		.deadline_ms = (int64_t)r->timeout_ms };

	for (size_t i = 0; i < r->name_count; i++)
		names[i] = strv_of(r->names[i]);
	for (size_t i = 0; i < r->tlsa_count; i++)
		tlsa[i] = (struct tls_tlsa){ r->tlsa[i].usage,
			r->tlsa[i].selector, r->tlsa[i].matching,
			strv_from(
			    r->bytes.data + r->tlsa[i].pos, r->tlsa[i].len) };
	tls_client_encode(&request, 0, out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf text = BUF_LIMIT(1 << 20);
	struct request first, again;
	int r = request_decode(&first, fuzz_input(data, size));

	require(r == 0 || r == QE_SYNTAX || r == QE_LIMIT || r == QE_NOMEM);
	if (r == 0) {
		encode(&first, &text);
		require(request_decode(
			    &again, strv_from(text.data, text.len - 1)) == 0);
		require(first.level == again.level &&
			first.name_count == again.name_count &&
			first.tlsa_count == again.tlsa_count &&
			first.timeout_ms == again.timeout_ms);
		require(
		    memcmp(first.names, again.names, sizeof(first.names)) == 0);
		require(
		    strv_eq(buf_view(&first.bytes), buf_view(&again.bytes)));
		request_clear(&again);
	}
	request_clear(&first);
	buf_free(&text);
	return 0;
}
