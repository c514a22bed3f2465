/* spool/trigger: anybody may write to the FIFO. */
#include "base/io.h"
#include "fuzz.h"
#include "spool/trigger.h"

#include <unistd.h>

enum { INPUT_MAX = 8192, IDS_MAX = 300 };

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strv in = strv_head(fuzz_input(data, size), INPUT_MAX);
	unsigned max = fuzz_take(&in) + 1;
	struct trigger t = { .capacity = 65536 };
	uint64_t ids[IDS_MAX];
	unsigned total = 0, nuls = 0;
	int fds[2];

	require(io_pipe(fds) == 0);
	t.fd = fds[0];
	t.keep_fd = fds[1];
	require(io_set_nonblocking(t.fd, true) == 0);
	require(write(fds[1], in.ptr, in.len) == (ssize_t)in.len);
	for (size_t i = 0; i < in.len; i++)
		nuls += in.ptr[i] == '\0';
	for (size_t i = 0; i <= in.len; i++) {
		bool scan = false;
		unsigned n = trigger_read(&t, ids, max, &scan);

		require(n <= max);
		total += n;
	}
	require(total <= nuls);
	trigger_close(&t);
	return 0;
}
