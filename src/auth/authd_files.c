/*
 * The files of qmail-authd.  They are changed by being replaced; what stat(2)
 * says tells the old one from the new one, and needs no right to read.
 */
#include "auth/authd_files.h"
#include "base/die.h"
#include "base/error.h"
#include "base/io.h"
#include "conf/logins.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

void
authd_files_init(struct authd_files *f, bool by_root)
{
	*f = (struct authd_files){
		.homes.path = by_root ? QPASSWD_PATH : QPASSWD_PRIVATE,
		.mailboxes.path = LOGINS_CDB,
		.text = BUF_LIMIT(QPASSWD_MAX),
	};
	lot_init(&f->lot);
}

void
authd_files_free(struct authd_files *f)
{
	qpasswd_index_free(&f->index);
	buf_free(&f->text);
	cdb_reader_free(&f->hashes);
}

static int
look(const char *path, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	return stat(path, st) == 0 ? 0 : errno;
}

static bool
is_same(const struct authd_file *file, int error, const struct stat *st)
{
	return file->looked && file->error == error &&
	       file->st.st_ino == st->st_ino && file->st.st_dev == st->st_dev &&
	       file->st.st_size == st->st_size &&
	       file->st.st_ctim.tv_sec == st->st_ctim.tv_sec &&
	       file->st.st_ctim.tv_nsec == st->st_ctim.tv_nsec;
}

/* True if it is to be loaded.  What changes after this look is news again. */
static bool
look_again(struct authd_file *file)
{
	struct stat st;
	int error = look(file->path, &st);

	if (is_same(file, error, &st))
		return false;
	file->looked = true;
	file->error = error;
	file->st = st;
	return true;
}

static void
say(const struct authd_file *file, int result)
{
	if (result == QE_DENIED)
		warn("%s: must be a file of root or its user, closed to others",
		    file->path);
	else if (result != 0 && result != QE_ABSENT)
		warn("%s: %s", file->path, error_result_text(result));
}

static void
load_homes(struct authd_files *f)
{
	unsigned line = 0;
	int r;

	qpasswd_index_free(&f->index);
	buf_reset(&f->text);
	r = qpasswd_read(f->homes.path, geteuid(), &f->text);
	say(&f->homes, r);
	if (r == 0) {
		r = qpasswd_index_make(
		    buf_view(&f->text), &f->lot, &f->index, &line);
		if (r != 0)
			warn("%s line %u: %s", f->homes.path, line,
			    error_result_text(r));
	}
	f->homes.result = r;
}

/* Hashes that others can read are theirs to guess at. */
static int
open_hashes(const struct authd_file *file, struct cdb_reader **out)
{
	const struct stat *st = &file->st;

	if (file->error == 0 &&
	    ((st->st_mode & 027) != 0 ||
		(st->st_uid != geteuid() && st->st_uid != 0)))
		return QE_DENIED;
	return cdb_reader_open(file->path, out);
}

static void
load_mailboxes(struct authd_files *f)
{
	cdb_reader_free(&f->hashes);
	f->mailboxes.result = open_hashes(&f->mailboxes, &f->hashes);
	say(&f->mailboxes, f->mailboxes.result);
}

bool
authd_files_load(struct authd_files *f)
{
	bool homes = look_again(&f->homes);
	bool mailboxes = look_again(&f->mailboxes);

	if (homes)
		load_homes(f);
	if (mailboxes)
		load_mailboxes(f);
	return homes || mailboxes;
}

static enum authd_news
news_of(const struct authd_file *file)
{
	struct stat st;
	int error = look(file->path, &st);

	if (is_same(file, error, &st))
		return AUTHD_SAME;
	if (error == 0 || error == ENOENT)
		return AUTHD_CHANGED;
	warn("unable to look at %s: %s", file->path, error_text(error));
	return AUTHD_UNSEEN;
}

enum authd_news
authd_files_news(const struct authd_files *f)
{
	enum authd_news homes = news_of(&f->homes);
	enum authd_news mailboxes = news_of(&f->mailboxes);

	return homes == AUTHD_SAME ? mailboxes : homes;
}

bool
authd_files_owner(const struct authd_files *f, uid_t *uid, gid_t *gid)
{
	struct qpasswd_user user;

	if (f->index.count == 0 ||
	    qpasswd_set_user(&f->index.first, true, &user) != 0)
		return false;
	*uid = user.uid;
	*gid = user.gid;
	qpasswd_user_free(&user);
	return true;
}
