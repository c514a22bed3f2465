/* Clients that may relay because they have fetched their mail; see header. */
#include "conf/opensmtp.h"
#include "base/error.h"
#include "base/net.h"

#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

int
opensmtp_path(struct strv directory, struct strv ip, struct buf *out)
{
	struct ipaddr address;
	char text[IPADDR_TEXT_MAX];

	if (ipaddr_parse(ip, &address) != 0)
		return QE_SYNTAX;
	ipaddr_format(&address, text);
	buf_add_view(out, directory);
	buf_add_char(out, '/');
	buf_add_str(out, text);
	return out->err != 0 ? QE_NOMEM : 0;
}

/* A stamp from the future is no login: some clock was wrong. */
static int
judge(const struct stat *st, int64_t lifetime, int64_t now)
{
	int64_t stamp = (int64_t)st->st_mtime;

	if (!S_ISREG(st->st_mode) || stamp <= now - lifetime ||
	    stamp >= now + lifetime)
		return QE_ABSENT;
	return 0;
}

/* No such file: of this client, or is the whole directory missing? */
static int
explain_absence(const char *path, size_t directory_len)
{
	struct buf copy = BUF_LIMIT(PATH_MAX);
	int r = QE_NOMEM;

	buf_add(&copy, path, directory_len);
	if (buf_cstr(&copy) != NULL)
		r = access(copy.data, X_OK) == 0 ? QE_ABSENT : QE_SYS;
	buf_free(&copy);
	return r;
}

int
opensmtp_find(
    struct strv directory, struct strv ip, int64_t lifetime, int64_t now)
{
	struct buf path = BUF_LIMIT(PATH_MAX);
	struct stat st;
	int r = opensmtp_path(directory, ip, &path);

	if (r == 0 && buf_cstr(&path) == NULL)
		r = QE_NOMEM;
	if (r == 0) {
		if (lstat(path.data, &st) == 0)
			r = judge(&st, lifetime, now);
		else if (errno == ENOENT)
			r = explain_absence(path.data, directory.len);
		else
			r = QE_SYS;
	}
	buf_free(&path);
	return r;
}
