/*
 * pop3/retrieve: whatever a message holds, the answer ends where a client
 * sees its first end, and says the message's lines.
 */
#include "base/io.h"
#include "fuzz.h"
#include "pop3/retrieve.h"
#include "smtp/dot.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { INPUT_MAX = 40000, OUT_SIZE = 4096, WIRE_MAX = 4 * INPUT_MAX };

static int
file_of(struct strv bytes)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	require(fd >= 0);
	require(io_write_all(fd, bytes.ptr, bytes.len) == 0);
	require(lseek(fd, 0, SEEK_SET) == 0);
	return fd;
}

/* The answer to RETR, or TOP with so many lines. */
static struct buf
answer(struct strv message, uint64_t size, uint64_t lines)
{
	struct buf wire = BUF_LIMIT(WIRE_MAX);
	int from = file_of(message), to = file_of(STRV_EMPTY);
	char out[OUT_SIZE], *space = buf_reserve(&wire, WIRE_MAX);
	struct sink sink;
	ssize_t got;

	sink_init(&sink, to, out, sizeof(out));
	require(retrieve_send(&sink, from, size, lines) == 0);
	require(sink_flush(&sink) == 0);
	got = pread(to, space, WIRE_MAX, 0);
	require(got >= 5 && (size_t)got < WIRE_MAX);
	wire.len = (size_t)got;
	close(from);
	close(to);
	return wire;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strv in = fuzz_input(data, size);
	uint64_t lines = fuzz_take(&in), told = fuzz_take(&in);
	struct dot_decoder decoder;
	struct buf all, top, other, text = BUF_LIMIT(WIRE_MAX);

	in = strv_head(in, INPUT_MAX);
	all = answer(in, in.len, RETRIEVE_ALL);
	other = answer(in, told, RETRIEVE_ALL); /* it has grown meanwhile */
	require(strv_eq(buf_view(&all), buf_view(&other)));
	require(memmem(all.data, all.len, "\r\n.\r\n", 5) ==
		all.data + all.len - 5);
	dot_decoder_init(&decoder);
	if (strv_find(in, '\0') == STRV_NPOS) {
		require(dot_decode(&decoder, buf_view(&all), &text) == all.len);
		require(decoder.done && decoder.flaws == 0);
	}
	top = answer(in, in.len, lines);
	require(top.len <= all.len);
	require(memcmp(top.data, all.data, top.len - 5) == 0);
	buf_free(&all);
	buf_free(&top);
	buf_free(&other);
	buf_free(&text);
	return 0;
}
