/*
 * send/todo_link: nothing but whole messages parses, and what parses is
 * written back byte for byte.
 */
#include "fuzz.h"
#include "send/todo_link.c"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strv in = fuzz_input(data, size);
	struct link_message m;
	size_t used;

	while (link_decode(in, &m, &used) == 0) {
		struct buf back = BUF_INIT;

		require(used <= in.len);
		link_encode(&back, &m);
		require(back.err == 0);
		require(strv_eq(buf_view(&back), strv_head(in, used)));
		buf_free(&back);
		in = strv_skip(in, used);
	}
	return 0;
}
