/*
 * qmail-start(8): starts qmail-send's helpers, each under its own user and
 * with its own pipes, and becomes qmail-send (qmail-start(8)).
 *
 * User: root; without root all roles run under the caller's ids.  Reads
 * control/log/remote_fd and the names of users and groups.  Limits,
 * environment and signals pass through unchanged; descriptors do not, for
 * whatever root has open here would end in the programs of users, but for the
 * one of that log, which qmail-rspawn gets.
 */
#include "base/account.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/io.h"
#include "base/program.h"
#include "conf/control.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	FDS_MAX = 7, /* qmail-send's descriptors 0 to 6; pipes live above */
	GROUPS_MAX = 1024,
	LINE_MAX_BYTES = 200
};

/* The pipes, seen from qmail-send. */
enum wire {
	LOG,
	LOCAL_OUT,
	LOCAL_IN,
	REMOTE_OUT,
	REMOTE_IN,
	CLEAN_OUT,
	CLEAN_IN,
	WIRES
};

enum { READ_END, WRITE_END, ENDS };

enum who { AS_LOG, AS_ROOT, AS_REMOTE, AS_QUEUE, AS_SEND, WHO_COUNT };

/* Which end of which pipe becomes a descriptor. */
struct plug {
	enum wire wire;
	int end;
};

struct helper {
	enum who who;
	const char *program; /* NULL: the logger of the command line */
	size_t plug_count;
	struct plug plugs[2]; /* descriptors 0 and 1 */
};

static const struct helper helpers[] = {
	{AS_LOG,     NULL,           1, { { LOG, READ_END } }  },
	{ AS_ROOT,   "qmail-lspawn", 2,
         { { LOCAL_OUT, READ_END }, { LOCAL_IN, WRITE_END } }  },
	{ AS_REMOTE, "qmail-rspawn", 2,
         { { REMOTE_OUT, READ_END }, { REMOTE_IN, WRITE_END } }},
	{ AS_QUEUE,  "qmail-clean",  2,
         { { CLEAN_OUT, READ_END }, { CLEAN_IN, WRITE_END } }  },
};

static const struct plug sender_plugs[FDS_MAX] = {
	{LOG,         WRITE_END},
	{ LOCAL_OUT,  WRITE_END},
	{ LOCAL_IN,   READ_END },
	{ REMOTE_OUT, WRITE_END},
	{ REMOTE_IN,  READ_END },
	{ CLEAN_OUT,  WRITE_END},
	{ CLEAN_IN,   READ_END },
};

struct identity {
	uid_t uid;
	gid_t gid;
	size_t group_count;
	gid_t groups[GROUPS_MAX];
};

struct start {
	bool is_root;
	const char *delivery;
	char **logger; /* NULL: the log goes to standard output */
	int wires[WIRES][ENDS];
	int remote_log; /* -1: none */
	struct identity identities[WHO_COUNT];
};

static _Noreturn void
fail(void)
{
	_exit(EX_TEMPORARY);
}

/* The one failure with words; all others are silent. */
static _Noreturn void
fail_unknown(const char *kind, const char *name)
{
	struct buf line = BUF_LIMIT(LINE_MAX_BYTES);

	buf_addf(&line, "fatal: unable to find %s %s\n", kind, name);
	if (line.err == 0 && io_write_all(2, line.data, line.len) != 0)
		fail();
	fail();
}

/* qmail-rspawn has all groups that its user is a member of, too. */
static void
add_groups(struct identity *who, const char *user)
{
	gid_t groups[GROUPS_MAX];
	int count = GROUPS_MAX;

	if (getgrouplist(user, who->gid, groups, &count) < 0)
		fail();
	for (int i = 0; i < count; i++)
		if (groups[i] != who->gid && who->group_count < GROUPS_MAX)
			who->groups[who->group_count++] = groups[i];
}

static void
find_identities(struct start *s)
{
	static const enum role roles[WHO_COUNT] = {
		[AS_LOG] = ROLE_LOG,
		[AS_REMOTE] = ROLE_REMOTE,
		[AS_QUEUE] = ROLE_QUEUE,
		[AS_SEND] = ROLE_SEND,
	};

	for (int i = 0; i < WHO_COUNT; i++) {
		struct identity *who = &s->identities[i];
		const char *group =
		    i == AS_LOG ? account_group_none() : account_group_queue();
		const char *user = role_user(roles[i]);
		gid_t ignored;

		if (i != AS_ROOT &&
		    account_user(user, &who->uid, &ignored) != 0)
			fail_unknown("user", user);
		if (account_group(group, &who->gid) != 0)
			fail_unknown("group", group);
		who->groups[0] = who->gid;
		who->group_count = 1;
	}
	add_groups(&s->identities[AS_REMOTE], role_user(ROLE_REMOTE));
}

/* Both ends above all descriptors that anybody expects something in. */
static void
open_wire(int wire[ENDS])
{
	int fds[ENDS];

	if (io_pipe(fds) != 0)
		fail();
	for (int end = 0; end < ENDS; end++) {
		wire[end] = fcntl(fds[end], F_DUPFD_CLOEXEC, FDS_MAX);
		if (wire[end] < 0)
			fail();
	}
	io_close(&fds[READ_END]);
	io_close(&fds[WRITE_END]);
}

/* Without a logger qmail-send writes to our standard output. */
static void
open_wires(struct start *s)
{
	if (s->logger == NULL) {
		s->wires[LOG][READ_END] = -1;
		s->wires[LOG][WRITE_END] = fcntl(1, F_DUPFD_CLOEXEC, FDS_MAX);
		if (s->wires[LOG][WRITE_END] < 0)
			fail();
	} else {
		open_wire(s->wires[LOG]);
	}
	for (int w = LOG + 1; w < WIRES; w++)
		open_wire(s->wires[w]);
}

static _Noreturn void
run(const struct start *s, enum who who, const struct plug *plugs, size_t count,
    char *const argv[])
{
	const struct identity *as = &s->identities[who];

	for (size_t i = 0; i < count; i++)
		if (dup2(s->wires[plugs[i].wire][plugs[i].end], (int)i) < 0)
			fail();
	for (int fd = count < 2 ? 2 : (int)count; fd < FDS_MAX; fd++)
		if (fd != s->remote_log || who != AS_REMOTE)
			close(fd);
	if (s->remote_log >= FDS_MAX && who != AS_REMOTE)
		close(s->remote_log);
	if (s->is_root &&
	    account_become(as->uid, as->gid, as->groups, as->group_count) != 0)
		fail();
	execvp(argv[0], argv);
	fail();
}

/* argv of a program takes no const; the copies live until the exec. */
static void
start_helper(const struct start *s, const struct helper *helper)
{
	struct buf name = BUF_INIT, delivery = BUF_INIT;
	char *argv[3] = { NULL };
	pid_t pid;

	if (helper->program == NULL && s->logger == NULL)
		return;
	pid = fork();
	if (pid < 0)
		fail();
	if (pid > 0)
		return;
	if (helper->program == NULL)
		run(s, helper->who, helper->plugs, helper->plug_count,
		    s->logger);
	buf_add_str(&name, helper->program);
	buf_add_str(&delivery, s->delivery);
	if (buf_cstr(&name) == NULL || buf_cstr(&delivery) == NULL)
		fail();
	argv[0] = name.data;
	argv[1] = helper->who == AS_ROOT ? delivery.data : NULL;
	run(s, helper->who, helper->plugs, helper->plug_count, argv);
}

/* The descriptor of qmail-remote's log, if our caller has opened it. */
static int
find_remote_log(void)
{
	struct control_error error;
	int64_t fd;

	/* Other trouble with the home or the file is for others to tell. */
	if (chdir(program_home()) < 0 ||
	    control_int(CTL_LOG_REMOTE_FD, &fd, &error) != 0 ||
	    fd <= STDERR_FILENO || fcntl((int)fd, F_GETFD) < 0)
		return -1;
	return (int)fd;
}

static void
close_others(int kept)
{
	unsigned first = FDS_MAX;

	if (kept >= FDS_MAX) {
		if (kept > FDS_MAX &&
		    close_range(first, (unsigned)kept - 1, 0) < 0)
			fail();
		first = (unsigned)kept + 1;
	}
	if (close_range(first, ~0U, 0) < 0)
		fail();
}

int
main(int argc, char **argv)
{
	struct start start = { .is_root = geteuid() == 0,
		.delivery = argc > 1 ? argv[1] : "./Mailbox",
		.logger = argc > 2 ? argv + 2 : NULL };
	char name[] = "qmail-send";
	char *sender[] = { name, NULL };

	start.remote_log = find_remote_log();
	close_others(start.remote_log);
	if (chdir("/") < 0)
		fail();
	umask(077);
	if (start.is_root) {
		find_identities(&start);
		if (setgroups(1, &start.identities[AS_SEND].gid) < 0)
			fail();
	}
	open_wires(&start);
	for (size_t i = 0; i < sizeof(helpers) / sizeof(*helpers); i++)
		start_helper(&start, &helpers[i]);
	run(&start, AS_SEND, sender_plugs, FDS_MAX, sender);
}
