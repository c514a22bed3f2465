/* users/assign line by line, and whether users/cdb is made of it. */
#include "admin/assign.h"
#include "admin/findings.h"
#include "base/cdb.h"
#include "base/error.h"
#include "base/file.h"

#include <errno.h>

enum { ASSIGN_MAX = 512 << 20 }; /* bytes */

static const char ASSIGN[] = "users/assign";
static const char CDB[] = "users/cdb";

static void
check_lines(struct findings *f, struct strv text)
{
	struct buf key = BUF_INIT, value = BUF_INIT;
	bool ended = false;
	char wildcard;

	for (unsigned number = 1; text.len > 0 && !ended; number++) {
		struct strv line = strv_cut(&text, '\n', NULL);

		ended = assign_is_end(line);
		buf_reset(&key);
		buf_reset(&value);
		if (!ended &&
		    assign_parse(line, &key, &value, &wildcard) == QE_SYNTAX)
			finding_problem(
			    f, "%s line %u: bad format", ASSIGN, number);
	}
	if (!ended)
		finding_problem(
		    f, "%s: the line with a dot at the end is missing", ASSIGN);
	buf_free(&key);
	buf_free(&value);
}

/* Lookups of every address need the empty key. */
static void
check_cdb(struct findings *f)
{
	struct cdb_reader *reader;
	struct strv value;

	if (cdb_reader_open(CDB, &reader) != 0)
		return; /* check_made has told */
	if (cdb_reader_find(reader, STRV_EMPTY, &value) != 0)
		finding_problem(f, "%s: damaged file; run qmail-newu", CDB);
	cdb_reader_free(&reader);
}

void
check_users(struct findings *f)
{
	struct buf text = BUF_LIMIT(ASSIGN_MAX);
	int r = file_read(ASSIGN, &text);

	if (r == 0)
		check_lines(f, buf_view(&text));
	else if (r == QE_SYS)
		finding_unseen(f, ASSIGN, errno);
	else if (r != QE_ABSENT)
		finding_problem(f, "%s: %s", ASSIGN, error_result_text(r));
	buf_free(&text);
	check_made(f, ASSIGN, CDB, "qmail-newu");
	check_cdb(f);
}
