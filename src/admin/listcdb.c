/*
 * What qmail-newmrh, qmail-newvrt and qmail-newnorelay have in common: a list
 * becomes a constant database whose keys are its lines in lower case.
 */
#include "admin/listcdb.h"
#include "base/cdb.h"
#include "base/die.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "conf/control_file.h"

#include <errno.h>
#include <stdio.h>

enum { SUFFIX_MAX = 16 };

struct names {
	const char *list;
	char final[CONTROL_PATH_MAX + SUFFIX_MAX];
	char tmp[CONTROL_PATH_MAX + SUFFIX_MAX];
};

/* "unable to <verb> <name><rest>: <reason>" */
static _Noreturn void
die_failed(struct cdb_writer **writer, int result, const char *verb,
    const char *name, const char *rest)
{
	cdb_writer_abort(writer);
	if (result == QE_NOMEM)
		die_nomem();
	die(EX_TEMPORARY, "unable to %s %s%s: %s", verb, name, rest,
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

/* The whole list, or the end of the program. */
static void
read_list(const struct listcdb *what, const struct names *names,
    struct cdb_writer **writer, struct control_set *set)
{
	struct control_error err;
	int r = control_set_load(what->list, set, &err);

	if (r == 0 && !set->present)
		die_failed(writer, QE_ABSENT, "read", names->list, "");
	for (size_t i = 0; r == 0 && i < set->count; i++)
		if (what->is_entry != NULL &&
		    !what->is_entry(set->entries[i].key)) {
			control_error_set(&err, names->list,
			    set->entries[i].line, what->complaint);
			r = QE_SYNTAX;
		}
	if (r == 0)
		return;
	cdb_writer_abort(writer);
	die(EX_TEMPORARY, "%s", err.text);
}

void
listcdb_make(const struct listcdb *what)
{
	struct cdb_writer *writer = NULL;
	struct names names;
	struct control_set set;
	int r;

	names.list = control_path(what->list);
	snprintf(names.final, sizeof(names.final), "%s.cdb", names.list);
	snprintf(names.tmp, sizeof(names.tmp), "%s.cdb.tmp", names.list);
	r = cdb_writer_open(names.tmp, 0644, &writer);
	if (r != 0)
		die_failed(&writer, r, "write", names.tmp, "");
	read_list(what, &names, &writer, &set);
	r = add_all(writer, &set);
	if (r == 0)
		r = cdb_writer_finish(writer);
	if (r != 0)
		die_failed(&writer, r, "write", names.tmp, "");
	r = cdb_writer_commit(&writer, names.final);
	if (r != 0)
		die_failed(&writer, r, "move", names.tmp, " into place");
	control_set_free(&set);
}
