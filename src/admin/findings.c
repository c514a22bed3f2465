/* Collects what is wrong, one line each, and counts it. */
#include "admin/findings.h"
#include "base/cdb.h"
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

enum { FINDING_MAX = 512 };

void
finding_problem(struct findings *f, const char *format, ...)
{
	char line[FINDING_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	buf_addf(&f->text, "%s\n", line);
	f->problems++;
}

void
finding_unseen(struct findings *f, const char *path, int errnum)
{
	buf_addf(&f->text, "%s: %s\n", path, error_text(errnum));
	if (errnum == ENOENT || errnum == ENOTDIR)
		f->problems++;
	else
		f->unseen++;
}

static bool
is_newer(const struct stat *a, const struct stat *b)
{
	if (a->st_mtim.tv_sec != b->st_mtim.tv_sec)
		return a->st_mtim.tv_sec > b->st_mtim.tv_sec;
	return a->st_mtim.tv_nsec > b->st_mtim.tv_nsec;
}

void
check_made(
    struct findings *f, const char *source, const char *cdb, const char *tool)
{
	struct stat from, made;
	struct cdb_reader *reader = NULL;
	int r;

	if (stat(source, &from) < 0) {
		if (errno != ENOENT)
			finding_unseen(f, source, errno);
		else if (stat(cdb, &made) == 0)
			finding_problem(f, "%s: there is no %s", cdb, source);
		return;
	}
	if (stat(cdb, &made) < 0 && errno == ENOENT) {
		finding_problem(f, "%s: does not exist; run %s", cdb, tool);
		return;
	}
	r = cdb_reader_open(cdb, &reader);
	if (r == QE_SYS)
		finding_unseen(f, cdb, errno);
	else if (r != 0)
		finding_problem(
		    f, "%s: %s; run %s", cdb, error_result_text(r), tool);
	else if (is_newer(&from, &made))
		finding_problem(
		    f, "%s: older than %s; run %s", cdb, source, tool);
	cdb_reader_free(&reader);
}
