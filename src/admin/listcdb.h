/* From a list below control/ to the constant database beside it. */
#ifndef ADMIN_LISTCDB_H
#define ADMIN_LISTCDB_H

#include "conf/control.h"

#include <stdbool.h>

struct listcdb {
	enum ctl list; /* its database has the same name and ".cdb" */
	bool (*is_entry)(struct strv line); /* NULL: every line is one */
	const char *complaint;              /* about a line that is none */
};

/*
 * Writes the database, one key in lower case without data for each line, and
 * puts it in place; servers see the old one or the new one.  Ends the program
 * with a message if anything goes wrong; then the old one stays.
 */
void listcdb_make(const struct listcdb *what);

#endif
