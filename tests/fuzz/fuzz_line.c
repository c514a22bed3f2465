/* smtp/line: the same lines and flaws, however the bytes arrive. */
#include "base/error.h"
#include "base/io.h"
#include "fuzz.h"
#include "smtp/line.h"

#include <string.h>
#include <unistd.h>

enum { INPUT_MAX = 4096, LINE_MAX_BYTES = 20 };

struct reader {
	struct source source;
	struct buf line;
	char storage[64];
};

static void
reader_open(struct reader *r, struct strv in, size_t cap)
{
	int fds[2];

	memset(r, 0, sizeof(*r));
	r->line = (struct buf)BUF_LIMIT(LINE_MAX_BYTES);
	require(io_pipe(fds) == 0);
	require(write(fds[1], in.ptr, in.len) == (ssize_t)in.len);
	close(fds[1]);
	source_init(&r->source, fds[0], r->storage, cap);
}

static void
reader_close(struct reader *r)
{
	close(r->source.fd);
	buf_free(&r->line);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strv in = strv_head(fuzz_input(data, size), INPUT_MAX);
	size_t cap = fuzz_take(&in) % 64 + 1;
	struct reader a, b;
	int r = 0;

	reader_open(&a, in, 64);
	reader_open(&b, in, cap);
	while (r == 0) {
		unsigned flaws = 0, other = 0;

		r = line_read(&a.source, IO_FOREVER, &a.line, &flaws);
		require(r == line_read(&b.source, IO_FOREVER, &b.line, &other));
		require(r == 0 || r == QE_EOF);
		require(flaws == other);
		require(strv_eq(buf_view(&a.line), buf_view(&b.line)));
		require(a.line.len <= LINE_MAX_BYTES);
	}
	reader_close(&a);
	reader_close(&b);
	return 0;
}
