/*
 * qpasswd: adds, changes and removes the users of /etc/qpasswd, and makes
 * their homes and Maildirs (qpasswd(8)).
 *
 * Run by root, or without root for users/qpasswd of the home.  Root edits
 * /etc/qpasswd alone; what is below a section's directory is done as its
 * user.  A password comes from the terminal or standard input, never from
 * the arguments.
 */
#include "auth/qpasswd_edit.h"
#include "auth/qpasswd_home.h"
#include "base/account.h"
#include "base/die.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/io.h"
#include "base/options.h"
#include "base/program.h"
#include "base/terminal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PASSWORD_MAX = 200 }; /* bytes, so that descriptor 3 can carry it */

#define USAGE                                                                  \
	"qpasswd [-k] user | -a [-s base] user [home] | -d user | "            \
	"-n base uid gid | -l"

struct edit {
	const char *path;
	int lock;
	struct buf text, changed;
};

static void
edit_open(struct edit *e)
{
	int r;

	*e = (struct edit){ .path = QPASSWD_PATH,
		.lock = -1,
		.text = BUF_LIMIT(QPASSWD_MAX),
		.changed = BUF_LIMIT(QPASSWD_MAX) };
	if (geteuid() != 0) {
		e->path = QPASSWD_PRIVATE;
		if (chdir(program_home()) != 0)
			die_errno(
			    EX_TEMPORARY, "unable to enter %s", program_home());
	}
	if (qpasswd_lock(e->path, &e->lock) != 0)
		die_errno(EX_TEMPORARY, "unable to lock %s.lock", e->path);
	r = qpasswd_read(e->path, geteuid(), &e->text);
	if (r == QE_DENIED)
		die(EX_PERMANENT,
		    "%s: must be a file of root or its user, closed to others",
		    e->path);
	if (r != 0 && r != QE_ABSENT)
		die(EX_TEMPORARY, "%s: %s", e->path, error_result_text(r));
}

static void
edit_commit(struct edit *e)
{
	int r = qpasswd_replace(e->path, buf_view(&e->changed));

	if (r != 0)
		die(EX_TEMPORARY, "unable to write %s: %s", e->path,
		    error_result_text(r));
	io_close(&e->lock);
}

static _Noreturn void
die_result(const struct edit *e, int r, const char *there, const char *absent)
{
	if (r == QE_LIMIT)
		die(EX_PERMANENT, "%s", there);
	if (r == QE_ABSENT)
		die(EX_PERMANENT, "%s", absent);
	if (r == QE_SYNTAX)
		die(EX_PERMANENT, "%s, or what is to be added: makes no sense",
		    e->path);
	die(EX_TEMPORARY, "%s: %s", e->path, error_result_text(r));
}

/* The user as the given text has it; there must be one. */
static void
edit_find(const struct edit *e, struct strv text, const char *login,
    struct qpasswd_user *user)
{
	const struct lot lot = { .key = { 0 } };
	unsigned line = 0;
	int r = qpasswd_find(text, &lot, strv_of(login), user, &line);

	if (r == QE_SYNTAX)
		die(EX_PERMANENT, "%s line %u: makes no sense", e->path, line);
	if (r == QE_ABSENT || (r == 0 && !user->known))
		die(EX_PERMANENT, "no user %s in %s", login, e->path);
	if (r != 0)
		die(EX_TEMPORARY, "%s: %s", e->path, error_result_text(r));
	if (geteuid() != 0 && user->uid != geteuid())
		die(EX_PERMANENT, "without root all users must have uid %ld",
		    (long)geteuid());
}

static void
ask(const char *prompt, char line[PASSWORD_MAX], size_t *n)
{
	int r = terminal_read_secret(prompt, line, PASSWORD_MAX, n);

	if (r == QE_LIMIT)
		die(EX_PERMANENT, "a password has at most %d bytes",
		    PASSWORD_MAX);
	if (r == QE_EOF)
		die(EX_PERMANENT, "given up, nothing is changed");
	if (r != 0)
		die_errno(EX_TEMPORARY, "unable to read the password");
	for (size_t i = 0; i < *n; i++)
		if ((unsigned char)line[i] < 32 || line[i] == 127)
			die(EX_PERMANENT,
			    "a password has no control characters");
}

static struct strv
read_password(char line[PASSWORD_MAX])
{
	char again[PASSWORD_MAX];
	size_t n, m;

	ask("New password: ", line, &n);
	if (n == 0)
		die(EX_PERMANENT, "no password, nothing is changed");
	if (isatty(STDIN_FILENO)) {
		ask("Once more: ", again, &m);
		if (m != n || memcmp(line, again, n) != 0)
			die(EX_PERMANENT, "that was another password, nothing "
					  "is changed");
		explicit_bzero(again, sizeof again);
	}
	return strv_from(line, n);
}

static void
change(const char *login, enum qpasswd_task task)
{
	char line[PASSWORD_MAX];
	struct qpasswd_user user;
	struct edit e;

	edit_open(&e);
	edit_find(&e, buf_view(&e.text), login, &user);
	if (qpasswd_home(&user, task, read_password(line)) != 0)
		die(EX_TEMPORARY, "the password of %s is not changed", login);
	explicit_bzero(line, sizeof line);
}

static void
add(const char *base, const char *login, const char *home)
{
	char line[PASSWORD_MAX];
	struct qpasswd_user user;
	struct edit e;
	int r;

	edit_open(&e);
	r = qpasswd_add(buf_view(&e.text), strv_of(base), strv_of(login),
	    strv_of(home), &e.changed);
	if (r != 0)
		die_result(&e, r, "there is such a user already",
		    "no such section; qpasswd -n makes one");
	edit_find(&e, buf_view(&e.changed), login, &user);
	/* The home first: nobody logs in to half of it. */
	if (qpasswd_home(&user, QPASSWD_MAKE, read_password(line)) != 0)
		die(EX_TEMPORARY, "%s is not added", login);
	explicit_bzero(line, sizeof line);
	edit_commit(&e);
}

static void
remove_user(const char *login)
{
	struct qpasswd_user user;
	struct edit e;
	int r;

	edit_open(&e);
	edit_find(&e, buf_view(&e.text), login, &user);
	r = qpasswd_remove(buf_view(&e.text), strv_of(login), &e.changed);
	if (r != 0)
		die_result(&e, r, "", "no such user");
	edit_commit(&e);
	if (qpasswd_home(&user, QPASSWD_FORGET, STRV_EMPTY) != 0)
		warn("%s is removed, but its .qpasswd is left", login);
	warn("the mail of %s is left in %s", login, buf_cstr(&user.home));
}

static uint64_t
take_id(const char *word)
{
	uint64_t id;

	if (strv_to_u64(strv_of(word), UINT32_MAX - 1, &id) != 0)
		die(EX_PERMANENT, "uid and gid are numbers");
	return id;
}

/* A section, and its directory in the hands of its user. */
static void
add_section(const char *base, const char *uid_word, const char *gid_word)
{
	uid_t uid = (uid_t)take_id(uid_word);
	gid_t gid = (gid_t)take_id(gid_word);
	struct edit e;
	int r;

	edit_open(&e);
	r = qpasswd_add_section(
	    buf_view(&e.text), strv_of(base), uid, gid, &e.changed);
	if (r != 0)
		die_result(&e, r, "there is such a section already", "");
	if (mkdir(base, 0700) == 0) {
		if (geteuid() == 0 && lchown(base, uid, gid) != 0)
			die_errno(EX_TEMPORARY, "unable to give %s away", base);
	} else if (errno != EEXIST) {
		die_errno(EX_TEMPORARY, "unable to make %s", base);
	}
	edit_commit(&e);
}

static void
list(void)
{
	struct qpasswd_reader r;
	struct edit e;
	int result;

	edit_open(&e);
	qpasswd_reader_init(&r, buf_view(&e.text));
	while ((result = qpasswd_next(&r)) == 0)
		if (r.line.user.len > 0)
			printf(STRV_FMT "\n", STRV_ARG(r.line.user));
	if (result != QE_EOF)
		die(EX_PERMANENT, "%s line %u: makes no sense", e.path,
		    r.line.number);
	if (fflush(stdout) != 0)
		die_errno(EX_TEMPORARY, "unable to write");
}

static void
run(int mode, const char *base, bool keep, int count, char *const *words)
{
	if (mode == 'a' && (count == 1 || count == 2))
		add(base, words[0], words[count - 1]);
	else if (mode == 'd' && count == 1)
		remove_user(words[0]);
	else if (mode == 'n' && count == 3)
		add_section(words[0], words[1], words[2]);
	else if (mode == 'l' && count == 0)
		list();
	else if (mode == 0 && count == 1)
		change(words[0], keep ? QPASSWD_KEEP : QPASSWD_CHANGE);
	else
		die_usage(USAGE);
}

int
main(int argc, char **argv)
{
	static const struct program program = { .name = "qpasswd",
		.umask = 077 };
	const char *base = "";
	struct options options;
	bool keep = false;
	int letter, mode = 0;

	program_begin(&program);
	options_init(&options, argc, argv, "adlnks:");
	while ((letter = options_next(&options)) != -1) {
		if (letter == 's')
			base = options.arg;
		else if (letter == 'k')
			keep = true;
		else if (letter != '?' && mode == 0)
			mode = letter;
		else
			die_usage(USAGE);
	}
	run(mode, base, keep, argc - options.index, argv + options.index);
	return EX_SUCCESS;
}
