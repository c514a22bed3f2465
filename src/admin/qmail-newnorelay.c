/*
 * qmail-newnorelay: control/auth/norelay to control/auth/norelay.cdb.
 *
 * Run by the owner of the home.  Each line is a login that may not send.
 */
#include "admin/listcdb.h"
#include "base/exitcode.h"
#include "base/program.h"

int
main(void)
{
	static const struct program program = { "qmail-newnorelay",
		PROGRAM_HOME, 022 };
	static const struct listcdb what = { .list = CTL_AUTH_NORELAY };

	program_begin(&program);
	listcdb_make(&what);
	return EX_SUCCESS;
}
