/* Editing /etc/qpasswd: lines that are not concerned stay as they are. */
#include "auth/qpasswd_edit.h"
#include "base/error.h"
#include "base/io.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

static bool
is_home(struct strv home)
{
	for (size_t i = 0; i < home.len; i++)
		if ((unsigned char)home.ptr[i] < 32 || home.ptr[i] == 127)
			return false;
	return home.len > 0 && home.len < QPASSWD_HOME_MAX &&
	       home.ptr[0] != ' ' && home.ptr[home.len - 1] != ' ';
}

/* Where a section ends: bytes of text before that; or STRV_NPOS. */
static int
find_place(struct strv text, struct strv base, struct strv user, size_t *place)
{
	struct qpasswd_reader r;
	bool inside = false;
	int result;

	*place = STRV_NPOS;
	qpasswd_reader_init(&r, text);
	while ((result = qpasswd_next(&r)) == 0) {
		if (user.len > 0 && strv_eq(r.line.user, user))
			return QE_LIMIT;
		if (r.line.is_section)
			inside = base.len == 0 || strv_eq(r.line.base, base);
		if (inside)
			*place = text.len - r.rest.len;
	}
	return result == QE_EOF ? 0 : result;
}

static void
add_line_end(struct buf *out)
{
	if (out->len > 0 && out->data[out->len - 1] != '\n')
		buf_add_char(out, '\n');
}

int
qpasswd_add(struct strv text, struct strv base, struct strv user,
    struct strv home, struct buf *out)
{
	size_t place;
	int r;

	if (!qpasswd_is_login(user) || !is_home(home))
		return QE_SYNTAX;
	r = find_place(text, base, user, &place);
	if (r != 0)
		return r;
	if (place == STRV_NPOS)
		return QE_ABSENT;
	buf_add_view(out, strv_head(text, place));
	add_line_end(out);
	buf_add_view(out, user);
	buf_add_char(out, ':');
	buf_add_view(out, home);
	buf_add_char(out, '\n');
	buf_add_view(out, strv_skip(text, place));
	return out->err;
}

int
qpasswd_remove(struct strv text, struct strv user, struct buf *out)
{
	struct qpasswd_reader r;
	bool found = false;
	int result;

	qpasswd_reader_init(&r, text);
	while ((result = qpasswd_next(&r)) == 0) {
		bool hit = user.len > 0 && strv_eq(r.line.user, user);

		/* All of them: a second line must not come into force. */
		found |= hit;
		if (!hit)
			buf_add_view(out, r.line.text);
	}
	if (result != QE_EOF)
		return result;
	return out->err != 0 ? out->err : found ? 0 : QE_ABSENT;
}

int
qpasswd_add_section(
    struct strv text, struct strv base, uid_t uid, gid_t gid, struct buf *out)
{
	size_t place;
	int r;

	if (!strv_starts(base, STRV("/")) || !is_home(base) ||
	    strv_find(base, ':') != STRV_NPOS ||
	    strv_find(base, ']') != STRV_NPOS || uid == 0)
		return QE_SYNTAX;
	r = find_place(text, base, STRV_EMPTY, &place);
	if (r != 0)
		return r;
	if (place != STRV_NPOS)
		return QE_LIMIT;
	buf_add_view(out, text);
	add_line_end(out);
	buf_addf(out, "[" STRV_FMT ":%lu:%lu]\n", STRV_ARG(base),
	    (unsigned long)uid, (unsigned long)gid);
	return out->err;
}

/* path and a suffix, as a C string: 0 or QE_NOMEM. */
static int
path_with(struct buf *out, const char *path, const char *suffix)
{
	buf_reset(out);
	buf_add_str(out, path);
	buf_add_str(out, suffix);
	return buf_cstr(out) == NULL ? QE_NOMEM : 0;
}

int
qpasswd_lock(const char *path, int *fd)
{
	struct buf name = BUF_LIMIT(PATH_MAX);
	int r = path_with(&name, path, ".lock");

	if (r == 0) {
		*fd = open(
		    name.data, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (*fd < 0 || flock(*fd, LOCK_EX) != 0)
			r = QE_SYS;
	}
	buf_free(&name);
	return r;
}

static int
write_new(const char *path, struct strv text)
{
	int fd = open(
	    path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	int r;

	if (fd < 0)
		return QE_SYS;
	r = io_write_all(fd, text.ptr, text.len);
	if (r == 0)
		r = io_sync(fd);
	io_close(&fd);
	return r;
}

static int
sync_directory_of(const char *path)
{
	struct buf dir = BUF_LIMIT(PATH_MAX);
	struct strv name = strv_of(path);
	size_t slash = strv_rfind(name, '/');
	int r = QE_NOMEM;

	if (slash == STRV_NPOS)
		return io_sync_dir(".");
	buf_add_view(&dir, strv_head(name, slash == 0 ? 1 : slash));
	if (buf_cstr(&dir) != NULL)
		r = io_sync_dir(dir.data);
	buf_free(&dir);
	return r;
}

int
qpasswd_replace(const char *path, struct strv text)
{
	struct buf name = BUF_LIMIT(PATH_MAX);
	int r = path_with(&name, path, ".new");

	if (r == 0) {
		/* What a crash has left; nobody else writes it now. */
		(void)unlink(name.data);
		r = write_new(name.data, text);
		if (r == 0 && rename(name.data, path) != 0)
			r = QE_SYS;
		if (r != 0)
			(void)unlink(name.data);
	}
	if (r == 0)
		r = sync_directory_of(path);
	buf_free(&name);
	return r;
}
