/*
 * qmail-newmrh: control/morercpthosts to control/morercpthosts.cdb.
 *
 * Run by the owner of the home.  Each line is a domain.
 */
#include "admin/listcdb.h"
#include "base/exitcode.h"
#include "base/program.h"

int
main(void)
{
	static const struct program program = { "qmail-newmrh", PROGRAM_HOME,
		022 };
	static const struct listcdb what = { .list = CTL_MORERCPTHOSTS };

	program_begin(&program);
	listcdb_make(&what);
	return EX_SUCCESS;
}
