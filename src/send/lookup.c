/* The look-up process and its codec; see the header. */
#include "send/lookup.h"
#include "base/account.h"
#include "base/die.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	MESSAGE_MAX = 32768, /* an address, a home and a few numbers */
	CHILD_FD = 3
};

void
lookup_init(struct lookup *l)
{
	*l = (struct lookup){ .fd = -1 };
}

void
lookup_require_ids(struct lookup *l)
{
	gid_t own_group;

	l->drop_rights = geteuid() == 0;
	if (!l->drop_rights)
		return;
	if (account_user(role_user(ROLE_PASSWD), &l->uid, &own_group) != 0)
		die(EX_TEMPORARY, "unable to find user %s",
		    role_user(ROLE_PASSWD));
	if (account_group(account_group_none(), &l->gid) != 0)
		die(EX_TEMPORARY, "unable to find group %s",
		    account_group_none());
}

void
lookup_encode(int code, const struct user_entry *entry, struct buf *answer)
{
	const char *const texts[] = { entry->home, entry->dash };

	buf_add_char(answer, (char)(unsigned char)code);
	if (code != 0)
		return;
	buf_add_str(answer, entry->user);
	buf_add_char(answer, '\0');
	buf_add_u64(answer, entry->uid);
	buf_add_char(answer, '\0');
	buf_add_u64(answer, entry->gid);
	buf_add_char(answer, '\0');
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		buf_add_str(answer, texts[i]);
		buf_add_char(answer, '\0');
	}
	buf_add_str(answer, entry->ext);
}

int
lookup_decode(struct strv answer, int *code, struct user_entry *out)
{
	int r = 0;

	if (answer.len == 0)
		return QE_SYNTAX;
	if (answer.ptr[0] == 0)
		r = users_parse(strv_skip(answer, 1), out);
	else if (answer.len != 1)
		r = QE_SYNTAX;
	if (r == 0)
		*code = (unsigned char)answer.ptr[0];
	return r;
}

static int
find_code(struct strv local, struct user_entry *entry)
{
	switch (users_find_account(local, entry)) {
	case 0:
		return 0;
	case QE_ABSENT:
		return QL_NO_ALIAS;
	case QE_NOMEM:
		return QL_LSPAWN_NOMEM;
	default:
		/* The name service shows as ETXTBSY, a home by its own errno */
		return errno == ETXTBSY ? QL_LSPAWN_TEMP : QL_NFS;
	}
}

/* False when nobody listens any more. */
static bool
serve_one(void)
{
	char question[MESSAGE_MAX];
	struct user_entry entry = { .bytes = BUF_INIT };
	struct buf answer = BUF_LIMIT(MESSAGE_MAX);
	ssize_t got = recv(CHILD_FD, question, sizeof(question), 0);
	ssize_t did;
	int code;

	if (got <= 0)
		return got < 0 && errno == EINTR;
	code = find_code(strv_from(question, (size_t)got), &entry);
	lookup_encode(code, &entry, &answer);
	if (answer.err != 0) {
		buf_reset(&answer);
		lookup_encode(QL_LSPAWN_NOMEM, &entry, &answer);
	}
	did = send(CHILD_FD, answer.data, answer.len, MSG_NOSIGNAL);
	user_entry_free(&entry);
	buf_free(&answer);
	return did >= 0;
}

/*
 * Nothing of the parent's is kept: not the messages it has open as root, not
 * the pipe whose end tells qmail-send that we are gone.
 */
static _Noreturn void
child(const struct lookup *l, int fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t none;

	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 ||
	    (fd != CHILD_FD && dup3(fd, CHILD_FD, O_CLOEXEC) < 0) ||
	    io_close_from(CHILD_FD + 1) != 0)
		_exit(EX_TEMPORARY);
	if (l->drop_rights && account_become(l->uid, l->gid, &l->gid, 1) != 0)
		_exit(EX_TEMPORARY);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (serve_one())
		continue;
	_exit(EX_SUCCESS);
}

int
lookup_start(struct lookup *l)
{
	int ends[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return QE_SYS;
	pid = fork();
	if (pid == 0)
		child(l, ends[1]);
	io_close(&ends[1]);
	if (pid < 0) {
		io_close(&ends[0]);
		return QE_SYS;
	}
	l->pid = pid;
	l->fd = ends[0];
	return 0;
}

void
lookup_stop(struct lookup *l)
{
	if (l->pid > 0)
		kill(l->pid, SIGKILL);
	l->pid = 0;
	io_close(&l->fd);
}

static int
ask_once(struct lookup *l, struct strv local)
{
	if (l->fd < 0 && lookup_start(l) != 0)
		return QE_SYS;
	/* The socket is empty: one question at a time. */
	if (send(l->fd, local.ptr, local.len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return QE_SYS;
	return 0;
}

int
lookup_ask(struct lookup *l, struct strv local)
{
	if (ask_once(l, local) == 0)
		return 0;
	/* It has died since the last question. */
	lookup_stop(l);
	return ask_once(l, local);
}

int
lookup_answer(struct lookup *l, int *code, struct user_entry *out)
{
	char answer[MESSAGE_MAX];
	ssize_t got =
	    recv(l->fd, answer, sizeof(answer), MSG_DONTWAIT | MSG_TRUNC);

	if (got <= 0)
		return QE_EOF;
	if ((size_t)got > sizeof(answer))
		return QE_SYNTAX;
	return lookup_decode(strv_from(answer, (size_t)got), code, out);
}
