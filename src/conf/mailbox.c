/*
 * From an account and an extension to a .qmail file: the tests a home has to
 * pass, and the search from the whole extension down to "default".
 */
#include "conf/mailbox.h"
#include "base/error.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

static const char default_word[] = "default";

enum {
	DEFAULT_LEN = sizeof(default_word) - 1,
	NAME_BYTES_MAX = 1 << 18 /* more than any argument holds */
};

enum mailbox_rights
mailbox_rights(const struct user_entry *entry, uid_t euid)
{
	if (entry->uid == 0)
		return MAILBOX_IS_ROOT;
	return euid != 0 && entry->uid != euid ? MAILBOX_NOT_OURS : MAILBOX_MAY;
}

enum mailbox_home
mailbox_judge_home(const struct stat *st)
{
	if ((st->st_mode & MAILBOX_FORBIDDEN) != 0)
		return MAILBOX_HOME_WRITABLE;
	return (st->st_mode & MAILBOX_STICKY) != 0 ? MAILBOX_HOME_STICKY
						   : MAILBOX_HOME_GOOD;
}

void
mailbox_add_name(struct buf *out, const char *dash, struct strv ext)
{
	buf_add_str(out, ".qmail");
	buf_add_str(out, dash);
	for (size_t i = 0; i < ext.len; i++)
		buf_add_char(
		    out, ext.ptr[i] == '.' ? ':' : ascii_lower(ext.ptr[i]));
}

void
mailbox_search_init(struct mailbox_search *s, const char *dash, const char *ext)
{
	*s = (struct mailbox_search){ .dash = dash,
		.ext = ext,
		.name = BUF_LIMIT(NAME_BYTES_MAX),
		.untried = strlen(ext) };
}

void
mailbox_search_clear(struct mailbox_search *s)
{
	buf_free(&s->name);
}

/* The whole extension; one that ends in "default" stands for that part. */
static int
search_exact(struct mailbox_search *s)
{
	struct strv ext = strv_of(s->ext);

	s->begun = true;
	s->remainder = strv_ends_nocase(ext, strv_of(default_word))
			   ? s->ext + ext.len - DEFAULT_LEN
			   : NULL;
	mailbox_add_name(&s->name, s->dash, ext);
	return s->name.err != 0 ? QE_NOMEM : 0;
}

int
mailbox_search_next(struct mailbox_search *s)
{
	size_t prefix = s->untried;

	if (s->ended)
		return QE_EOF;
	if (!s->begun)
		return search_exact(s);
	while (prefix > 0 && s->ext[prefix - 1] != '-')
		prefix--;
	s->ended = prefix == 0;
	s->untried = prefix == 0 ? 0 : prefix - 1;
	s->remainder = s->ext + prefix;
	buf_reset(&s->name);
	mailbox_add_name(&s->name, s->dash, strv_from(s->ext, prefix));
	buf_add_str(&s->name, default_word);
	return s->name.err != 0 ? QE_NOMEM : 0;
}

bool
mailbox_error_is_temporary(int errnum)
{
	return errnum == EACCES || errnum == EPERM ||
	       error_is_temporary(errnum);
}

/* One candidate, if it is a regular file: 0, QE_ABSENT, QE_SYS. */
static int
open_regular(int dirfd, const char *name, int flags, struct mailbox *out)
{
	/* O_NONBLOCK: a FIFO of that name must not hang the delivery. */
	int fd = openat(dirfd, name, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int r = QE_ABSENT;

	if (fd < 0)
		return mailbox_error_is_temporary(errno) ? QE_SYS : QE_ABSENT;
	if (fstat(fd, &out->st) < 0)
		r = QE_SYS;
	else if (S_ISREG(out->st.st_mode))
		r = 0;
	if (r == 0)
		out->fd = fd;
	else
		io_close(&fd);
	return r;
}

int
mailbox_open(int dirfd, const char *dash, const char *ext, int flags,
    struct mailbox *out)
{
	struct mailbox_search search;
	int r;

	*out = (struct mailbox){ .fd = -1 };
	mailbox_search_init(&search, dash, ext);
	do {
		const char *name;

		r = mailbox_search_next(&search);
		if (r != 0)
			break;
		name = buf_cstr(&search.name);
		r = name == NULL ? QE_NOMEM
				 : open_regular(dirfd, name, flags, out);
	} while (r == QE_ABSENT);
	out->remainder = r == 0 ? search.remainder : NULL;
	out->name = search.name;
	return r == QE_EOF ? 0 : r;
}

void
mailbox_clear(struct mailbox *m)
{
	io_close(&m->fd);
	buf_free(&m->name);
}

/* Whoever has no rights to look cannot say that nothing is there. */
static int
look_failed(int errnum)
{
	return errnum == EACCES || errnum == EPERM ? QE_DENIED : QE_TEMP;
}

static int
look_in(int home, const struct user_entry *entry)
{
	struct mailbox m;
	struct stat st;
	int r;

	if (fstat(home, &st) < 0)
		return look_failed(errno);
	if (mailbox_judge_home(&st) != MAILBOX_HOME_GOOD)
		return QE_TEMP;
	r = mailbox_open(home, entry->dash, entry->ext, O_PATH, &m);
	if (r == QE_SYS)
		r = look_failed(errno);
	else if (r == 0 && m.fd < 0 && *entry->dash != '\0')
		r = QE_ABSENT;
	mailbox_clear(&m);
	return r;
}

int
mailbox_look(const struct user_entry *entry)
{
	int home, r;

	if (entry->uid == 0)
		return QE_TEMP;
	home = open(entry->home, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (home < 0)
		return look_failed(errno);
	r = look_in(home, entry);
	io_close(&home);
	return r;
}
