/*
 * Logins: the system's accounts by the name service and shadow, or the lines
 * "login:crypt hash:home" of users/poppasswd.  Knows no password and compares
 * nothing.
 */
#include "auth/identity.h"
#include "base/error.h"
#include "base/file.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <shadow.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	IDENTITY_FIELD_MAX = 4096,
	SHADOW_SCANNED_MAX = 200, /* entries looked at for a hash to imitate */
	SECONDS_A_DAY = 86400
};

static void
identity_init(struct identity *id)
{
	*id = (struct identity){ .user = BUF_LIMIT(IDENTITY_FIELD_MAX),
		.home = BUF_LIMIT(IDENTITY_FIELD_MAX),
		.shell = BUF_LIMIT(IDENTITY_FIELD_MAX),
		.hash = BUF_LIMIT(IDENTITY_FIELD_MAX) };
}

void
identity_free(struct identity *id)
{
	buf_free(&id->user);
	buf_free(&id->home);
	buf_free(&id->shell);
	buf_free_secret(&id->hash);
}

static int
identity_error(const struct identity *id)
{
	return id->user.err != 0    ? id->user.err
	       : id->home.err != 0  ? id->home.err
	       : id->shell.err != 0 ? id->shell.err
				    : id->hash.err;
}

/* "", "*", "!", "!!", "x": no password at all. */
static bool
hash_is_password(const char *hash)
{
	return hash != NULL && strlen(hash) >= 13 && hash[0] != '!' &&
	       hash[0] != '*';
}

/* The first hash of the system stands in for those that are missing. */
static void
identity_imitate(struct identity *id)
{
	const struct spwd *entry;

	setspent();
	for (unsigned i = 0; i < SHADOW_SCANNED_MAX; i++) {
		entry = getspent();
		if (entry == NULL)
			break;
		if (hash_is_password(entry->sp_pwdp)) {
			buf_add_str(&id->hash, entry->sp_pwdp);
			break;
		}
	}
	endspent();
}

static bool
shadow_is_expired(const struct spwd *entry)
{
	return entry->sp_expire > 0 &&
	       time(NULL) / SECONDS_A_DAY >= entry->sp_expire;
}

static int
identity_add_account(const struct passwd *account, struct identity *id)
{
	const struct spwd *entry;
	const char *hash = account->pw_passwd;

	errno = 0;
	entry = getspnam(account->pw_name);
	if (entry == NULL && errno != 0 && errno != ENOENT)
		return QE_TEMP;
	if (entry != NULL)
		hash = entry->sp_pwdp;
	if (!hash_is_password(hash))
		return 0;
	buf_add_str(&id->hash, hash);
	buf_add_str(&id->user, account->pw_name);
	buf_add_str(&id->home, account->pw_dir);
	buf_add_str(&id->shell, account->pw_shell);
	id->uid = account->pw_uid;
	id->gid = account->pw_gid;
	id->switch_ids = true;
	/* Root does not log in by mail: its password is not to be guessed. */
	id->usable = account->pw_uid != 0 &&
		     !(entry != NULL && shadow_is_expired(entry));
	return 0;
}

int
identity_find_account(const char *login, struct identity *out)
{
	const struct passwd *account;
	int r = 0;

	identity_init(out);
	errno = 0;
	account = getpwnam(login);
	if (account != NULL)
		r = identity_add_account(account, out);
	else if (errno != 0 && errno != ENOENT && errno != ESRCH)
		r = QE_TEMP;
	if (r == 0 && out->hash.len == 0)
		identity_imitate(out);
	if (r == 0)
		r = identity_error(out);
	if (r != 0)
		identity_free(out);
	return r;
}

int
identity_parse_private(
    struct strv text, struct strv login, struct identity *out)
{
	struct strv imitated = STRV_EMPTY;

	identity_init(out);
	while (text.len > 0 && !out->usable) {
		struct strv line = strv_trim_end(strv_cut(&text, '\n', NULL));
		struct strv name = strv_cut(&line, ':', NULL);
		struct strv hash = strv_cut(&line, ':', NULL);

		if (name.len == 0 || name.ptr[0] == '#' || hash.len == 0)
			continue;
		if (imitated.len == 0)
			imitated = hash;
		if (!strv_eq(name, login) || line.len == 0)
			continue;
		buf_add_view(&out->user, name);
		buf_add_view(&out->hash, hash);
		buf_add_view(&out->home, line);
		out->usable = true;
	}
	if (!out->usable)
		buf_add_view(&out->hash, imitated);
	buf_add_str(&out->shell, "/bin/false");
	return identity_error(out);
}

/* Nobody but its owner, who is us or root, may read or write it. */
static int
private_check(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return QE_SYS;
	if ((st.st_mode & 077) != 0 ||
	    (st.st_uid != geteuid() && st.st_uid != 0))
		return QE_DENIED;
	return 0;
}

int
identity_find_private(const char *path, const char *login, struct identity *out)
{
	struct buf text = BUF_LIMIT(POPPASSWD_MAX);
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	int r = fd < 0 ? QE_SYS : private_check(fd);

	if (r == 0)
		r = file_read_fd(fd, &text);
	io_close(&fd);
	if (r == 0)
		r = identity_parse_private(
		    buf_view(&text), strv_of(login), out);
	buf_free_secret(&text);
	return r;
}
