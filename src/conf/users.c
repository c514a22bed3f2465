/*
 * Which account handles a local part: users/cdb, which qmail-newu writes.
 * The password database is asked in users_account.c.
 */
#include "conf/users.h"
#include "base/cdb.h"
#include "base/error.h"

enum { USER_FIELDS = 6 };

/* The highest id means "unchanged" to the kernel. */
static const uint64_t ID_MAX = UINT32_MAX - 1;

void
user_entry_free(struct user_entry *entry)
{
	buf_free(&entry->bytes);
	*entry = (struct user_entry){ .bytes = BUF_INIT };
}

/* Splits bytes, which become the entry's, into the six fields. */
static int
entry_fill(struct buf *bytes, struct user_entry *out)
{
	struct strv field[USER_FIELDS];
	struct strv rest;
	uint64_t uid, gid;
	bool ended = true;

	if (buf_cstr(bytes) == NULL)
		return QE_NOMEM;
	rest = buf_view(bytes);
	for (size_t i = 0; i < USER_FIELDS; i++) {
		if (!ended)
			return QE_SYNTAX;
		field[i] = strv_cut(&rest, '\0', &ended);
	}
	if (rest.len != 0 || field[0].len == 0 ||
	    strv_to_u64(field[1], ID_MAX, &uid) != 0 ||
	    strv_to_u64(field[2], ID_MAX, &gid) != 0)
		return QE_SYNTAX;
	*out = (struct user_entry){ .bytes = *bytes,
		.user = field[0].ptr,
		.home = field[3].ptr,
		.dash = field[4].ptr,
		.ext = field[5].ptr,
		.uid = (uid_t)uid,
		.gid = (gid_t)gid };
	*bytes = (struct buf)BUF_INIT;
	return 0;
}

int
users_parse(struct strv value, struct user_entry *out)
{
	struct buf bytes = BUF_INIT;
	int r;

	buf_add_view(&bytes, value);
	r = bytes.err != 0 ? QE_NOMEM : entry_fill(&bytes, out);
	buf_free(&bytes);
	return r;
}

/* A value of users/cdb and the tail of the address that goes behind it. */
static int
entry_from_value(struct strv value, struct strv tail, struct user_entry *out)
{
	struct buf bytes = BUF_INIT;
	size_t nuls = 0;
	int r;

	for (size_t i = 0; i < value.len; i++)
		nuls += value.ptr[i] == '\0';
	if (nuls == USER_FIELDS && value.ptr[value.len - 1] == '\0')
		value.len--;
	buf_add_view(&bytes, value);
	buf_add_view(&bytes, tail);
	r = bytes.err != 0 ? QE_NOMEM : entry_fill(&bytes, out);
	buf_free(&bytes);
	return r == QE_SYNTAX ? QE_CORRUPT : r;
}

/*
 * Probes "!local\0", then shorter and shorter prefixes that end in one of the
 * wildcard bytes, then "!".  key holds the first of these.
 */
static int
probe(struct cdb_reader *cdb, struct strv key, struct strv local,
    struct strv wildcards, struct user_entry *out)
{
	struct strv value;
	int r = cdb_reader_seek(cdb, key, &value);

	if (r == 0)
		return entry_from_value(value, STRV_EMPTY, out);
	for (size_t n = local.len + 1; r == QE_ABSENT && n > 0; n--) {
		size_t kept = n - 1;

		if (kept > 0 &&
		    strv_find(wildcards, key.ptr[kept]) == STRV_NPOS)
			continue;
		r = cdb_reader_seek(cdb, strv_head(key, kept + 1), &value);
		if (r == 0)
			return entry_from_value(
			    value, strv_skip(local, kept), out);
	}
	return r;
}

static int
find_in(struct cdb_reader *cdb, struct strv local, struct user_entry *out)
{
	struct buf key = BUF_INIT;
	struct strv wildcards;
	int r = cdb_reader_keep(cdb, STRV_EMPTY, &wildcards);
	int changed;

	if (r != 0)
		return r == QE_ABSENT ? QE_CORRUPT : r;
	buf_add_char(&key, '!');
	buf_add_lower(&key, local);
	buf_add_char(&key, '\0');
	r = key.err != 0 ? QE_NOMEM
			 : probe(cdb, buf_view(&key), local, wildcards, out);
	buf_free(&key);
	changed = cdb_reader_check(cdb);
	if (changed == 0)
		return r;
	if (r == 0)
		user_entry_free(out);
	return changed;
}

int
users_find_assigned(const char *path, struct strv local,
    struct cdb_reader **cache, struct user_entry *out)
{
	int r;

	if (*cache != NULL && cdb_reader_is_stale(*cache, path))
		cdb_reader_free(cache);
	if (*cache == NULL) {
		r = cdb_reader_open(path, cache);
		if (r != 0)
			return r;
	}
	if (strv_find(local, '\0') != STRV_NPOS)
		return QE_ABSENT;
	return find_in(*cache, local, out);
}
