/* .qmail files: names, contents, replacing and removing them. */
#include "hosting/dotfile.h"
#include "base/error.h"
#include "base/file.h"
#include "base/io.h"
#include "conf/mailbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define DOTFILE_NEW ".qmail.new" /* no address leads to it */

void
dotfile_add_name(struct buf *out, struct strv local)
{
	mailbox_add_name(out, "-", local);
}

int
dotfile_local(struct strv name, struct buf *out)
{
	static const struct strv prefix = { ".qmail-", 7 };

	if (!strv_starts(name, prefix) || name.len == prefix.len)
		return QE_SYNTAX;
	name = strv_skip(name, prefix.len);
	for (size_t i = 0; i < name.len; i++)
		buf_add_char(out, name.ptr[i] == ':' ? '.' : name.ptr[i]);
	return out->err;
}

/* The one line of a mailbox of this local part. */
static bool
is_mailbox(struct strv local, struct strv text)
{
	struct strv line = strv_trim_end(text);
	struct strv end = strv_of("/Maildir/");

	if (!strv_starts(line, STRV("./")) ||
	    line.len != local.len + 2 + end.len)
		return false;
	return strv_eq_nocase(
		   strv_head(strv_skip(line, 2), local.len), local) &&
	       strv_eq(strv_skip(line, local.len + 2), end);
}

static bool
is_alias(struct strv text)
{
	while (text.len > 0) {
		struct strv line = strv_cut(&text, '\n', NULL);

		if (line.len > 0 && line.ptr[0] != '&')
			return false;
	}
	return true;
}

static enum dotfile_kind
classify(struct strv local, struct strv text)
{
	if (is_mailbox(local, text))
		return DOTFILE_MAILBOX;
	return text.len > 0 && is_alias(text) ? DOTFILE_ALIAS : DOTFILE_OTHER;
}

int
dotfile_read(struct strv local, enum dotfile_kind *kind, struct buf *content)
{
	struct buf name = BUF_INIT;
	struct buf text = BUF_LIMIT(DOTFILE_MAX);
	int r;

	dotfile_add_name(&name, local);
	r = buf_cstr(&name) == NULL ? name.err : file_read(name.data, &text);
	if (r == QE_ABSENT)
		*kind = DOTFILE_NONE;
	else if (r == 0)
		*kind = classify(local, buf_view(&text));
	if (r == 0 && content != NULL)
		buf_add_view(content, buf_view(&text));
	buf_free(&name);
	buf_free(&text);
	return r == QE_ABSENT ? 0 : r;
}

static int
write_new(struct strv text)
{
	int flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC;
	int fd = open(DOTFILE_NEW, flags, 0600);
	int r = fd < 0 ? QE_SYS : io_write_all(fd, text.ptr, text.len);

	if (r == 0)
		r = io_sync(fd);
	io_close(&fd);
	return r;
}

int
dotfile_write(struct strv local, struct strv text)
{
	struct buf name = BUF_INIT;
	int r = write_new(text);

	dotfile_add_name(&name, local);
	if (r == 0 && buf_cstr(&name) == NULL)
		r = name.err;
	if (r == 0 && rename(DOTFILE_NEW, name.data) < 0)
		r = QE_SYS;
	buf_free(&name);
	return r == 0 ? io_sync_dir(".") : r;
}

int
dotfile_remove(struct strv local)
{
	struct buf name = BUF_INIT;
	int r = 0;

	dotfile_add_name(&name, local);
	if (buf_cstr(&name) == NULL)
		r = name.err;
	else if (unlink(name.data) < 0 && errno != ENOENT)
		r = QE_SYS;
	buf_free(&name);
	return r == 0 ? io_sync_dir(".") : r;
}
