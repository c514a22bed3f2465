/* The process that looks into messages; see the header. */
#include "scan/worker.h"
#include "base/die.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/file.h"
#include "base/io.h"
#include "scan/keeper.h"
#include "scan/sandbox.h"
#include "scan/wire.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	DIRECTORY_MAX = 64, /* bytes of its path */
	OPEN_FILES_MAX = 512,
	MIB_BITS = 20
};

static void
set_limit(int resource, uint64_t value)
{
	const struct rlimit limit = { .rlim_cur = value, .rlim_max = value };

	if (setrlimit((__rlimit_resource_t)resource, &limit) < 0)
		die_errno(EX_TEMPORARY, "unable to set limits");
}

/* Address space in use: the first number of /proc/self/statm, in pages. */
static uint64_t
memory_now(void)
{
	struct buf text = BUF_LIMIT(1024);
	struct strv rest;
	uint64_t pages;

	if (file_read("/proc/self/statm", &text) != 0)
		die_errno(EX_TEMPORARY, "unable to read /proc/self/statm");
	rest = buf_view(&text);
	if (strv_to_u64(
		strv_cut(&rest, ' ', NULL), UINT64_C(1) << 40, &pages) != 0)
		die(EX_TEMPORARY, "/proc/self/statm makes no sense");
	buf_free(&text);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* What it may use more than it shares with the keeper. */
static void
limit_resources(const struct scan_settings *s)
{
	set_limit(
	    RLIMIT_AS, memory_now() + ((uint64_t)s->memory_mib << MIB_BITS));
	set_limit(RLIMIT_FSIZE, (uint64_t)s->data_max);
	set_limit(RLIMIT_NOFILE, OPEN_FILES_MAX);
	set_limit(RLIMIT_CORE, 0);
}

static void
enter_directory(pid_t keeper)
{
	char path[DIRECTORY_MAX];

	snprintf(path, sizeof(path), SCAN_DIRECTORY "/" WORKER_DIRECTORY,
	    (long)keeper, (long)getpid());
	keeper_clean(strrchr(path, '/') + 1);
	if (mkdir(path, 0700) < 0 || chdir(path) < 0)
		die_errno(EX_TEMPORARY, "unable to make %s", path);
}

static void
shut_in(void)
{
	const struct sandbox_path own = { ".", true };
	int r = sandbox_files(&own, 1);

	if (r == 0 || r == QE_ABSENT)
		r = sandbox_calls(SANDBOX_WORKER);
	if (r != 0 && r != QE_ABSENT)
		die_errno(EX_TEMPORARY, "unable to shut a worker in");
}

static int
answer(int channel, struct engine *engine, int message)
{
	struct buf about = BUF_LIMIT(WIRE_TEXT_MAX);
	char kind = WIRE_ERROR;
	int r;

	switch (engine_scan(engine, message, &about)) {
	case ENGINE_CLEAN:
		kind = WIRE_CLEAN;
		break;
	case ENGINE_FOUND:
		kind = WIRE_FOUND;
		break;
	case ENGINE_FAILED:
		break;
	}
	r = wire_send(channel, kind, buf_view(&about), -1);
	buf_free(&about);
	return r;
}

_Noreturn void
worker_run(
    int channel, struct engine *engine, const struct scan_settings *settings)
{
	pid_t keeper = getppid();
	sigset_t none;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)prctl(PR_SET_NAME, "scan-worker");
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	enter_directory(keeper);
	limit_resources(settings);
	shut_in();
	if (getppid() != keeper)
		_exit(EX_TEMPORARY);
	for (;;) {
		struct wire_message m;
		int r = wire_receive(channel, &m);

		if (r == QE_EOF)
			_exit(EX_SUCCESS);
		if (r != 0 || m.kind != WIRE_JOB || m.fd < 0)
			_exit(EX_TEMPORARY);
		r = answer(channel, engine, m.fd);
		io_close(&m.fd);
		if (r != 0)
			_exit(EX_TEMPORARY);
	}
}
