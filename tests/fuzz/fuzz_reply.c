/*
 * smtp/reply: another host's replies, bounded whatever they are.  An input that
 * begins with R and a byte is the rest of it many times over.
 */
#include "base/error.h"
#include "base/io.h"
#include "fuzz.h"
#include "smtp/reply.h"

#include <sys/mman.h>
#include <unistd.h>

enum { INPUT_MAX = 16384, WIRE_MAX = 2 * REPLY_BYTES_MAX, TIMES = 16 };

/* A file, as a pipe would not hold it all. */
static int
feed(struct strv in)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	size_t times = 1;

	if (in.len >= 2 && in.ptr[0] == 'R') {
		times = TIMES * (unsigned char)in.ptr[1];
		in = strv_skip(in, 2);
	}
	if (in.len > 0 && times > WIRE_MAX / in.len)
		times = WIRE_MAX / in.len;
	require(fd >= 0);
	while (times-- > 0)
		require(io_write_all(fd, in.ptr, in.len) == 0);
	require(lseek(fd, 0, SEEK_SET) == 0);
	return fd;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strv in = strv_head(fuzz_input(data, size), INPUT_MAX);
	struct buf text = BUF_INIT;
	struct source source;
	char storage[4096];
	int fd = feed(in);
	int r = 0;

	source_init(&source, fd, storage, size % 2 == 0 ? 64 : 4096);
	while (r == 0) {
		off_t before = lseek(fd, 0, SEEK_CUR);
		int code = 0;

		r = reply_read(&source, IO_FOREVER, &code, &text);
		require(
		    r == 0 || r == QE_EOF || r == QE_SYNTAX || r == QE_LIMIT);
		require(r != 0 || (code >= 200 && code <= 599));
		require(text.len <= REPLY_READ_MAX);
		require(r != 0 || text.data[text.len - 1] == '\n');
		require(strv_find(buf_view(&text), '\r') == STRV_NPOS);
		require(strv_find(buf_view(&text), '\0') == STRV_NPOS);
		require(lseek(fd, 0, SEEK_CUR) - before <=
			REPLY_BYTES_MAX + (off_t)sizeof(storage));
	}
	close(fd);
	buf_free(&text);
	return 0;
}
