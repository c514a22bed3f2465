/* Homes and .qpasswd files, made and changed as their user. */
#include "auth/qpasswd_home.h"
#include "auth/qpasswd_edit.h"
#include "base/account.h"
#include "base/die.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/spawn.h"
#include "mail/maildir.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRETS_FILE ".qpasswd"

/* Each directory on the way that is missing. */
static void
make_directories(char *path)
{
	for (char *p = path + 1; *p != '\0'; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			die_errno(EX_TEMPORARY, "unable to make %s", path);
		*p = '/';
	}
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		die_errno(EX_TEMPORARY, "unable to make %s", path);
}

static void
write_secrets(struct strv password, bool keep)
{
	struct buf text = BUF_LIMIT(QPASSWD_SECRET_MAX);
	int r = 0;

	buf_reserve(&text, QPASSWD_SECRET_MAX);
	if (keep)
		r = qpasswd_read(SECRETS_FILE, geteuid(), &text);
	if (r != 0 && r != QE_ABSENT)
		die(EX_TEMPORARY, SECRETS_FILE ": %s", error_result_text(r));
	if (text.len > 0 && text.data[text.len - 1] != '\n')
		buf_add_char(&text, '\n');
	buf_add_view(&text, password);
	buf_add_char(&text, '\n');
	if (text.err != 0)
		die(EX_TEMPORARY, SECRETS_FILE ": too many passwords");
	r = qpasswd_replace(SECRETS_FILE, buf_view(&text));
	buf_free_secret(&text);
	if (r != 0)
		die(EX_TEMPORARY, "unable to write " SECRETS_FILE ": %s",
		    error_result_text(r));
}

static _Noreturn void
work(struct qpasswd_user *user, enum qpasswd_task task, struct strv password)
{
	umask(077);
	if (geteuid() == 0 &&
	    account_become(user->uid, user->gid, &user->gid, 1) != 0)
		die_errno(
		    EX_TEMPORARY, "unable to become uid %ld", (long)user->uid);
	if (task == QPASSWD_MAKE)
		make_directories(user->home.data);
	if (chdir(user->home.data) != 0)
		die_errno(EX_TEMPORARY, "unable to enter %s", user->home.data);
	if (task == QPASSWD_MAKE && maildir_complete("Maildir") != 0)
		die_errno(
		    EX_TEMPORARY, "unable to make %s/Maildir", user->home.data);
	if (task != QPASSWD_FORGET)
		write_secrets(password, task == QPASSWD_KEEP);
	else if (unlink(SECRETS_FILE) != 0 && errno != ENOENT)
		die_errno(EX_TEMPORARY, "unable to remove " SECRETS_FILE);
	_exit(0);
}

int
qpasswd_home(
    struct qpasswd_user *user, enum qpasswd_task task, struct strv password)
{
	int status = 0;
	pid_t pid;

	if (buf_cstr(&user->home) == NULL)
		return QE_TEMP;
	pid = fork();
	if (pid == 0)
		work(user, task, password);
	if (pid < 0) {
		warn("unable to fork: %s", error_text(errno));
		return QE_TEMP;
	}
	if (spawn_wait(pid, &status) != 0 || spawn_exit_code(status) != 0)
		return QE_TEMP;
	return 0;
}
