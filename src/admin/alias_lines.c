/*
 * An alias of /etc/aliases as the text of a .qmail file (newaliases(8)).
 *
 * Programs get a From_ line, as those of sendmail do; hence preline.
 */
#include "admin/alias_lines.h"
#include "base/error.h"
#include "base/file.h"
#include "conf/mailbox.h"
#include "mail/aliases.h"

#include <errno.h>
#include <string.h>

enum { INCLUDED_MAX = 4 << 20 /* bytes of one file */ };

int
alias_file_name(struct strv name, struct buf *out)
{
	struct strv rest = STRV("default");

	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.ptr[i];

		if (c <= ' ' || c == 127 || c == '/' || c == '@')
			return QE_SYNTAX;
	}
	if (name.len == 0 || strv_eq_nocase(name, rest) ||
	    strv_ends_nocase(name, STRV("-default")))
		return QE_SYNTAX;
	mailbox_add_name(out, "-", name);
	return out->err == 0 ? 0 : QE_NOMEM;
}

static int add_values(struct strv name, struct strv values, int depth,
    struct buf *out, struct buf *culprit);

static int
add_included(struct strv name, struct buf *path, int depth, struct buf *out,
    struct buf *culprit)
{
	struct buf text = BUF_LIMIT(INCLUDED_MAX);
	int r;

	buf_reset(culprit);
	buf_add_view(culprit, buf_view(path));
	if (depth == 0)
		return QE_LIMIT;
	errno = ENOENT;
	r = path->data[0] != '/' || buf_cstr(path) == NULL
		? QE_SYNTAX
		: file_read(path->data, &text);
	if (r == QE_ABSENT) {
		errno = ENOENT;
		r = QE_SYS;
	}
	if (r == 0)
		r = add_values(name, buf_view(&text), depth - 1, out, culprit);
	buf_free(&text);
	return r;
}

static void
add_address(struct strv name, struct strv address, struct buf *out)
{
	/* Sendmail would deliver; here it would come back for ever. */
	if (strv_eq_nocase(name, address)) {
		buf_add_str(out, "./Maildir/\n");
		return;
	}
	buf_add_char(out, '&');
	buf_add_view(out, address);
	buf_add_char(out, '\n');
}

static void
add_file(struct strv path, struct buf *out)
{
	/* Throwing away needs no file. */
	buf_add_str(out, strv_eq(path, STRV("/dev/null")) ? "# " : "");
	buf_add_view(out, path);
	buf_add_char(out, '\n');
}

static int
add_values(struct strv name, struct strv values, int depth, struct buf *out,
    struct buf *culprit)
{
	struct buf text = BUF_LIMIT(ALIASES_VALUE_MAX);
	int r = 0;

	while (r == 0) {
		struct strv before = values;
		enum alias_kind kind;

		r = aliases_value(&values, &kind, &text);
		if (r != 0) {
			buf_reset(culprit);
			buf_add_view(culprit,
			    strv_head(before, before.len - values.len));
			break;
		}
		switch (kind) {
		case ALIAS_ADDRESS:
			add_address(name, buf_view(&text), out);
			break;
		case ALIAS_PROGRAM:
			buf_add_str(out, "|preline ");
			buf_add_view(out, buf_view(&text));
			buf_add_char(out, '\n');
			break;
		case ALIAS_FILE:
			add_file(buf_view(&text), out);
			break;
		case ALIAS_INCLUDE:
			r = add_included(name, &text, depth, out, culprit);
			break;
		}
		if (r == 0)
			r = out->err;
	}
	buf_free(&text);
	return r == QE_EOF ? 0 : r;
}

int
alias_add_lines(
    struct strv name, struct strv values, struct buf *out, struct buf *culprit)
{
	return add_values(name, values, ALIAS_INCLUDE_DEPTH, out, culprit);
}
