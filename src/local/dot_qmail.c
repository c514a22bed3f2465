/*
 * .qmail files: the tests a file has to pass before it is believed, and the
 * line types.  Which file it is decides conf/mailbox.h.
 */
#include "local/dot_qmail.h"
#include "base/error.h"
#include "base/file.h"
#include "base/io.h"
#include "conf/mailbox.h"

#include <errno.h>
#include <fcntl.h>

static int
read_instructions(int fd, const struct stat *st, struct dot_qmail *out)
{
	int r;

	if ((st->st_mode & MAILBOX_FORBIDDEN) != 0)
		return QE_DENIED;
	out->forward_only = (st->st_mode & S_IXUSR) != 0;
	r = file_read_fd(fd, &out->text);
	if (r == 0 && strv_find(buf_view(&out->text), '\0') != STRV_NPOS)
		r = QE_SYNTAX;
	return r;
}

int
dot_qmail_find(const char *dash, const char *ext, struct dot_qmail *out)
{
	struct mailbox box;
	int r = mailbox_open(AT_FDCWD, dash, ext, O_RDONLY, &box);

	*out = (struct dot_qmail){ .text = BUF_LIMIT(DOT_QMAIL_MAX) };
	if (r == 0 && box.fd >= 0) {
		r = read_instructions(box.fd, &box.st, out);
		out->found = r == 0;
	}
	out->remainder = out->found ? box.remainder : NULL;
	out->name = box.name;
	box.name = (struct buf)BUF_INIT;
	mailbox_clear(&box);
	return r;
}

/* 0 and a descriptor of a regular file, QE_ABSENT, QE_SYS. */
static int
open_named(const char *name, int *fd, struct stat *st)
{
	/* O_NONBLOCK: a FIFO of that name must not hang the delivery. */
	*fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (*fd < 0)
		return mailbox_error_is_temporary(errno) ? QE_SYS : QE_ABSENT;
	if (fstat(*fd, st) < 0)
		return QE_SYS;
	return S_ISREG(st->st_mode) ? 0 : QE_ABSENT;
}

int
dot_qmail_open_named(struct strv name, struct dot_qmail *out)
{
	struct stat st;
	int fd = -1;
	int r = QE_ABSENT;

	*out = (struct dot_qmail){ .text = BUF_LIMIT(DOT_QMAIL_MAX) };
	buf_add_str(&out->name, ".qmail-");
	buf_add_view(&out->name, name);
	if (buf_cstr(&out->name) == NULL)
		return QE_NOMEM;
	if (name.len > 0 && strv_find(name, '/') == STRV_NPOS)
		r = open_named(buf_cstr(&out->name), &fd, &st);
	if (r == 0)
		r = read_instructions(fd, &st, out);
	out->found = r == 0;
	io_close(&fd);
	return r;
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
	static const struct strv lmtp = { "!lmtp:", 6 };
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
	case '?':
		out.kind = DQ_CONDITION;
		out.text = strv_skip(line, 1);
		break;
	case '%':
		out.kind = DQ_CONTINUE;
		out.text = strv_skip(line, 1);
		break;
	case '!':
		out.kind = DQ_UNKNOWN;
		if (strv_starts(line, lmtp)) {
			out.kind = DQ_LMTP;
			out.text = strv_skip(line, lmtp.len);
		}
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
