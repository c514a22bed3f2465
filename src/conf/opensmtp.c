/*
 * Clients that may relay because they have fetched their mail; see header.
 *
 * Nobody waits for anybody: a login touches one file of its own client and no
 * other, and the sweeper takes a file out of the way before it looks for the
 * last time, so that a login at that moment makes another one.
 */
#include "conf/opensmtp.h"
#include "base/error.h"
#include "base/file.h"
#include "base/io.h"
#include "base/net.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define ASIDE ".sweep." /* before the name of a file that is judged */

enum { TOUCH_TRIES = 10 };

int
opensmtp_path(struct strv directory, struct strv ip, struct buf *out)
{
	struct ipaddr address;
	char text[IPADDR_TEXT_MAX];

	if (ipaddr_parse(ip, &address) != 0)
		return QE_SYNTAX;
	ipaddr_format(&address, text);
	buf_add_view(out, directory);
	buf_add_char(out, '/');
	buf_add_str(out, text);
	return out->err != 0 ? QE_NOMEM : 0;
}

/* A stamp from the future is no login: some clock was wrong. */
static int
judge(const struct stat *st, int64_t lifetime, int64_t now)
{
	int64_t stamp = (int64_t)st->st_mtime;

	if (!S_ISREG(st->st_mode) || stamp <= now - lifetime ||
	    stamp >= now + lifetime)
		return QE_ABSENT;
	return 0;
}

/* No such file: of this client, or is the whole directory missing? */
static int
explain_absence(const char *path, size_t directory_len)
{
	struct buf copy = BUF_LIMIT(PATH_MAX);
	int r = QE_NOMEM;

	buf_add(&copy, path, directory_len);
	if (buf_cstr(&copy) != NULL)
		r = access(copy.data, X_OK) == 0 ? QE_ABSENT : QE_SYS;
	buf_free(&copy);
	return r;
}

int
opensmtp_find(
    struct strv directory, struct strv ip, int64_t lifetime, int64_t now)
{
	struct buf path = BUF_LIMIT(PATH_MAX);
	struct stat st;
	int r = opensmtp_path(directory, ip, &path);

	if (r == 0 && buf_cstr(&path) == NULL)
		r = QE_NOMEM;
	if (r == 0) {
		if (lstat(path.data, &st) == 0)
			r = judge(&st, lifetime, now);
		else if (errno == ENOENT)
			r = explain_absence(path.data, directory.len);
		else
			r = QE_SYS;
	}
	buf_free(&path);
	return r;
}

/* QE_SYS for what is no file of this one name. */
static int
touch_check(const struct stat *st)
{
	if (S_ISREG(st->st_mode) && st->st_nlink == 1)
		return 0;
	errno = EINVAL;
	return QE_SYS;
}

/*
 * A client that is known: its file is touched by its name alone.  QE_ABSENT:
 * there is none, or it is aside.  That may have happened within utimensat(2),
 * between the look-up of the name and the stamp, and the sweeper may have
 * judged the file before the stamp.
 */
static int
touch_known(const char *path)
{
	struct stat st;

	if (utimensat(AT_FDCWD, path, NULL, AT_SYMLINK_NOFOLLOW) < 0 ||
	    lstat(path, &st) < 0)
		return errno == ENOENT ? QE_ABSENT : QE_SYS;
	return touch_check(&st);
}

/* QE_ABSENT: it was swept meanwhile. */
static int
touch_new(const char *path)
{
	struct stat opened, named;
	int fd = open(path,
	    O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);
	int r = QE_SYS;

	if (fd < 0)
		return QE_SYS;
	if (futimens(fd, NULL) == 0 && fstat(fd, &opened) == 0)
		r = touch_check(&opened);
	io_close(&fd);
	if (r != 0)
		return r;
	if (lstat(path, &named) < 0)
		return errno == ENOENT ? QE_ABSENT : QE_SYS;
	return named.st_ino == opened.st_ino ? 0 : QE_ABSENT;
}

int
opensmtp_touch(struct strv directory, struct strv ip)
{
	struct buf path = BUF_LIMIT(PATH_MAX);
	int r = opensmtp_path(directory, ip, &path);

	if (r == 0 && buf_cstr(&path) == NULL)
		r = QE_NOMEM;
	if (r == 0) {
		int tries = TOUCH_TRIES;

		do {
			r = touch_known(path.data);
			if (r == QE_ABSENT)
				r = touch_new(path.data);
		} while (r == QE_ABSENT && --tries > 0);
	}
	buf_free(&path);
	return r;
}

/* Removes a file that was put aside, or gives it back if it is fresh. */
static bool
settle(int dirfd, const char *aside, int64_t lifetime, int64_t now)
{
	const char *name = aside + sizeof(ASIDE) - 1;
	struct stat st;

	if (fstatat(dirfd, aside, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	if (judge(&st, lifetime, now) == 0 &&
	    (file_rename_new_at(dirfd, aside, dirfd, name) == 0 ||
		errno != EEXIST))
		return false;
	return unlinkat(dirfd, aside, 0) == 0;
}

/* True for the one spelling of an address that opensmtp_path() writes. */
static bool
is_address(const char *name)
{
	char text[IPADDR_TEXT_MAX];
	struct ipaddr address;

	if (ipaddr_parse(strv_of(name), &address) != 0)
		return false;
	ipaddr_format(&address, text);
	return strv_eq(strv_of(name), strv_of(text));
}

static bool
sweep_one(int dirfd, const char *name, int64_t lifetime, int64_t now)
{
	char aside[sizeof(ASIDE) + NAME_MAX];
	struct stat st;

	if (strv_starts(strv_of(name), STRV(ASIDE)))
		return is_address(name + sizeof(ASIDE) - 1) &&
		       settle(dirfd, name, lifetime, now);
	if (!is_address(name) ||
	    fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISREG(st.st_mode) || judge(&st, lifetime, now) == 0)
		return false;
	snprintf(aside, sizeof(aside), "%s%s", ASIDE, name);
	return renameat(dirfd, name, dirfd, aside) == 0 &&
	       settle(dirfd, aside, lifetime, now);
}

int
opensmtp_sweep(
    const char *directory, int64_t lifetime, int64_t now, uint64_t *removed)
{
	DIR *dir = opendir(directory);
	const struct dirent *entry;
	int r;

	if (dir == NULL)
		return QE_SYS;
	*removed = 0;
	for (;;) {
		errno = 0;
		entry = readdir(dir);
		if (entry == NULL)
			break;
		if (sweep_one(dirfd(dir), entry->d_name, lifetime, now))
			++*removed;
	}
	r = errno == 0 ? 0 : QE_SYS;
	closedir(dir);
	return r;
}
