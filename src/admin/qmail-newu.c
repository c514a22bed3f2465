/*
 * qmail-newu: users/assign to users/cdb (interface spec 5.5).
 *
 * Run by the owner of the home.  Readers see the old file or the new one,
 * never half of one.  Reads users/assign, writes users/cdb.tmp, users/cdb.
 */
#include "base/buf.h"
#include "base/cdb.h"
#include "base/die.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/file.h"
#include "base/io.h"
#include "base/program.h"
#include "conf/users.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	ASSIGN_MAX = 512 << 20, /* bytes of users/assign */
	VALUE_COLONS = 6
};

static _Noreturn void
die_failed(struct cdb_writer **writer, int result, const char *what)
{
	cdb_writer_abort(writer);
	die(EX_TEMPORARY, "%s", result == QE_NOMEM ? "out of memory" : what);
}

static int
open_assign(struct cdb_writer **writer)
{
	int fd = open("users/assign", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		die_failed(writer, QE_SYS, "unable to open users/assign");
	return fd;
}

/*
 * user:uid:gid:homedir:dash:ext: to the same with NULs, none at the end.
 * False if a colon is missing or an id is no number.
 */
static bool
make_value(struct strv text, struct buf *out)
{
	struct user_entry entry;
	bool colon = true;
	int r;

	for (int i = 0; i < VALUE_COLONS; i++) {
		if (i > 0)
			buf_add_char(out, '\0');
		buf_add_view(out, strv_cut(&text, ':', &colon));
		if (!colon)
			return false;
	}
	r = users_parse(buf_view(out), &entry);
	if (r == 0)
		user_entry_free(&entry);
	return r != QE_SYNTAX;
}

static void
note_wildcard(struct buf *wildcards, struct strv local)
{
	char last;

	if (local.len == 0)
		return;
	last = ascii_lower(local.ptr[local.len - 1]);
	if (strv_find(buf_view(wildcards), last) == STRV_NPOS)
		buf_add_char(wildcards, last);
}

/* One assignment: 0, QE_SYNTAX, or why the writer failed. */
static int
add_line(struct cdb_writer *writer, struct strv line, struct buf *wildcards)
{
	struct buf key = BUF_INIT, value = BUF_INIT;
	struct strv local = strv_skip(line, 1);
	bool wild = line.len > 0 && line.ptr[0] == '+';
	bool colon;
	int r = QE_SYNTAX;

	local = strv_cut(&local, ':', &colon);
	if (line.len > 0 && colon && strv_find(line, '\0') == STRV_NPOS &&
	    make_value(strv_skip(line, local.len + 2), &value)) {
		buf_add_char(&key, '!');
		buf_add_lower(&key, local);
		if (wild)
			note_wildcard(wildcards, local);
		else
			buf_add_char(&key, '\0');
		r = key.err != 0 || value.err != 0 || wildcards->err != 0
			? QE_NOMEM
			: cdb_writer_add(
			      writer, buf_view(&key), buf_view(&value));
	}
	buf_free(&key);
	buf_free(&value);
	return r;
}

/* All lines up to the one that starts with a dot. */
static int
add_all(struct cdb_writer *writer, struct strv text)
{
	struct buf wildcards = BUF_INIT;
	struct strv line = STRV_EMPTY;
	int r = QE_SYNTAX;

	while (text.len > 0) {
		line = strv_cut(&text, '\n', NULL);
		if (line.len > 0 && line.ptr[0] == '.')
			break;
		r = add_line(writer, line, &wildcards);
		if (r != 0)
			break;
		r = QE_SYNTAX; /* unless the final dot comes */
	}
	if (line.len > 0 && line.ptr[0] == '.')
		r = cdb_writer_add(writer, STRV_EMPTY, buf_view(&wildcards));
	buf_free(&wildcards);
	return r;
}

int
main(void)
{
	static const struct program program = { "qmail-newu", 0, 022 };
	struct buf assign = BUF_LIMIT(ASSIGN_MAX);
	struct cdb_writer *writer = NULL;
	int fd, r;

	program_begin(&program);
	if (chdir(program_home()) < 0)
		die(EX_TEMPORARY, "unable to chdir");
	fd = open_assign(&writer);
	io_close(&fd);
	r = cdb_writer_open("users/cdb.tmp", 0644, &writer);
	if (r != 0)
		die_failed(&writer, r, "unable to open users/cdb.tmp");
	/* Only now, with the other writers locked out, it is the newest. */
	fd = open_assign(&writer);
	r = file_read_fd(fd, &assign);
	if (r != 0)
		die_failed(&writer, r, "unable to read users/assign");
	r = add_all(writer, buf_view(&assign));
	if (r != 0)
		die_failed(&writer, r,
		    r == QE_SYNTAX ? "bad format in users/assign"
				   : "unable to write users/cdb.tmp");
	r = cdb_writer_finish(writer);
	if (r != 0)
		die_failed(&writer, r, "unable to write users/cdb.tmp");
	r = cdb_writer_commit(&writer, "users/cdb");
	if (r != 0)
		die_failed(
		    &writer, r, "unable to move users/cdb.tmp to users/cdb");
	buf_free(&assign);
	return EX_SUCCESS;
}
