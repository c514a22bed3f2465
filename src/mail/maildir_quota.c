/*
 * maildirsize on disk: reading, counting, noting.  The sum is only a hint that
 * several programs keep without a lock; what decides against a message is a
 * count of the files.
 */
#include "mail/maildir_quota.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char size_file[] = "maildirsize";

enum {
	NOTE_TRIES = 100, /* each fails only if somebody counts again */
	CARRIED_MAX = 1 << 20
};

/* Parses what the file says; a sum that is no good is counted anew. */
static int
load(struct maildir_quota *q)
{
	char text[MAILDIR_QUOTA_FILE_MAX + 1];
	struct stat st;
	ssize_t got;
	int r;

	if (fstat(q->fd, &st) < 0)
		return QE_SYS;
	if (!S_ISREG(st.st_mode))
		return QE_SYNTAX;
	q->mtime = st.st_mtime;
	got = io_read(q->fd, text, sizeof(text));
	if (got < 0)
		return QE_SYS;
	r = maildirsize_parse(strv_from(text, (size_t)got), &q->size);
	if (r == QE_SYNTAX)
		return r;
	if (r == QE_CORRUPT || got > MAILDIR_QUOTA_FILE_MAX)
		q->size.lines = 0;
	memcpy(q->text, q->size.quota.ptr, q->size.quota.len);
	q->text[q->size.quota.len] = '\0';
	q->size.quota = strv_from(q->text, q->size.quota.len);
	return 0;
}

static int
open_owner(int maildir_fd, bool may_be_folder)
{
	const char *where = ".";

	if (may_be_folder &&
	    faccessat(maildir_fd, "maildirfolder", F_OK, 0) == 0)
		where = "..";
	return openat(maildir_fd, where, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

int
maildir_quota_open(int maildir_fd, bool may_be_folder, struct maildir_quota *q)
{
	static const int flags =
	    O_RDWR | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	int r = 0;

	*q = (struct maildir_quota){ .dir_fd = -1, .fd = -1 };
	if (may_be_folder) {
		q->dir_fd = open_owner(maildir_fd, may_be_folder);
		if (q->dir_fd < 0)
			return QE_SYS;
		maildir_fd = q->dir_fd;
	}
	q->fd = openat(maildir_fd, size_file, flags);
	if (q->fd < 0)
		r = errno == ENOENT ? 0 : QE_SYS;
	else
		r = load(q);
	if (r == 0 && q->fd >= 0 && q->dir_fd < 0) {
		q->dir_fd = open_owner(maildir_fd, false);
		r = q->dir_fd < 0 ? QE_SYS : 0;
	}
	if (r != 0 || q->fd < 0)
		maildir_quota_close(q);
	return r;
}

void
maildir_quota_close(struct maildir_quota *q)
{
	io_close(&q->fd);
	io_close(&q->dir_fd);
}

/* -- counting ------------------------------------------------------------- */

/* One file of new/ or cur/: the name tells, or else the file system. */
static int
count_file(int dir_fd, const char *name, struct maildirsize *sum)
{
	int64_t bytes = maildirsize_of_name(strv_of(name));
	struct stat st;

	if (name[0] == '.' || !maildirsize_counts(strv_of(name)))
		return 0;
	if (bytes < 0) {
		if (fstatat(dir_fd, name, &st, 0) < 0)
			return errno == ENOENT ? 0 : QE_SYS;
		bytes = st.st_size;
	}
	if (bytes > MAILDIRSIZE_NUMBER_MAX - sum->bytes)
		bytes = MAILDIRSIZE_NUMBER_MAX - sum->bytes;
	sum->bytes += bytes;
	sum->messages++;
	return 0;
}

/* Opens a directory of fd for reading; one that does not exist holds nothing */
static int
open_dir(int fd, const char *name, DIR **out)
{
	int dir =
	    openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	*out = NULL;
	if (dir < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP
			   ? 0
			   : QE_SYS;
	*out = fdopendir(dir);
	if (*out == NULL)
		io_close(&dir);
	return *out == NULL ? QE_NOMEM : 0;
}

static int
count_part(int fd, const char *part, struct maildirsize *sum)
{
	const struct dirent *entry;
	DIR *dir;
	int r = open_dir(fd, part, &dir);

	if (dir == NULL)
		return r;
	while (r == 0 && (errno = 0, entry = readdir(dir)) != NULL)
		r = count_file(dirfd(dir), entry->d_name, sum);
	if (r == 0 && errno != 0)
		r = QE_SYS;
	closedir(dir);
	return r;
}

static int
count_maildir(int fd, struct maildirsize *sum)
{
	int r = count_part(fd, "new", sum);

	return r == 0 ? count_part(fd, "cur", sum) : r;
}

/* ".Name" is a folder; the trash does not count. */
static int
count_folder(int fd, const char *name, struct maildirsize *sum)
{
	int folder, r;

	if (name[0] != '.' || strcmp(name, ".") == 0 ||
	    strcmp(name, "..") == 0 || strcmp(name, ".Trash") == 0)
		return 0;
	folder =
	    openat(fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (folder < 0)
		return errno == ENOTDIR || errno == ENOENT || errno == ELOOP
			   ? 0
			   : QE_SYS;
	r = count_maildir(folder, sum);
	io_close(&folder);
	return r;
}

static int
count_all(int fd, struct maildirsize *sum)
{
	const struct dirent *entry;
	DIR *dir;
	int r;

	sum->bytes = sum->messages = 0;
	r = count_maildir(fd, sum);
	if (r == 0)
		r = open_dir(fd, ".", &dir);
	if (r != 0 || dir == NULL)
		return r;
	while (r == 0 && (errno = 0, entry = readdir(dir)) != NULL)
		r = count_folder(fd, entry->d_name, sum);
	if (r == 0 && errno != 0)
		r = QE_SYS;
	closedir(dir);
	return r;
}

/*
 * What others have noted in the old file behind start: it may be in the count
 * or not.  A sum that is too high costs a count, one that is too low would let
 * the quota be passed; so nothing is taken off.  Returns where it has come to.
 */
static off_t
carry_over(int from, off_t start, int to)
{
	struct buf text = BUF_LIMIT(CARRIED_MAX), kept = BUF_LIMIT(CARRIED_MAX);
	off_t end = start;
	struct strv rest;

	if (lseek(from, start, SEEK_SET) == start &&
	    file_read_fd(from, &text) == 0) {
		end += (off_t)text.len;
		rest = buf_view(&text);
		while (rest.len > 0) {
			struct strv line = strv_cut(&rest, '\n', NULL);

			if (strv_find(line, '-') != STRV_NPOS)
				continue;
			buf_add_view(&kept, line);
			buf_add_char(&kept, '\n');
		}
		if (kept.err == 0 && kept.len > 0)
			(void)!io_write_all(to, kept.data, kept.len);
	}
	buf_free(&text);
	buf_free(&kept);
	return end;
}

/*
 * A new file, complete before it has the name; q->fd is then of that one.
 * start is where the old one ended when the count began.  Notes are carried
 * over before the name is taken, so that a process that is killed here takes
 * none along, and again for those that came meanwhile.
 */
static void
write_anew(struct maildir_quota *q, off_t start)
{
	struct buf text = BUF_LIMIT(MAILDIR_QUOTA_FILE_MAX);
	struct timespec now = { .tv_sec = 0 };
	char name[96];
	int fd;

	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(name, sizeof(name), "tmp/%jd.%ld%06ld.maildirsize",
	    (intmax_t)now.tv_sec, (long)getpid(), now.tv_nsec / 1000);
	buf_add_str(&text, q->text);
	buf_add_char(&text, '\n');
	maildirsize_add_line(&text, q->size.bytes, q->size.messages);
	fd = openat(q->dir_fd, name,
	    O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd >= 0) {
		bool written =
		    text.err == 0 && io_write_all(fd, text.data, text.len) == 0;

		start = written ? carry_over(q->fd, start, fd) : start;
		if (written &&
		    renameat(q->dir_fd, name, q->dir_fd, size_file) == 0) {
			(void)carry_over(q->fd, start, fd);
			io_close(&q->fd);
			q->fd = fd;
			fd = -1;
		} else {
			unlinkat(q->dir_fd, name, 0);
		}
	}
	io_close(&fd);
	buf_free(&text);
}

static int
count(struct maildir_quota *q)
{
	off_t start = lseek(q->fd, 0, SEEK_END);
	int r = count_all(q->dir_fd, &q->size);

	if (r != 0)
		return r;
	q->size.lines = 1;
	q->counted = true;
	write_anew(q, start);
	return 0;
}

/* One line that is young was a count, and nothing has been noted since. */
static bool
is_fresh(const struct maildir_quota *q)
{
	int64_t age = clock_wall() - q->mtime;

	return q->size.lines == 1 && age >= 0 && age < MAILDIR_QUOTA_TRUST;
}

int
maildir_quota_admit(struct maildir_quota *q, int64_t bytes)
{
	int r = q->size.lines == 0 ? count(q) : 0;

	if (r != 0 || maildirsize_admits(&q->size, bytes, 1))
		return r;
	if (q->counted || is_fresh(q))
		return QE_LIMIT;
	r = count(q);
	if (r != 0)
		return r;
	return maildirsize_admits(&q->size, bytes, 1) ? 0 : QE_LIMIT;
}

/* Somebody has counted meanwhile, and has put a new file in its place. */
static bool
is_replaced(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_nlink == 0;
}

/* Until it is in the file that has the name. */
static void
note_in_new(const struct maildir_quota *q, struct strv line)
{
	bool is_noted = false;

	for (int i = 0; i < NOTE_TRIES && !is_noted; i++) {
		int fd = openat(q->dir_fd, size_file,
		    O_WRONLY | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

		is_noted = fd < 0 ||
			   io_write_all(fd, line.ptr, line.len) != 0 ||
			   !is_replaced(fd);
		io_close(&fd);
	}
}

void
maildir_quota_note(struct maildir_quota *q, int64_t bytes, int64_t messages)
{
	struct buf line = BUF_LIMIT(64);
	int saved = errno;

	maildirsize_add_line(&line, bytes, messages);
	if (q->fd >= 0 && line.err == 0 &&
	    io_write_all(q->fd, line.data, line.len) == 0 && bytes > 0 &&
	    is_replaced(q->fd))
		note_in_new(q, buf_view(&line));
	buf_free(&line);
	errno = saved;
}

void
maildir_quota_removed(int maildir_fd, int64_t bytes, int64_t messages)
{
	struct maildir_quota q;

	if (maildir_quota_open(maildir_fd, false, &q) != 0 || q.fd < 0)
		return;
	maildir_quota_note(&q, -bytes, -messages);
	maildir_quota_close(&q);
}
