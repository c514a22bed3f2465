/*
 * qmail-newu: users/assign to users/cdb (qmail-users(5)).
 *
 * Run by the owner of the home.  Readers see the old file or the new one,
 * never half of one.  Reads users/assign, writes users/cdb.tmp, users/cdb.
 */
#include "admin/assign.h"
#include "base/buf.h"
#include "base/cdb.h"
#include "base/die.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/file.h"
#include "base/io.h"
#include "base/program.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { ASSIGN_MAX = 512 << 20 }; /* bytes of users/assign */

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

/* One assignment: 0, QE_SYNTAX, or why the writer failed. */
static int
add_line(struct cdb_writer *writer, struct strv line, struct buf *wildcards)
{
	struct buf key = BUF_INIT, value = BUF_INIT;
	char wildcard;
	int r = assign_parse(line, &key, &value, &wildcard);

	if (r == 0 && wildcard != '\0' &&
	    strv_find(buf_view(wildcards), wildcard) == STRV_NPOS)
		buf_add_char(wildcards, wildcard);
	if (r == 0)
		r = wildcards->err;
	if (r == 0)
		r = cdb_writer_add(writer, buf_view(&key), buf_view(&value));
	buf_free(&key);
	buf_free(&value);
	return r;
}

/* All lines up to the one that starts with a dot. */
static int
add_all(struct cdb_writer *writer, struct strv text)
{
	struct buf wildcards = BUF_INIT;
	int r = QE_SYNTAX; /* unless the final dot comes */

	while (text.len > 0) {
		struct strv line = strv_cut(&text, '\n', NULL);

		if (assign_is_end(line)) {
			r = cdb_writer_add(
			    writer, STRV_EMPTY, buf_view(&wildcards));
			break;
		}
		r = add_line(writer, line, &wildcards);
		if (r != 0)
			break;
		r = QE_SYNTAX;
	}
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
