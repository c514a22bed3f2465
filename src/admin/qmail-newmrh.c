/*
 * qmail-newmrh: control/morercpthosts to control/morercpthosts.cdb.
 *
 * Run by the owner of the home.  Each line is a key in lower case with no
 * data.  Servers see the old file or the new one.
 */
#include "base/cdb.h"
#include "base/die.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/program.h"
#include "conf/control.h"

#include <errno.h>
#include <stdlib.h>

static const char TMP[] = "control/morercpthosts.cdb.tmp";
static const char FINAL[] = "control/morercpthosts.cdb";

static _Noreturn void
die_failed(struct cdb_writer **writer, int result, const char *what)
{
	cdb_writer_abort(writer);
	if (result == QE_NOMEM)
		die_nomem();
	die(EX_TEMPORARY, "unable to %s: %s", what,
	    result == QE_ABSENT ? error_text(ENOENT)
				: error_result_text(result));
}

static int
add_all(struct cdb_writer *writer, const struct control_set *set)
{
	struct buf key = BUF_INIT;
	int r = 0;

	for (size_t i = 0; r == 0 && i < set->count; i++) {
		buf_reset(&key);
		buf_add_lower(&key, set->entries[i].key);
		r = key.err != 0
			? key.err
			: cdb_writer_add(writer, buf_view(&key), STRV_EMPTY);
	}
	buf_free(&key);
	return r;
}

int
main(void)
{
	static const struct program program = { "qmail-newmrh", PROGRAM_HOME,
		022 };
	struct cdb_writer *writer = NULL;
	struct control_set set;
	struct control_error err;
	int r;

	program_begin(&program);
	r = cdb_writer_open(TMP, 0644, &writer);
	if (r != 0)
		die_failed(&writer, r, "write control/morercpthosts.cdb.tmp");
	r = control_set_load(CTL_MORERCPTHOSTS, &set, &err);
	if (r == 0 && !set.present)
		die_failed(&writer, QE_ABSENT, "read control/morercpthosts");
	if (r != 0) {
		cdb_writer_abort(&writer);
		die(EX_TEMPORARY, "%s", err.text);
	}
	r = add_all(writer, &set);
	if (r == 0)
		r = cdb_writer_finish(writer);
	if (r != 0)
		die_failed(&writer, r, "write control/morercpthosts.cdb.tmp");
	r = cdb_writer_commit(&writer, FINAL);
	if (r != 0)
		die_failed(&writer, r,
		    "move control/morercpthosts.cdb.tmp into place");
	control_set_free(&set);
	return EX_SUCCESS;
}
