/* Mailboxes and aliases as directories and .qmail files. */
#include "hosting/boxes.h"
#include "base/die.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/io.h"
#include "hosting/aside.h"
#include "hosting/dotfile.h"
#include "mail/maildir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void
need(int r, const struct domain *d, const char *what, struct strv local)
{
	if (r != 0)
		die(EX_TEMPORARY, "unable to %s " STRV_FMT "@%s in %s: %s",
		    what, STRV_ARG(local), d->name, d->home,
		    error_result_text(r));
}

static enum dotfile_kind
kind_of(const struct domain *d, struct strv local)
{
	enum dotfile_kind kind;

	need(dotfile_read(local, &kind, NULL), d, "look up", local);
	return kind;
}

static void
add_path(char path[PATH_MAX], const char *front, struct strv local,
    const char *behind)
{
	int n = snprintf(
	    path, PATH_MAX, "%s" STRV_FMT "%s", front, STRV_ARG(local), behind);

	if (n < 0 || n >= PATH_MAX)
		die(EX_PERMANENT, STRV_FMT ": name too long", STRV_ARG(local));
}

/* The first line of maildirsize; qmail-local counts from there. */
static int
set_quota(const char *maildir, const char *quota)
{
	char path[PATH_MAX];
	int fd, r;

	add_path(path, maildir, STRV("maildirsize"), "");
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	r = fd < 0 ? QE_SYS : 0;
	if (r == 0 && dprintf(fd, "%s\n", quota) < 0)
		r = QE_SYS;
	if (r == 0)
		r = io_sync(fd);
	io_close(&fd);
	return r;
}

static int
make_maildir(const struct box *box, char maildir[PATH_MAX])
{
	char path[PATH_MAX];
	int r;

	add_path(path, "./", box->local, "");
	add_path(maildir, "./", box->local, "/Maildir/");
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return QE_SYS;
	r = maildir_complete(maildir);
	if (r == 0 && box->quota != NULL)
		r = set_quota(maildir, box->quota);
	return r == 0 ? io_sync_dir(path) : r;
}

int
boxes_make(const struct domain *d, const void *arg)
{
	const struct box *box = arg;
	enum dotfile_kind kind = kind_of(d, box->local);
	char maildir[PATH_MAX];
	struct buf line = BUF_INIT;

	if (kind != DOTFILE_NONE && kind != DOTFILE_MAILBOX)
		die(EX_PERMANENT,
		    STRV_FMT "@%s is an alias or has instructions of its own",
		    STRV_ARG(box->local), d->name);
	need(make_maildir(box, maildir), d, "make a mailbox for", box->local);
	buf_addf(&line, "%s\n", maildir);
	need(line.err != 0 ? line.err
			   : dotfile_write(box->local, buf_view(&line)),
	    d, "make a mailbox for", box->local);
	buf_free(&line);
	return 0;
}

int
boxes_set_aside(const struct domain *d, const void *arg)
{
	const struct box *box = arg;
	struct buf aside = BUF_LIMIT(PATH_MAX);
	char path[PATH_MAX];
	int r;

	if (kind_of(d, box->local) == DOTFILE_MAILBOX)
		need(dotfile_remove(box->local), d, "remove", box->local);
	add_path(path, "./", box->local, "");
	r = aside_move(path, "", box->local, &aside);
	if (r == 0)
		printf("the mail of " STRV_FMT "@%s is in %s/%s; remove it "
		       "when nobody misses it\n",
		    STRV_ARG(box->local), d->name, d->home, aside.data);
	else if (r != QE_ABSENT)
		need(r, d, "set aside", box->local);
	buf_free(&aside);
	return 0;
}

int
boxes_point(const struct domain *d, const void *arg)
{
	const struct box *box = arg;
	enum dotfile_kind kind = kind_of(d, box->local);
	struct buf text = BUF_INIT;

	if (kind == DOTFILE_MAILBOX || kind == DOTFILE_OTHER)
		die(EX_PERMANENT,
		    STRV_FMT "@%s is a mailbox or has instructions of its own",
		    STRV_ARG(box->local), d->name);
	for (size_t i = 0; box->addresses[i] != NULL; i++)
		buf_addf(&text, "&%s\n", box->addresses[i]);
	need(text.err != 0 ? text.err
			   : dotfile_write(box->local, buf_view(&text)),
	    d, "write the alias", box->local);
	buf_free(&text);
	return 0;
}

int
boxes_unpoint(const struct domain *d, const void *arg)
{
	const struct box *box = arg;

	if (kind_of(d, box->local) != DOTFILE_ALIAS)
		die(EX_PERMANENT, STRV_FMT "@%s is no alias",
		    STRV_ARG(box->local), d->name);
	need(dotfile_remove(box->local), d, "remove the alias", box->local);
	return 0;
}

/* Names and texts are the domain's, and the terminal may be root's. */
static void
print_plain(struct strv text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		putchar(c < ' ' || c > '~' ? '?' : c);
	}
}

static void
print_addresses(struct strv text)
{
	const char *between = " to ";

	while (text.len > 0) {
		struct strv line = strv_cut(&text, '\n', NULL);

		if (line.len < 2)
			continue;
		fputs(between, stdout);
		print_plain(strv_skip(line, 1));
		between = ", ";
	}
}

static void
print_one(const struct domain *d, struct strv local)
{
	static const char *const words[] = { "", "mailbox", "alias", "other" };
	struct buf text = BUF_LIMIT(DOTFILE_MAX);
	enum dotfile_kind kind;

	need(dotfile_read(local, &kind, &text), d, "look up", local);
	if (strv_eq(local, STRV("default"))) {
		printf("catch-all\t@%s", d->name);
	} else {
		printf("%s\t", words[kind]);
		print_plain(local);
		printf("@%s", d->name);
	}
	if (kind == DOTFILE_ALIAS)
		print_addresses(buf_view(&text));
	putchar('\n');
	buf_free(&text);
}

static int
is_dotfile(const struct dirent *entry)
{
	return strv_starts(strv_of(entry->d_name), STRV(".qmail-"));
}

int
boxes_list(const struct domain *d, const void *arg)
{
	struct buf local = BUF_INIT;
	struct dirent **names;
	int n = scandir(".", &names, is_dotfile, alphasort);

	(void)arg;
	if (n < 0)
		die_errno(EX_TEMPORARY, "unable to read %s", d->home);
	for (int i = 0; i < n; i++) {
		buf_reset(&local);
		if (dotfile_local(strv_of(names[i]->d_name), &local) == 0)
			print_one(d, buf_view(&local));
		free(names[i]);
	}
	free(names);
	buf_free(&local);
	return 0;
}
