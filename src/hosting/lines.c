/* Changing text files line by line, and replacing them at once. */
#include "hosting/lines.h"
#include "base/error.h"
#include "base/file.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int
read_text(int fd, struct lines *l)
{
	struct stat st;
	int r = file_read_fd(fd, &l->text);

	if (r != 0 || fstat(fd, &st) < 0)
		return r != 0 ? r : QE_SYS;
	l->present = true;
	l->mode = st.st_mode & 07777;
	l->uid = st.st_uid;
	l->gid = st.st_gid;
	return 0;
}

int
lines_load(const char *path, size_t max, mode_t mode, struct lines *out)
{
	struct lines l = { .text = BUF_LIMIT(max),
		.mode = mode,
		.uid = geteuid(),
		.gid = getegid() };
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int r = 0;

	if (fd >= 0)
		r = read_text(fd, &l);
	else if (errno != ENOENT)
		r = QE_SYS;
	io_close(&fd);
	/* What is appended must not go on in the last line. */
	if (l.text.len > 0 && l.text.data[l.text.len - 1] != '\n')
		buf_add_char(&l.text, '\n');
	if (r == 0)
		r = l.text.err;
	if (r != 0)
		buf_free(&l.text);
	else
		*out = l;
	return r;
}

void
lines_free(struct lines *lines)
{
	buf_free_secret(&lines->text);
}

static bool
has_key(struct strv line, struct strv key)
{
	return strv_eq_nocase(strv_trim_end(strv_cut(&line, ':', NULL)), key);
}

bool
lines_find(const struct lines *lines, struct strv key, struct strv *line)
{
	struct strv rest = buf_view(&lines->text);

	while (rest.len > 0) {
		struct strv next = strv_cut(&rest, '\n', NULL);

		if (has_key(next, key)) {
			*line = next;
			return true;
		}
	}
	return false;
}

static void
add_line(struct buf *out, struct strv line)
{
	buf_add_view(out, line);
	buf_add_char(out, '\n');
}

/* All lines but those of the key; the new one, if any, once. */
static void
rewrite(struct lines *lines, struct strv key, const struct strv *new_line)
{
	struct buf out = BUF_LIMIT(lines->text.max);
	struct strv rest = buf_view(&lines->text);

	if (lines->text.err != 0)
		return;
	while (rest.len > 0) {
		struct strv line = strv_cut(&rest, '\n', NULL);
		bool is_end = lines->has_end && strv_starts(line, STRV("."));
		bool is_it = has_key(line, key);

		if (new_line != NULL && (is_it || is_end)) {
			add_line(&out, *new_line);
			new_line = NULL;
		}
		if (!is_it)
			add_line(&out, line);
		if (is_end)
			break;
	}
	if (new_line != NULL)
		add_line(&out, *new_line);
	if (new_line != NULL && lines->has_end)
		add_line(&out, STRV("."));
	buf_free_secret(&lines->text);
	lines->text = out;
}

void
lines_set(struct lines *lines, struct strv key, struct strv line)
{
	rewrite(lines, key, &line);
}

void
lines_remove(struct lines *lines, struct strv key)
{
	rewrite(lines, key, NULL);
}

static int
write_new(const struct lines *lines, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int r = fd < 0 ? QE_SYS : 0;

	if (r == 0 && geteuid() == 0 && fchown(fd, lines->uid, lines->gid) < 0)
		r = QE_SYS;
	if (r == 0 && fchmod(fd, lines->mode) < 0)
		r = QE_SYS;
	if (r == 0)
		r = io_write_all(fd, lines->text.data, lines->text.len);
	if (r == 0)
		r = io_sync(fd);
	io_close(&fd);
	return r;
}

int
lines_save(struct lines *lines, const char *path)
{
	char new_path[PATH_MAX], directory[PATH_MAX];
	int n = snprintf(new_path, sizeof(new_path), "%s.new", path);
	int r = lines->text.err;

	if (n < 0 || (size_t)n >= sizeof(new_path))
		return QE_LIMIT;
	snprintf(directory, sizeof(directory), "%s", path);
	if (r == 0)
		r = write_new(lines, new_path);
	if (r == 0 && rename(new_path, path) < 0)
		r = QE_SYS;
	if (r == 0)
		return io_sync_dir(dirname(directory));
	n = errno;
	unlink(new_path);
	errno = n;
	return r;
}
