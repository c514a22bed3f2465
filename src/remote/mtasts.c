/*
 * Policies are looked up on demand: the first message to a domain within an
 * hour has qmail-mtasts(8) run and waits for it, the others find its file.  So
 * nothing is resident, and a domain that nobody writes to costs nothing.  A
 * policy that was found holds for as long as it says, even if it can no longer
 * be fetched: that is what protects against whoever is in the way.
 */
#include "remote/mtasts.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/spawn.h"

#include <stdlib.h>
#include <string.h>

enum { PATH_SIZE = sizeof(MTASTS_DIRECTORY) + 1 + STS_NAME_MAX + 1 };

static int
make_name(struct strv domain, char name[STS_NAME_MAX + 1])
{
	if (domain.len > 0 && domain.ptr[domain.len - 1] == '.')
		domain.len--;
	if (domain.len > STS_NAME_MAX)
		return QE_SYNTAX;
	for (size_t i = 0; i < domain.len; i++)
		name[i] = ascii_lower(domain.ptr[i]);
	name[domain.len] = '\0';
	return sts_is_domain(strv_of(name)) ? 0 : QE_SYNTAX;
}

static int
read_named(const char *name, struct buf *bytes, struct sts_file *out)
{
	struct buf path = BUF_LIMIT(PATH_SIZE);
	int r;

	buf_addf(&path, "%s/%s", MTASTS_DIRECTORY, name);
	buf_reset(bytes);
	bytes->max = STS_FILE_BYTES_MAX;
	r = buf_cstr(&path) == NULL ? QE_NOMEM
				    : file_read(buf_cstr(&path), bytes);
	buf_free(&path);
	if (r == QE_LIMIT)
		return QE_ABSENT;
	if (r < 0)
		return r;
	return sts_file_parse(buf_view(bytes), out) == 0 ? 0 : QE_ABSENT;
}

int
mtasts_read(struct strv domain, struct buf *bytes, struct sts_file *out)
{
	char name[STS_NAME_MAX + 1];
	int r = make_name(domain, name);

	return r < 0 ? r : read_named(name, bytes, out);
}

static void
look(const char *name, int log_fd)
{
	const char *const words[] = { "qmail-mtasts", name, NULL };
	char **argv = spawn_argv(words);
	int status;
	pid_t pid;
	struct spawn how = {
		.path = "bin/qmail-mtasts",
		.argv = argv,
		.fds = {SPAWN_FD_NULL, SPAWN_FD_NULL,
			log_fd > 0 ? log_fd : SPAWN_FD_NULL},
		.fd_count = 3,
		.own_group = true
	};

	if (argv != NULL && spawn_program(&how, &pid) == 0 &&
	    spawn_wait_until(pid, clock_mono_ms() + MTASTS_WAIT_MS, &status) !=
		0)
		spawn_kill_group(pid);
	free(argv);
}

static bool
is_recent(const struct sts_file *file, int64_t now)
{
	return file->checked <= now &&
	       now - file->checked < MTASTS_CHECK_SECONDS;
}

int
mtasts_find(
    struct strv domain, int log_fd, struct buf *bytes, struct sts_file *out)
{
	char name[STS_NAME_MAX + 1];
	int64_t now = clock_wall();
	int r = make_name(domain, name);

	if (r < 0)
		return QE_ABSENT;
	r = read_named(name, bytes, out);
	if (r < 0 || !is_recent(out, now)) {
		look(name, log_fd);
		r = read_named(name, bytes, out);
	}
	return r == 0 && sts_file_holds(out, clock_wall()) ? 0 : QE_ABSENT;
}
