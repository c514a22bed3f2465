/*
 * Listing and changing a Maildir for POP3: one pass over each directory, one
 * fstatat(2) for each name that does not tell its size, about 100 bytes of
 * memory a message.  Never reads mail.
 *
 * The order is that of the files' mtimes.  Where no stat was made the time in
 * the name stands for it: both are the delivery's, to the microsecond if the
 * name has one, so that they can be compared.
 *
 * Nothing here is flushed to the disk.  A rename or an unlink that a power
 * cut takes back costs a message shown twice, never one lost.
 */
#include "pop3/maildrop.h"
#include "base/error.h"
#include "base/file.h"
#include "base/io.h"
#include "mail/maildir_quota.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MICRO INT64_C(1000000)

enum { MAILDROP_FIRST = 64 }; /* messages of the first allocation */

/* Years until 2286; what lies outside is no time of a delivery. */
#define TIME_MAX   INT64_C(9999999999)
#define SIZE_LIMIT (UINT64_C(1) << 50)

/* The digits that the view starts with, taken off it. */
static struct strv
take_digits(struct strv *v)
{
	size_t n = 0;
	struct strv digits;

	while (n < v->len && ascii_is_digit(v->ptr[n]))
		n++;
	digits = strv_head(*v, n);
	*v = strv_skip(*v, n);
	return digits;
}

/* ".M<microseconds>P..." behind the seconds; 0 where it is not. */
static uint64_t
name_microseconds(struct strv rest)
{
	uint64_t micro = 0;

	if (!strv_starts(rest, STRV(".M")))
		return 0;
	rest = strv_skip(rest, 2);
	if (strv_to_u64(take_digits(&rest), MICRO - 1, &micro) != 0)
		return 0;
	return micro;
}

bool
maildrop_parse_name(struct strv name, uint64_t *size, int64_t *time)
{
	struct strv rest = strv_cut(&name, ':', NULL);
	uint64_t seconds, bytes;
	const char *mark;

	if (strv_to_u64(take_digits(&rest), TIME_MAX, &seconds) != 0)
		return false;
	mark = memmem(rest.ptr, rest.len, ",S=", 3);
	if (mark == NULL)
		return false;
	name = strv_skip(rest, (size_t)(mark - rest.ptr) + 3);
	if (strv_to_u64(take_digits(&name), SIZE_LIMIT, &bytes) != 0)
		return false;
	if (name.len != 0 && name.ptr[0] != ',')
		return false;
	*size = bytes;
	*time = (int64_t)(seconds * (uint64_t)MICRO + name_microseconds(rest));
	return true;
}

static struct maildrop_message *
maildrop_slot(struct maildrop *m)
{
	struct maildrop_message *bigger;
	size_t cap = m->cap == 0 ? MAILDROP_FIRST : m->cap * 2;

	if (m->count < m->cap)
		return &m->messages[m->count];
	bigger = reallocarray(m->messages, cap, sizeof *bigger);
	if (bigger == NULL)
		return NULL;
	m->messages = bigger;
	m->cap = cap;
	return &m->messages[m->count];
}

static int
maildrop_add(struct maildrop *m, const char *name, int64_t time, uint64_t size,
    bool is_new)
{
	struct maildrop_message *slot = maildrop_slot(m);
	size_t at = m->names.len;

	buf_add(&m->names, name, strlen(name) + 1);
	if (slot == NULL || m->names.err != 0)
		return QE_NOMEM;
	*slot = (struct maildrop_message){ .time = time,
		.size = size & ((UINT64_C(1) << 62) - 1),
		.is_new = is_new,
		.name = (uint32_t)at };
	m->bytes += size;
	m->count++;
	return 0;
}

/* The file behind a name; false if it is no message that can be listed. */
static bool
maildrop_stat(int dirfd, const char *name, uint64_t *size, int64_t *time)
{
	struct stat st;

	if (fstatat(dirfd, name, &st, 0) < 0 || !S_ISREG(st.st_mode))
		return false;
	if (st.st_size < 0 || (uint64_t)st.st_size > SIZE_LIMIT)
		return false;
	*size = (uint64_t)st.st_size;
	*time = st.st_mtim.tv_sec < 0 ? 0
		: st.st_mtim.tv_sec > TIME_MAX
		    ? TIME_MAX * MICRO
		    : st.st_mtim.tv_sec * MICRO + st.st_mtim.tv_nsec / 1000;
	return true;
}

static int
maildrop_consider(struct maildrop *m, int dirfd, const struct dirent *entry,
    int64_t now, bool is_new)
{
	const char *name = entry->d_name;
	uint64_t size;
	int64_t time;

	if (name[0] == '.')
		return 0;
	if (entry->d_type != DT_REG ||
	    !maildrop_parse_name(strv_of(name), &size, &time) ||
	    time / MICRO >= now)
		if (!maildrop_stat(dirfd, name, &size, &time))
			return 0;
	if (time / MICRO >= now)
		return 0;
	return maildrop_add(m, name, time, size, is_new);
}

static int
maildrop_scan(struct maildrop *m, int dirfd, int64_t now, bool is_new)
{
	int copy = fcntl(dirfd, F_DUPFD_CLOEXEC, 0);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *entry;
	int r = 0;

	if (dir == NULL) {
		io_close(&copy);
		return QE_SYS;
	}
	while (r == 0 && m->count < MAILDROP_MESSAGES_MAX) {
		errno = 0;
		entry = readdir(dir);
		if (entry == NULL) {
			r = errno == 0 ? 0 : QE_SYS;
			break;
		}
		r = maildrop_consider(m, dirfd, entry, now, is_new);
	}
	closedir(dir);
	return r;
}

/* Deliveries that were never finished; failures are none of our business. */
static void
maildrop_sweep_tmp(int64_t now)
{
	DIR *dir = opendir("tmp");
	const struct dirent *entry;
	struct stat st;

	if (dir == NULL)
		return;
	while ((entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.' &&
		    fstatat(dirfd(dir), entry->d_name, &st,
			AT_SYMLINK_NOFOLLOW) == 0 &&
		    st.st_atime < now - MAILDROP_TMP_AGE)
			unlinkat(dirfd(dir), entry->d_name, 0);
	closedir(dir);
}

static int
maildrop_order(const void *left, const void *right, void *names)
{
	const struct maildrop_message *a = left, *b = right;
	const char *bytes = names;

	if (a->time != b->time)
		return a->time < b->time ? -1 : 1;
	return strcmp(bytes + a->name, bytes + b->name);
}

static int
maildrop_list(struct maildrop *m, int64_t now)
{
	int r;

	m->new_fd = open("new", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	m->cur_fd = open("cur", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (m->new_fd < 0 || m->cur_fd < 0)
		return QE_SYS;
	r = maildrop_scan(m, m->new_fd, now, true);
	if (r == 0)
		r = maildrop_scan(m, m->cur_fd, now, false);
	if (r == 0 && m->count > 0)
		qsort_r(m->messages, m->count, sizeof *m->messages,
		    maildrop_order, m->names.data);
	return r;
}

int
maildrop_open(const char *dir, int64_t now, struct maildrop *out)
{
	struct maildrop m = { .names = BUF_LIMIT(MAILDROP_NAMES_MAX),
		.new_fd = -1,
		.cur_fd = -1 };
	int r;

	if (chdir(dir) < 0)
		return QE_ABSENT;
	maildrop_sweep_tmp(now);
	r = maildrop_list(&m, now);
	if (r != 0)
		maildrop_free(&m);
	else
		*out = m;
	return r;
}

void
maildrop_free(struct maildrop *m)
{
	free(m->messages);
	m->messages = NULL;
	m->count = m->cap = 0;
	buf_free(&m->names);
	io_close(&m->new_fd);
	io_close(&m->cur_fd);
}

const char *
maildrop_name(const struct maildrop *m, size_t index)
{
	return m->names.data + m->messages[index].name;
}

struct strv
maildrop_uid(const struct maildrop *m, size_t index)
{
	struct strv name = strv_of(maildrop_name(m, index));

	return strv_cut(&name, ':', NULL);
}

static int
maildrop_dir(const struct maildrop *m, size_t index)
{
	return m->messages[index].is_new ? m->new_fd : m->cur_fd;
}

int
maildrop_open_message(
    const struct maildrop *m, size_t index, int *fd, uint64_t *size)
{
	struct stat st;
	int found = openat(maildrop_dir(m, index), maildrop_name(m, index),
	    O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (found < 0)
		return QE_SYS;
	if (fstat(found, &st) < 0 || !S_ISREG(st.st_mode)) {
		io_close(&found);
		return QE_SYS;
	}
	*fd = found;
	*size = (uint64_t)st.st_size;
	return 0;
}

void
maildrop_delete(struct maildrop *m, size_t index)
{
	m->messages[index].is_deleted = 1;
	m->bytes -= m->messages[index].size;
}

void
maildrop_undelete_all(struct maildrop *m)
{
	for (size_t i = 0; i < m->count; i++)
		if (m->messages[i].is_deleted) {
			m->messages[i].is_deleted = 0;
			m->bytes += m->messages[i].size;
		}
}

/* A message of the same name in cur/ is never overwritten. */
static void
maildrop_move_to_cur(const struct maildrop *m, const char *name)
{
	char seen[NAME_MAX + sizeof ":2,"];
	const char *flags = strchr(name, ':') == NULL ? ":2," : "";
	int n = snprintf(seen, sizeof seen, "%s%s", name, flags);

	if (n < 0 || (size_t)n >= sizeof seen)
		return;
	if (file_rename_new_at(m->new_fd, name, m->cur_fd, seen) == 0)
		return;
	/* Some file systems know no RENAME_NOREPLACE. */
	if (errno == EINVAL && faccessat(m->cur_fd, seen, F_OK, 0) < 0 &&
	    errno == ENOENT)
		renameat(m->new_fd, name, m->cur_fd, seen);
}

bool
maildrop_commit(struct maildrop *m)
{
	bool complete = true;
	int64_t bytes = 0, removed = 0;

	for (size_t i = 0; i < m->count; i++) {
		const char *name = maildrop_name(m, i);

		if (m->messages[i].is_deleted) {
			if (unlinkat(maildrop_dir(m, i), name, 0) < 0) {
				complete = false;
				continue;
			}
			removed++;
			bytes += (int64_t)m->messages[i].size;
		} else if (m->messages[i].is_new) {
			maildrop_move_to_cur(m, name);
		}
	}
	if (removed > 0)
		maildir_quota_removed(AT_FDCWD, bytes, removed);
	return complete;
}
