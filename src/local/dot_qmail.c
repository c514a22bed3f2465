/*
 * .qmail files: the search from the whole extension down to "default", the
 * tests a file has to pass before it is believed, and the line types.
 */
#include "local/dot_qmail.h"
#include "base/error.h"
#include "base/file.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

static const char default_word[] = "default";

enum {
	DEFAULT_LEN = sizeof(default_word) - 1,
	NAME_BYTES_MAX = 1 << 18 /* more than any argument holds */
};

void
dot_qmail_add_name(struct buf *out, const char *dash, struct strv ext)
{
	buf_add_str(out, ".qmail");
	buf_add_str(out, dash);
	for (size_t i = 0; i < ext.len; i++)
		buf_add_char(
		    out, ext.ptr[i] == '.' ? ':' : ascii_lower(ext.ptr[i]));
}

void
dot_qmail_search_init(
    struct dot_qmail_search *s, const char *dash, const char *ext)
{
	*s = (struct dot_qmail_search){ .dash = dash,
		.ext = ext,
		.name = BUF_LIMIT(NAME_BYTES_MAX),
		.untried = strlen(ext) };
}

void
dot_qmail_search_clear(struct dot_qmail_search *s)
{
	buf_free(&s->name);
}

/* The whole extension; one that ends in "default" stands for that part. */
static int
search_exact(struct dot_qmail_search *s)
{
	struct strv ext = strv_of(s->ext);

	s->begun = true;
	s->remainder = strv_ends_nocase(ext, strv_of(default_word))
			   ? s->ext + ext.len - DEFAULT_LEN
			   : NULL;
	dot_qmail_add_name(&s->name, s->dash, ext);
	return s->name.err != 0 ? QE_NOMEM : 0;
}

int
dot_qmail_search_next(struct dot_qmail_search *s)
{
	size_t prefix = s->untried;

	if (s->ended)
		return QE_EOF;
	if (!s->begun)
		return search_exact(s);
	while (prefix > 0 && s->ext[prefix - 1] != '-')
		prefix--;
	s->ended = prefix == 0;
	s->untried = prefix == 0 ? 0 : prefix - 1;
	s->remainder = s->ext + prefix;
	buf_reset(&s->name);
	dot_qmail_add_name(&s->name, s->dash, strv_from(s->ext, prefix));
	buf_add_str(&s->name, default_word);
	return s->name.err != 0 ? QE_NOMEM : 0;
}

bool
dot_qmail_error_is_temporary(int errnum)
{
	return errnum == EACCES || errnum == EPERM ||
	       error_is_temporary(errnum);
}

/* Opens a regular file: 0, QE_ABSENT, QE_SYS. */
static int
open_regular(const char *name, int *out, struct stat *st)
{
	/* O_NONBLOCK: a FIFO of that name must not hang the delivery. */
	int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int r = QE_ABSENT;

	if (fd < 0)
		return dot_qmail_error_is_temporary(errno) ? QE_SYS : QE_ABSENT;
	if (fstat(fd, st) < 0)
		r = QE_SYS;
	else if (S_ISREG(st->st_mode))
		r = 0;
	if (r == 0)
		*out = fd;
	else
		io_close(&fd);
	return r;
}

static int
read_instructions(int fd, const struct stat *st, struct dot_qmail *out)
{
	int r;

	if ((st->st_mode & DOT_QMAIL_FORBIDDEN) != 0)
		return QE_DENIED;
	out->forward_only = (st->st_mode & S_IXUSR) != 0;
	r = file_read_fd(fd, &out->text);
	if (r == 0 && strv_find(buf_view(&out->text), '\0') != STRV_NPOS)
		r = QE_SYNTAX;
	return r;
}

/* One candidate: 0 and found, QE_ABSENT, or what is wrong with it. */
static int
try_candidate(const char *name, struct dot_qmail *out)
{
	struct stat st;
	int fd = -1;
	int r = open_regular(name, &fd, &st);

	if (r != 0)
		return r;
	r = read_instructions(fd, &st, out);
	io_close(&fd);
	out->found = r == 0;
	return r;
}

int
dot_qmail_find(const char *dash, const char *ext, struct dot_qmail *out)
{
	struct dot_qmail_search search;
	int r;

	*out = (struct dot_qmail){ .text = BUF_LIMIT(DOT_QMAIL_MAX) };
	dot_qmail_search_init(&search, dash, ext);
	do {
		const char *name;

		r = dot_qmail_search_next(&search);
		if (r != 0)
			break;
		name = buf_cstr(&search.name);
		r = name == NULL ? QE_NOMEM : try_candidate(name, out);
	} while (r == QE_ABSENT);
	out->remainder = out->found ? search.remainder : NULL;
	out->name = search.name;
	search.name = (struct buf)BUF_INIT;
	dot_qmail_search_clear(&search);
	return r == QE_EOF ? 0 : r;
}

void
dot_qmail_clear(struct dot_qmail *d)
{
	buf_free(&d->text);
	buf_free(&d->name);
}

static struct dot_qmail_line
classify(struct strv line)
{
	struct dot_qmail_line out = { DQ_FORWARD, line };

	if (line.len == 0) {
		out.kind = DQ_BLANK;
		return out;
	}
	switch (line.ptr[0]) {
	case '#':
		out.kind = DQ_COMMENT;
		break;
	case '.':
	case '/':
		out.kind = line.ptr[line.len - 1] == '/' ? DQ_MAILDIR : DQ_MBOX;
		break;
	case '|':
		out.kind = DQ_PROGRAM;
		out.text = strv_skip(line, 1);
		break;
	case '&':
		out.text = strv_skip(line, 1);
		break;
	case '+':
		out.kind = strv_eq(line, STRV("+list")) ? DQ_FORWARDS_ONLY
							: DQ_IGNORED;
		break;
	default:
		break;
	}
	return out;
}

bool
dot_qmail_line_next(struct strv *rest, struct dot_qmail_line *out)
{
	if (rest->len == 0)
		return false;
	*out = classify(strv_trim_end(strv_cut(rest, '\n', NULL)));
	return true;
}
