/* users/mailboxes and its database: one codec for those who write and read. */
#include "conf/logins.h"
#include "base/cdb.h"
#include "base/error.h"

#include <stdint.h>

enum { LOGIN_FIELDS = 5, ID_MAX = INT32_MAX };

/* uid or gid; nobody's mail is kept by root. */
static int
parse_id(struct strv text, uint64_t *id)
{
	int r = strv_to_u64(text, ID_MAX, id);

	return r == 0 && *id == 0 ? QE_SYNTAX : r;
}

static int
check_fields(const struct strv *f)
{
	uint64_t id;

	for (int i = 0; i < LOGIN_FIELDS; i++)
		if (f[i].len == 0 || strv_find(f[i], '\0') != STRV_NPOS)
			return QE_SYNTAX;
	if (parse_id(f[2], &id) != 0 || parse_id(f[3], &id) != 0 ||
	    f[4].ptr[0] != '/')
		return QE_SYNTAX;
	return 0;
}

int
login_parse_line(struct strv line, struct buf *key, struct buf *value)
{
	struct strv f[LOGIN_FIELDS];
	bool found = true;
	int r;

	if (line.len > LOGIN_LINE_MAX)
		return QE_LIMIT;
	for (int i = 0; i < LOGIN_FIELDS - 1; i++) {
		f[i] = strv_cut(&line, ':', &found);
		if (!found)
			return QE_SYNTAX;
	}
	f[LOGIN_FIELDS - 1] = line;
	r = check_fields(f);
	if (r != 0)
		return r;
	buf_add_lower(key, f[0]);
	for (int i = 1; i < LOGIN_FIELDS; i++) {
		buf_add_view(value, f[i]);
		buf_add_char(value, '\0');
	}
	return key->err != 0 ? key->err : value->err;
}

/* The next field of a value, up to its NUL. */
static int
take_field(struct strv *rest, const char **field, struct strv *view)
{
	bool found;

	*view = strv_cut(rest, '\0', &found);
	*field = view->ptr;
	return found && view->len > 0 ? 0 : QE_SYNTAX;
}

int
login_parse_value(struct strv value, struct login *out)
{
	struct login login = { .bytes = BUF_LIMIT(LOGIN_LINE_MAX) };
	struct strv rest, view, uid_text, gid_text;
	uint64_t uid = 0, gid = 0;
	const char *text;
	int r;

	buf_add_view(&login.bytes, value);
	rest = buf_view(&login.bytes);
	r = login.bytes.err;
	if (r == 0)
		r = take_field(&rest, &login.hash, &view);
	if (r == 0)
		r = take_field(&rest, &text, &uid_text);
	if (r == 0)
		r = take_field(&rest, &text, &gid_text);
	if (r == 0)
		r = take_field(&rest, &login.home, &view);
	if (r == 0 &&
	    (rest.len > 0 || login.home[0] != '/' ||
		parse_id(uid_text, &uid) != 0 || parse_id(gid_text, &gid) != 0))
		r = QE_SYNTAX;
	if (r != 0) {
		login_free(&login);
		return r == QE_LIMIT ? QE_SYNTAX : r;
	}
	login.uid = (uid_t)uid;
	login.gid = (gid_t)gid;
	*out = login;
	return 0;
}

void
login_standin_key(unsigned i, struct buf *key)
{
	buf_add_char(key, '\0');
	buf_add_char(key, (char)('0' + i));
}

uint64_t
login_standin_place(unsigned i)
{
	return UINT64_MAX / LOGINS_STANDINS * i;
}

/* The one whose part of the circle the address draws. */
static unsigned
draw_standin(const struct lot *lot, struct strv address)
{
	uint64_t place = lot_draw(lot, address);

	return (unsigned)(place / (UINT64_MAX / LOGINS_STANDINS + 1));
}

static int
find_key(struct cdb_reader *reader, struct strv key, struct login *out)
{
	struct strv value;
	int r = cdb_reader_find(reader, key, &value);

	if (r == 0)
		r = login_parse_value(value, out);
	return r == QE_SYNTAX ? QE_CORRUPT : r;
}

/* Both are looked up, whichever is wanted. */
static int
find_both(struct cdb_reader *reader, const struct lot *lot, struct strv address,
    struct login *out)
{
	struct login standin = { .hash = NULL };
	struct buf key = BUF_INIT;
	int r = find_key(reader, address, out);
	int other;

	login_standin_key(draw_standin(lot, address), &key);
	other =
	    key.err != 0 ? key.err : find_key(reader, buf_view(&key), &standin);
	buf_free(&key);
	if (r == 0) {
		out->known = true;
		login_free(&standin);
		return 0;
	}
	if (r == QE_ABSENT && other == 0)
		*out = standin;
	else
		login_free(&standin);
	return r == QE_ABSENT ? other : r;
}

int
login_find_in(struct cdb_reader *reader, const struct lot *lot,
    struct strv address, struct login *out)
{
	struct buf key = BUF_LIMIT(LOGIN_LINE_MAX);
	int r;

	*out = (struct login){ .hash = NULL };
	if (strv_find(address, '\0') != STRV_NPOS) /* a stand-in's key */
		return QE_ABSENT;
	buf_add_lower(&key, address);
	r = key.err;
	if (r == 0)
		r = find_both(reader, lot, buf_view(&key), out);
	buf_free(&key);
	return r == QE_LIMIT ? QE_ABSENT : r;
}

int
login_find(const char *path, struct strv address, struct login *out)
{
	struct cdb_reader *reader = NULL;
	int r = cdb_reader_open(path, &reader);
	struct lot lot;

	lot_init(&lot);
	if (r == 0)
		r = login_find_in(reader, &lot, address, out);
	cdb_reader_free(&reader);
	return r;
}

void
login_free(struct login *login)
{
	buf_free_secret(&login->bytes);
	*login = (struct login){ .hash = NULL };
}
