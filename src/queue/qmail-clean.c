/*
 * qmail-clean(8): removes files that qmail-send may not.
 *
 * User: qmailq.  Requests "foop/<id>\0" and "todo/<id>\0" on descriptor 0,
 * one byte of answer to each on 1.  Files: unlinks in mess, intd, todo, pid.
 */
#include "base/clock.h"
#include "base/die.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/io.h"
#include "base/program.h"
#include "spool/queue.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	REQUEST_MIN = 7, /* bytes with the NUL */
	REQUEST_MAX = 100,
	PREFIX_LEN = 5,     /* "foop/" */
	READ_BUFFER = 4096, /* and so many answers at most */
	PID_ROUND = 31,     /* requests between two looks at pid/ */
	PID_AGE = 129600,   /* seconds; no qmail-queue lives that long */
	PATH_BYTES = 300
};

struct cleaner {
	struct queue_layout layout;
	unsigned until_pid_round;
	size_t length; /* of the request so far, also beyond REQUEST_MAX */
	char request[REQUEST_MAX];
};

/* pid/ holds a name for an instant only; what is old is left from a crash. */
static void
clean_pid(void)
{
	DIR *dir = opendir("pid");
	const struct dirent *entry;
	int64_t now = clock_wall();

	if (dir == NULL)
		return;
	while ((entry = readdir(dir)) != NULL) {
		char path[PATH_BYTES];
		struct stat st;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "pid/%s", entry->d_name);
		if (lstat(path, &st) == 0 && S_ISREG(st.st_mode) &&
		    st.st_atime + PID_AGE < now)
			unlink(path);
	}
	closedir(dir);
}

static bool
remove_file(const struct cleaner *c, enum queue_area area, uint64_t id)
{
	char path[QUEUE_PATH_MAX];

	queue_path(&c->layout, area, id, path);
	return unlink(path) == 0 || errno == ENOENT;
}

/* The envelope under construction goes first: no state S3 without mess. */
static char
clean_message(const struct cleaner *c, enum queue_area area, uint64_t id)
{
	return remove_file(c, QUEUE_INTD, id) && remove_file(c, area, id) ? '+'
									  : '!';
}

static char
answer(struct cleaner *c)
{
	struct strv request = strv_from(c->request, c->length - 1);
	uint64_t id;

	if (c->until_pid_round-- == 0) {
		c->until_pid_round = PID_ROUND - 1;
		clean_pid();
	}
	if (c->length < REQUEST_MIN || c->length > REQUEST_MAX)
		return 'x';
	if (strv_to_u64(strv_skip(request, PREFIX_LEN), UINT64_MAX, &id) != 0)
		return 'x';
	if (strv_starts(request, STRV("foop/")))
		return clean_message(c, QUEUE_MESS, id);
	if (strv_starts(request, STRV("todo/")))
		return clean_message(c, QUEUE_TODO, id);
	return 'x';
}

/* Requests that came together are answered together. */
static void
serve(struct cleaner *c, struct strv bytes)
{
	char answers[READ_BUFFER];
	size_t count = 0;

	for (size_t i = 0; i < bytes.len; i++) {
		if (c->length < sizeof(c->request))
			c->request[c->length] = bytes.ptr[i];
		if (c->length <= sizeof(c->request))
			c->length++;
		if (bytes.ptr[i] == '\0') {
			answers[count++] = answer(c);
			c->length = 0;
		}
	}
	if (io_write_all(1, answers, count) != 0)
		_exit(EX_TEMPORARY);
}

int
main(void)
{
	static const struct program program = { "qmail-clean",
		PROGRAM_HOME | PROGRAM_FD0 | PROGRAM_FD1, 033 };
	struct cleaner cleaner = { .until_pid_round = PID_ROUND - 1 };
	char buffer[READ_BUFFER];
	ssize_t got;

	program_begin(&program);
	if (chdir("queue") < 0)
		die_errno(EX_TEMPORARY, "unable to switch to queue directory");
	if (queue_layout_read(&cleaner.layout) != 0)
		die_errno(EX_TEMPORARY, "unable to understand queue/mess");
	clean_pid();
	while ((got = io_read(0, buffer, sizeof(buffer))) > 0)
		serve(&cleaner, strv_from(buffer, (size_t)got));
	return got == 0 ? EX_SUCCESS : EX_TEMPORARY;
}
