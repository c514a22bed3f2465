/* What a line of users/assign means (qmail-users(5)). */
#include "admin/assign.h"
#include "base/error.h"
#include "conf/users.h"

enum { VALUE_COLONS = 6 };

bool
assign_is_end(struct strv line)
{
	return line.len > 0 && line.ptr[0] == '.';
}

/*
 * user:uid:gid:homedir:dash:ext: to the same with NULs, none at the end; what
 * is behind the last colon does not count.
 */
static int
make_value(struct strv text, struct buf *out)
{
	struct user_entry entry;
	size_t start = out->len;
	bool colon = true;
	int r;

	for (int i = 0; i < VALUE_COLONS; i++) {
		if (i > 0)
			buf_add_char(out, '\0');
		buf_add_view(out, strv_cut(&text, ':', &colon));
		if (!colon)
			return QE_SYNTAX;
	}
	if (out->err != 0)
		return out->err;
	r = users_parse(strv_skip(buf_view(out), start), &entry);
	if (r == 0)
		user_entry_free(&entry);
	return r;
}

int
assign_parse(
    struct strv line, struct buf *key, struct buf *value, char *wildcard)
{
	struct strv rest = strv_skip(line, 1);
	struct strv local;
	bool wild = line.len > 0 && line.ptr[0] == '+';
	bool colon;
	int r;

	if (line.len == 0 || strv_find(line, '\0') != STRV_NPOS)
		return QE_SYNTAX;
	local = strv_cut(&rest, ':', &colon);
	if (!colon)
		return QE_SYNTAX;
	r = make_value(rest, value);
	if (r != 0)
		return r;
	buf_add_char(key, '!');
	buf_add_lower(key, local);
	if (!wild)
		buf_add_char(key, '\0');
	*wildcard = '\0';
	if (wild && local.len > 0)
		*wildcard = ascii_lower(local.ptr[local.len - 1]);
	return key->err;
}
