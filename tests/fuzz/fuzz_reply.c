/* smtp/reply: another host's replies, bounded whatever they are. */
#include "base/error.h"
#include "fuzz.h"
#include "smtp/reply.h"

#include <unistd.h>

enum { INPUT_MAX = 16384 };

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strv in = strv_head(fuzz_input(data, size), INPUT_MAX);
	struct buf text = BUF_INIT;
	struct source source;
	char storage[64];
	int fds[2];
	int r = 0;

	require(io_pipe(fds) == 0);
	require(write(fds[1], in.ptr, in.len) == (ssize_t)in.len);
	close(fds[1]);
	source_init(&source, fds[0], storage, sizeof(storage));
	while (r == 0) {
		int code = 0;

		r = reply_read(&source, IO_FOREVER, &code, &text);
		require(r == 0 || r == QE_EOF || r == QE_SYNTAX);
		require(r != 0 || (code >= 200 && code <= 599));
		require(text.len <= REPLY_READ_MAX);
		require(r != 0 || text.data[text.len - 1] == '\n');
		require(strv_find(buf_view(&text), '\r') == STRV_NPOS);
		require(strv_find(buf_view(&text), '\0') == STRV_NPOS);
	}
	close(fds[0]);
	buf_free(&text);
	return 0;
}
