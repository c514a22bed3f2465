/* The process that holds the database; see the header. */
#include "scan/keeper.h"
#include "base/die.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/io.h"
#include "scan/engine.h"
#include "scan/wire.h"
#include "scan/worker.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	CHANNEL = 3, /* where the channel to the front is, and nothing above */
	CLEAN_FDS = 16,
	NAME_MAX_BYTES = 256
};

struct keeper {
	struct engine *engine;
	const struct scan_settings *settings;
	int signals;
	pid_t workers[SCAN_WORKERS_MAX];
};

static int
remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)ftw;
	if (type == FTW_DP)
		(void)rmdir(path);
	else
		(void)unlink(path);
	return 0;
}

static void
clean_one(const char *name)
{
	char path[sizeof(SCAN_DIRECTORY) + NAME_MAX_BYTES];

	snprintf(path, sizeof(path), "%s/%s", SCAN_DIRECTORY, name);
	(void)nftw(path, remove_entry, CLEAN_FDS, FTW_DEPTH | FTW_PHYS);
}

void
keeper_clean(const char *prefix)
{
	const struct dirent *entry;
	DIR *dir = opendir(SCAN_DIRECTORY);

	if (dir == NULL)
		return;
	while ((entry = readdir(dir)) != NULL)
		if (strv_starts(strv_of(entry->d_name), strv_of(prefix)))
			clean_one(entry->d_name);
	closedir(dir);
}

/* Only the channel and the standard descriptors are left. */
static void
keep_channel(int channel)
{
	if (dup2(channel, CHANNEL) < 0 ||
	    fcntl(CHANNEL, F_SETFD, FD_CLOEXEC) < 0 ||
	    close_range(CHANNEL + 1, ~0U, 0) < 0)
		die_errno(EX_TEMPORARY, "unable to close descriptors");
}

/* Takes those that have ended, and removes what they had. */
static void
reap(struct keeper *k)
{
	struct signalfd_siginfo info;
	char name[NAME_MAX_BYTES];
	pid_t pid;

	(void)io_read(k->signals, &info, sizeof(info));
	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0) {
		for (size_t i = 0; i < SCAN_WORKERS_MAX; i++)
			if (k->workers[i] == pid)
				k->workers[i] = 0;
		snprintf(name, sizeof(name), WORKER_DIRECTORY, (long)getpid(),
		    (long)pid);
		keeper_clean(name);
	}
}

/* If there is no process for it, the front sees the end of the channel. */
static void
make_worker(struct keeper *k, size_t slot, int channel)
{
	pid_t pid;

	/* The front is through with the one that was there. */
	if (k->workers[slot] > 0)
		kill(k->workers[slot], SIGKILL);
	pid = fork();
	if (pid == 0) {
		io_close(&k->signals);
		close(CHANNEL);
		worker_run(channel, k->engine, k->settings);
	}
	k->workers[slot] = pid > 0 ? pid : 0;
}

/* The front is through with all of them. */
static _Noreturn void
end(struct keeper *k)
{
	char name[NAME_MAX_BYTES];

	for (size_t i = 0; i < SCAN_WORKERS_MAX; i++)
		if (k->workers[i] > 0)
			kill(k->workers[i], SIGKILL);
	while (waitpid(-1, NULL, 0) > 0)
		continue;
	snprintf(name, sizeof(name), WORKER_OF_KEEPER, (long)getpid());
	keeper_clean(name);
	_exit(EX_SUCCESS);
}

static void
obey(struct keeper *k)
{
	struct wire_message m;
	int r = wire_receive(CHANNEL, &m);
	unsigned char slot;

	if (r == QE_EOF)
		end(k);
	if (r != 0)
		return;
	slot = m.len == 1 ? (unsigned char)m.text[0] : SCAN_WORKERS_MAX;
	if (m.kind == WIRE_WORKER && m.fd >= 0 && slot < SCAN_WORKERS_MAX)
		make_worker(k, slot, m.fd);
	io_close(&m.fd);
}

static void
load(struct keeper *k)
{
	struct buf about = BUF_LIMIT(WIRE_TEXT_MAX);
	bool loaded = engine_load(k->settings, &about, &k->engine) == 0;

	if (wire_send(CHANNEL, loaded ? WIRE_READY : WIRE_FAILED,
		buf_view(&about), -1) != 0 ||
	    !loaded)
		_exit(EX_TEMPORARY);
	buf_free(&about);
}

/* The end of a worker becomes readable. */
static int
watch_children(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	if (sigprocmask(SIG_SETMASK, &set, NULL) < 0)
		return -1;
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

_Noreturn void
keeper_run(int channel, const struct scan_settings *settings)
{
	struct keeper k = { .settings = settings };
	struct pollfd p[2];

	keep_channel(channel);
	(void)prctl(PR_SET_NAME, "scan-keeper");
	k.signals = watch_children();
	if (k.signals < 0)
		die_errno(EX_TEMPORARY, "unable to watch processes");
	load(&k);
	p[0] = (struct pollfd){ .fd = CHANNEL, .events = POLLIN };
	p[1] = (struct pollfd){ .fd = k.signals, .events = POLLIN };
	for (;;) {
		if (poll(p, 2, -1) < 0)
			continue;
		if (p[1].revents != 0)
			reap(&k);
		if (p[0].revents != 0)
			obey(&k);
	}
}
