/* pop3/trace: a line that may hold a secret leaves none in the log. */
#include "base/io.h"
#include "fuzz.h"
#include "pop3/trace.h"

#include <string.h>
#include <unistd.h>

#define SECRET "rosebud-7f3a"

enum { INPUT_MAX = 300, LOG_MAX = 4096 };

/* Any command, or none, before the secret that must not be shown. */
static const char *const before[] = { "PASS ", "APOP joe ", "AUTH PLAIN ",
	"pass", "x", "", "aPoP j ", "auth\t" };

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strv in = strv_head(fuzz_input(data, size), INPUT_MAX);
	struct pop3_trace t = { .in = true, .pid = 1 };
	struct buf line = BUF_INIT;
	char log[LOG_MAX];
	int fds[2];
	ssize_t got;

	buf_add_str(&line, before[fuzz_take(&in) % 8]);
	buf_add_str(&line, SECRET);
	buf_add_view(&line, in);
	require(io_pipe(fds) == 0);
	t.fd = fds[1];
	trace_client(&t, buf_view(&line));
	got = read(fds[0], log, sizeof(log));
	require(got > 0 && log[got - 1] == '\n');
	require(memchr(log, '\n', (size_t)got) == log + got - 1);
	require(memmem(log, (size_t)got, SECRET, strlen(SECRET)) == NULL);
	io_close(&fds[0]);
	io_close(&fds[1]);
	buf_free(&line);
	return 0;
}
