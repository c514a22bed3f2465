/* The reader of /etc/qpasswd.  A line that makes no sense spoils the file:
 * nobody is let in by half of it. */
#include "auth/qpasswd_file.h"
#include "base/error.h"
#include "base/file.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

void
qpasswd_reader_init(struct qpasswd_reader *r, struct strv text)
{
	*r = (struct qpasswd_reader){ .rest = text };
	r->line.base = r->line.uid = r->line.gid = STRV_EMPTY;
	r->line.user = r->line.home = r->line.text = STRV_EMPTY;
}

static bool
has_controls(struct strv v)
{
	for (size_t i = 0; i < v.len; i++)
		if ((unsigned char)v.ptr[i] < 32 || v.ptr[i] == 127)
			return true;
	return false;
}

bool
qpasswd_is_login(struct strv v)
{
	return v.len > 0 && v.len <= 255 && !has_controls(v) &&
	       strv_find(v, ':') == STRV_NPOS && v.ptr[0] != '[' &&
	       v.ptr[0] != '#' && v.ptr[0] != ' ' && v.ptr[v.len - 1] != ' ';
}

/* "[/base/path:uid:gid]" */
static int
take_section(struct strv text, struct qpasswd_line *line)
{
	struct strv rest;
	bool first, second;

	if (text.ptr[text.len - 1] != ']')
		return QE_SYNTAX;
	rest = strv_from(text.ptr + 1, text.len - 2);
	line->base = strv_cut(&rest, ':', &first);
	line->uid = strv_cut(&rest, ':', &second);
	line->gid = rest;
	line->is_section = true;
	if (!first || !second || !strv_starts(line->base, STRV("/")) ||
	    line->uid.len == 0 || line->gid.len == 0 ||
	    strv_find(line->gid, ':') != STRV_NPOS)
		return QE_SYNTAX;
	return 0;
}

int
qpasswd_next(struct qpasswd_reader *r)
{
	struct qpasswd_line *line = &r->line;
	struct strv before = r->rest;
	struct strv text;
	bool found;

	if (before.len == 0)
		return QE_EOF;
	text = strv_trim_end(strv_cut(&r->rest, '\n', NULL));
	line->text = strv_head(before, before.len - r->rest.len);
	line->number++;
	line->is_section = false;
	line->user = line->home = STRV_EMPTY;
	if (text.len == 0 || text.ptr[0] == '#')
		return 0;
	if (has_controls(text))
		return QE_SYNTAX;
	if (text.ptr[0] == '[')
		return take_section(text, line);
	line->user = strv_cut(&text, ':', &found);
	line->home = text;
	if (!found || line->base.len == 0 || text.len == 0 ||
	    !qpasswd_is_login(line->user))
		return QE_SYNTAX;
	return 0;
}

/* Closed to others, and in the hands of nobody but its owner and root. */
static int
check_mode(const struct stat *st, uid_t owner)
{
	if (!S_ISREG(st->st_mode) || (st->st_mode & 027) != 0 ||
	    (st->st_uid != owner && st->st_uid != 0))
		return QE_DENIED;
	return 0;
}

int
qpasswd_read_at(int dir, const char *name, uid_t owner, struct buf *out)
{
	int fd =
	    openat(dir, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	int r;

	if (fd < 0)
		return errno == ENOENT  ? QE_ABSENT
		       : errno == ELOOP ? QE_DENIED
					: QE_SYS;
	r = fstat(fd, &st) < 0 ? QE_SYS : check_mode(&st, owner);
	/* Whole at once: no pieces of it are left behind in the heap. */
	if (r == 0 && (uintmax_t)st.st_size < out->max)
		buf_reserve(out, (size_t)st.st_size + 1);
	if (r == 0)
		r = file_read_fd(fd, out);
	io_close(&fd);
	return r;
}

int
qpasswd_read(const char *path, uid_t owner, struct buf *out)
{
	return qpasswd_read_at(AT_FDCWD, path, owner, out);
}

static int
take_id(struct strv word, uint64_t *id)
{
	/* The highest one stands for "none" in system calls. */
	return strv_to_u64(word, UINT32_MAX - 1, id) == 0 ? 0 : QE_SYNTAX;
}

static int
take_ids(const struct qpasswd_line *line, struct qpasswd_user *out)
{
	uint64_t uid = 0, gid = 0;

	if (take_id(line->uid, &uid) != 0 || take_id(line->gid, &gid) != 0)
		return QE_SYNTAX;
	out->uid = (uid_t)uid;
	out->gid = (gid_t)gid;
	return 0;
}

int
qpasswd_set_user(
    const struct qpasswd_line *line, bool known, struct qpasswd_user *out)
{
	int r;

	*out = (struct qpasswd_user){ .user = BUF_LIMIT(QPASSWD_HOME_MAX),
		.home = BUF_LIMIT(QPASSWD_HOME_MAX),
		.known = known };
	buf_add_view(&out->user, line->user);
	if (!strv_starts(line->home, STRV("/"))) {
		buf_add_view(&out->home, line->base);
		buf_add_char(&out->home, '/');
	}
	buf_add_view(&out->home, line->home);
	r = take_ids(line, out);
	if (r == 0)
		r = out->user.err != 0 ? out->user.err : out->home.err;
	if (r != 0)
		qpasswd_user_free(out);
	return r;
}

/* Whom it may be: the user himself, and who stands in for him. */
struct search {
	struct qpasswd_line hit, next;
	uint64_t distance; /* of next from the place that the login draws */
};

/* The whole file is read, wherever the user stands in it. */
static int
search(struct strv text, const struct lot *lot, struct strv login,
    struct search *s, unsigned *line)
{
	uint64_t place = lot_draw(lot, login);
	struct qpasswd_reader r;
	int result;

	qpasswd_reader_init(&r, text);
	while ((result = qpasswd_next(&r)) == 0) {
		uint64_t distance;

		if (r.line.user.len == 0)
			continue;
		distance = lot_draw(lot, r.line.user) - place;
		if (s->next.number == 0 || distance < s->distance) {
			s->next = r.line;
			s->distance = distance;
		}
		if (s->hit.number == 0 && strv_eq(r.line.user, login))
			s->hit = r.line;
	}
	*line = r.line.number;
	return result == QE_EOF ? 0 : result;
}

int
qpasswd_find(struct strv text, const struct lot *lot, struct strv login,
    struct qpasswd_user *out, unsigned *line)
{
	struct search s = { .distance = 0 };
	int r = search(text, lot, login, &s, line);
	bool known = s.hit.number != 0;

	if (r != 0)
		return r;
	if (s.next.number == 0)
		return QE_ABSENT;
	*line = known ? s.hit.number : s.next.number;
	return qpasswd_set_user(known ? &s.hit : &s.next, known, out);
}

void
qpasswd_user_free(struct qpasswd_user *u)
{
	buf_free(&u->user);
	buf_free(&u->home);
}
