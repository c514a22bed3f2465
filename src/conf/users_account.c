/*
 * Which account handles a local part: the password database.  It is asked
 * through the name service, so only dynamically linked programs call this.
 */
#include "base/account.h"
#include "base/error.h"
#include "base/program.h"
#include "conf/users.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	USER_NAME_MAX = 31,         /* bytes of a name that is looked up */
	NSS_BUFFER_FIRST = 1 << 10, /* bytes for one password entry */
	NSS_BUFFER_MAX = 1 << 20,
};

static const char SEPARATOR = '-';

/* One account of the name service; the strings live in storage. */
struct account {
	struct passwd entry;
	char *storage;
};

static void
account_free(struct account *account)
{
	free(account->storage);
	account->storage = NULL;
}

/*
 * By name, or by uid if name is NULL.  0; QE_ABSENT; QE_TEMP, with errno
 * ETXTBSY to tell a name service in trouble from a home that cannot be seen.
 */
static int
account_get(const char *name, uid_t uid, struct account *out)
{
	struct passwd *found = NULL;
	size_t size = NSS_BUFFER_FIRST;
	int e;

	out->storage = NULL;
	do {
		free(out->storage);
		out->storage = malloc(size);
		if (out->storage == NULL)
			e = ENOMEM;
		else if (name != NULL)
			e = getpwnam_r(
			    name, &out->entry, out->storage, size, &found);
		else
			e = getpwuid_r(
			    uid, &out->entry, out->storage, size, &found);
		size *= 2;
	} while (e == EINTR || (e == ERANGE && size <= NSS_BUFFER_MAX));
	if (e == 0 && found != NULL)
		return 0;
	account_free(out);
	if (e == 0 || e == ENOENT || e == ESRCH)
		return QE_ABSENT;
	errno = ETXTBSY;
	return QE_TEMP;
}

/* Its home exists and is its own: 0, QE_ABSENT, QE_TEMP with errno. */
static int
home_is_own(const struct passwd *entry)
{
	struct stat st;

	if (stat(entry->pw_dir, &st) < 0)
		return error_is_temporary(errno) ? QE_TEMP : QE_ABSENT;
	return st.st_uid == entry->pw_uid ? 0 : QE_ABSENT;
}

static int
entry_make(const char *user, uid_t uid, gid_t gid, const char *home,
    struct strv dash, struct strv ext, struct user_entry *out)
{
	struct buf bytes = BUF_INIT;
	int r;

	buf_add(&bytes, user, strlen(user) + 1);
	buf_add_u64(&bytes, uid);
	buf_add_char(&bytes, '\0');
	buf_add_u64(&bytes, gid);
	buf_add_char(&bytes, '\0');
	buf_add(&bytes, home, strlen(home) + 1);
	buf_add_view(&bytes, dash);
	buf_add_char(&bytes, '\0');
	buf_add_view(&bytes, ext);
	r = bytes.err != 0 ? QE_NOMEM : users_parse(buf_view(&bytes), out);
	buf_free(&bytes);
	return r;
}

/* Who may be found: everybody, or the caller alone (no root, no roles). */
struct scope {
	bool everybody;
	struct account own; /* storage NULL: the caller has no name */
};

static int
scope_find(struct scope *scope)
{
	int r;

	*scope = (struct scope){ .everybody = geteuid() == 0 };
	if (scope->everybody)
		return 0;
	r = account_get(NULL, geteuid(), &scope->own);
	if (r != 0)
		return r == QE_ABSENT ? 0 : r;
	for (int i = 0; i < ROLE_COUNT; i++)
		if (strcmp(scope->own.entry.pw_name, role_user((enum role)i)) ==
		    0)
			scope->everybody = true;
	return 0;
}

/* The first len bytes of local as an account, what follows as extension. */
static int
try_name(const struct scope *scope, struct strv local, size_t len,
    struct user_entry *out)
{
	char name[USER_NAME_MAX + 1];
	struct account account;
	struct strv dash = STRV_EMPTY, ext = STRV_EMPTY;
	int r;

	for (size_t i = 0; i < len; i++)
		name[i] = ascii_lower(local.ptr[i]);
	name[len] = '\0';
	if (!scope->everybody &&
	    (scope->own.storage == NULL ||
		strcmp(name, scope->own.entry.pw_name) != 0))
		return QE_ABSENT;
	r = account_get(name, 0, &account);
	if (r != 0)
		return r;
	if (len < local.len) {
		dash = strv_from(&SEPARATOR, 1);
		ext = strv_skip(local, len + 1);
	}
	r = account.entry.pw_uid == 0 ? QE_ABSENT : home_is_own(&account.entry);
	if (r == 0)
		r = entry_make(account.entry.pw_name, account.entry.pw_uid,
		    account.entry.pw_gid, account.entry.pw_dir, dash, ext, out);
	account_free(&account);
	return r;
}

/* Whoever nobody else controls goes to the alias user. */
static int
try_alias(const struct scope *scope, struct strv local, struct user_entry *out)
{
	struct strv dash = strv_from(&SEPARATOR, 1);
	struct account account;
	struct buf home = BUF_INIT;
	struct stat st;
	int r;

	if (scope->everybody) {
		r = account_get(role_user(ROLE_ALIAS), 0, &account);
		if (r != 0)
			return r;
		r = entry_make(account.entry.pw_name, account.entry.pw_uid,
		    account.entry.pw_gid, account.entry.pw_dir, dash, local,
		    out);
		account_free(&account);
		return r;
	}
	buf_addf(&home, "%s/alias", program_home());
	if (buf_cstr(&home) == NULL)
		r = QE_NOMEM;
	else if (stat(home.data, &st) < 0)
		r = error_is_temporary(errno) ? QE_TEMP : QE_ABSENT;
	else
		r = entry_make(role_user(ROLE_ALIAS), geteuid(), getegid(),
		    home.data, dash, local, out);
	buf_free(&home);
	return r;
}

static int
find_account(
    const struct scope *scope, struct strv local, struct user_entry *out)
{
	int r = QE_ABSENT;

	for (size_t len = local.len; r == QE_ABSENT && len > 0; len--)
		if (len <= USER_NAME_MAX &&
		    (len == local.len || local.ptr[len] == SEPARATOR))
			r = try_name(scope, local, len, out);
	return r == QE_ABSENT ? try_alias(scope, local, out) : r;
}

int
users_find_account(struct strv local, struct user_entry *out)
{
	struct scope scope;
	int r;

	if (strv_find(local, '\0') != STRV_NPOS)
		return QE_ABSENT;
	r = scope_find(&scope);
	if (r == 0)
		r = find_account(&scope, local, out);
	account_free(&scope.own);
	return r;
}
