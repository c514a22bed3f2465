/* smtp/lmtp: the name of a server, as a .qmail file has it. */
#include "base/error.h"
#include "fuzz.h"
#include "smtp/lmtp.h"

#include <string.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strv in = fuzz_input(data, size);
	struct lmtp_server server, again;
	struct buf text = BUF_INIT;
	int r = lmtp_server_parse(in, &server);

	require(r == 0 || r == QE_SYNTAX || r == QE_LIMIT);
	if (r != 0)
		return 0;
	require(strlen(server.host) > 0);
	require((server.host[0] == '/') == (server.port == 0));
	buf_add_str(&text, server.host);
	if (server.port != 0) {
		buf_add_char(&text, ':');
		buf_add_u64(&text, server.port);
	}
	require(lmtp_server_parse(buf_view(&text), &again) == 0);
	require(strcmp(again.host, server.host) == 0);
	require(again.port == server.port);
	buf_free(&text);
	return 0;
}
