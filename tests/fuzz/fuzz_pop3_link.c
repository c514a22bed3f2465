/* pop3/link: what a taken-over front can send never leaves its bounds. */
#include "fuzz.h"
#include "pop3/link.h"

#include <string.h>

static void
check_text(const char *text, size_t size)
{
	require(memchr(text, '\0', size) != NULL);
	for (; *text != '\0'; text++)
		require(*text >= ' ' && *text <= '~');
}

static void
check_login(const struct link_request *r)
{
	require(r->mechanism.len <= LINK_NAME_MAX);
	require(r->program.len > 0 && r->program.len <= LINK_NAME_MAX);
	require(r->user.len > 0 && r->user.len <= SASL_USER_MAX);
	require(r->a.len <= SASL_CREDENTIALS_MAX);
	require(r->b.len <= SASL_CREDENTIALS_MAX);
	require(r->private_file.len <= SASL_FACTS_MAX);
	require(strv_find(r->user, '\0') == STRV_NPOS);
	require(strv_find(r->a, '\0') == STRV_NPOS);
	require(strv_find(r->b, '\0') == STRV_NPOS);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct link_request r;

	if (link_decode(fuzz_input(data, size), &r) != 0)
		return 0;
	if (r.kind == LINK_LOGIN) {
		check_login(&r);
	} else {
		require(r.kind == LINK_TLS);
		check_text(r.facts.protocol, sizeof(r.facts.protocol));
		check_text(r.facts.client_name, sizeof(r.facts.client_name));
		check_text(r.facts.error, sizeof(r.facts.error));
	}
	return 0;
}
