/*
 * qmtp/wire: whatever a client sends, boxes hold what is in them, nothing is
 * read twice, and every loop ends.
 */
#include "fuzz.h"
#include "qmtp/wire.c"

#include <sys/mman.h>
#include <unistd.h>

static int input_fd = -1;

static void
fill_input(const uint8_t *data, size_t size)
{
	if (input_fd < 0)
		input_fd = memfd_create("input", 0);
	require(ftruncate(input_fd, 0) == 0);
	require(pwrite(input_fd, data, size, 0) == (ssize_t)size);
	require(lseek(input_fd, 0, SEEK_SET) == 0);
}

/* As qmail-qmtpd reads: message, sender, a box of recipients. */
static int
read_one(struct wire *w, struct buf *text, size_t size)
{
	uint64_t length, before;
	int r = wire_text(w, text);

	require(text->len <= size);
	if (r == 0)
		r = wire_text(w, text);
	if (r == 0)
		r = wire_length(w, &length);
	if (r != 0)
		return r;
	wire_enter(w, length);
	while (r == 0 && w->box > 0) {
		before = w->box;
		r = wire_text(w, text);
		require(r != 0 || w->box < before);
		require(w->box <= before);
	}
	return r == 0 ? wire_leave(w) : r;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct wire w;
	struct buf text = BUF_LIMIT(64);

	fill_input(data, size);
	wire_init(&w, input_fd, -1);
	while (read_one(&w, &text, size) == 0)
		;
	buf_free(&text);
	return 0;
}
