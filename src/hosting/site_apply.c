/*
 * How a change of text files reaches those that read databases, and
 * qmail-send.
 */
#include "base/cdb.h"
#include "base/die.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/file.h"
#include "base/spawn.h"
#include "conf/logins.h"
#include "hosting/site.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { LOCKS_MAX = 4 << 20 /* bytes of /proc/locks */ };

#define SENDMUTEX  "queue/lock/sendmutex"
#define LOGINS_NEW "users/mailboxes.tmp"

void
site_compile_users(void)
{
	char path[] = "bin/qmail-newu";
	char *argv[] = { path, NULL };
	const struct spawn s = {
		.path = path, .argv = argv, .fds = {0, 1, 2},
                        .fd_count = 3
	};
	int status = 0;
	pid_t pid;

	if (spawn_program(&s, &pid) != 0 || spawn_wait(pid, &status) != 0)
		die_errno(EX_TEMPORARY, "unable to run %s", path);
	if (spawn_exit_code(status) != 0)
		die(EX_TEMPORARY,
		    "%s failed; %s stands as changed, users/cdb as before",
		    path, SITE_ASSIGN);
}

/* Those that stand in for unknown addresses (conf/logins.h). */
struct standins {
	struct lot lot;
	struct {
		struct strv line; /* empty: nobody yet */
		uint64_t distance;
	} next[LOGINS_STANDINS];
};

static void
consider(struct standins *s, struct strv line, struct strv address)
{
	uint64_t drawn = lot_draw(&s->lot, address);

	for (unsigned i = 0; i < LOGINS_STANDINS; i++) {
		uint64_t distance = drawn - login_standin_place(i);

		if (s->next[i].line.len > 0 && distance >= s->next[i].distance)
			continue;
		s->next[i].line = line;
		s->next[i].distance = distance;
	}
}

static int
add_record(struct cdb_writer *writer, struct strv line, struct standins *s,
    struct buf *key, struct buf *value)
{
	int r;

	buf_reset(key);
	buf_reset(value);
	r = login_parse_line(line, key, value);
	if (r != 0)
		return r;
	consider(s, line, buf_view(key));
	return cdb_writer_add(writer, buf_view(key), buf_view(value));
}

static int
add_standins(struct cdb_writer *writer, const struct standins *s,
    struct buf *key, struct buf *value)
{
	int r = 0;

	for (unsigned i = 0; r == 0 && i < LOGINS_STANDINS; i++) {
		if (s->next[i].line.len == 0)
			return 0;
		buf_reset(key);
		buf_reset(value);
		r = login_parse_line(s->next[i].line, key, value);
		buf_reset(key);
		login_standin_key(i, key);
		if (r == 0)
			r = key->err;
		if (r == 0)
			r = cdb_writer_add(
			    writer, buf_view(key), buf_view(value));
	}
	return r;
}

static int
add_logins(struct cdb_writer *writer, struct strv text, unsigned *number)
{
	struct buf key = BUF_LIMIT(LOGIN_LINE_MAX);
	struct buf value = BUF_LIMIT(LOGIN_LINE_MAX);
	struct standins standins = { .next[0].distance = 0 };
	int r = 0;

	lot_init(&standins.lot);
	while (r == 0 && text.len > 0) {
		struct strv line = strv_cut(&text, '\n', NULL);

		++*number;
		if (line.len == 0 || line.ptr[0] == '#')
			continue;
		r = add_record(writer, line, &standins, &key, &value);
	}
	if (r == 0)
		r = add_standins(writer, &standins, &key, &value);
	buf_free(&key);
	buf_free_secret(&value);
	return r;
}

void
site_compile_logins(void)
{
	struct cdb_writer *writer = NULL;
	unsigned number = 0;
	struct lines lines;
	int r;

	site_load(LOGINS_TEXT, 0600, &lines);
	r = cdb_writer_open(LOGINS_NEW, 0600, &writer);
	if (r == 0)
		r = add_logins(writer, buf_view(&lines.text), &number);
	lines_free(&lines);
	if (r == 0)
		r = cdb_writer_commit(&writer, LOGINS_CDB);
	if (r == 0)
		return;
	cdb_writer_abort(&writer);
	if (r == QE_SYNTAX || r == QE_LIMIT)
		die(EX_TEMPORARY,
		    "%s line %u: not \"address:hash:uid:gid:home\"; %s stays "
		    "as it is",
		    LOGINS_TEXT, number, LOGINS_CDB);
	die(EX_TEMPORARY, "unable to write %s: %s", LOGINS_CDB,
	    error_result_text(r));
}

/* A line of /proc/locks (proc(5)): the process, if the lock is on this file. */
static pid_t
holder(struct strv line, const struct stat *st)
{
	char text[256];
	unsigned major_number, minor_number;
	unsigned long inode;
	int pid;

	snprintf(text, sizeof(text), STRV_FMT, STRV_ARG(line));
	if (sscanf(text, "%*u: FLOCK %*s WRITE %d %x:%x:%lu", &pid,
		&major_number, &minor_number, &inode) != 4)
		return 0;
	return inode == st->st_ino && major_number == major(st->st_dev) &&
		       minor_number == minor(st->st_dev) && pid > 0
		   ? pid
		   : 0;
}

/* Whoever holds queue/lock/sendmutex is qmail-send; 0: nobody. */
static pid_t
find_send(void)
{
	struct buf text = BUF_LIMIT(LOCKS_MAX);
	struct stat st;
	struct strv rest;
	pid_t pid = 0;

	if (stat(SENDMUTEX, &st) == 0 && file_read("/proc/locks", &text) == 0)
		for (rest = buf_view(&text); pid == 0 && rest.len > 0;)
			pid = holder(strv_cut(&rest, '\n', NULL), &st);
	buf_free(&text);
	return pid;
}

void
site_reload_send(void)
{
	pid_t pid = find_send();

	if (pid == 0)
		warn("qmail-send does not run; it will see the change when it "
		     "starts");
	else if (kill(pid, SIGHUP) < 0)
		warn("unable to send HUP to qmail-send (pid %ld): %s; it needs "
		     "one to see the change",
		    (long)pid, error_text(errno));
}
