/*
 * qmail-newvrt: control/validrcptto to control/validrcptto.cdb.
 *
 * Run by the owner of the home.  Each line is an address, a whole domain
 * (@domain) or the root of extensions (-local@domain).
 */
#include "admin/listcdb.h"
#include "base/exitcode.h"
#include "base/program.h"

/* There is something on both sides of the last '@', or only behind it. */
static bool
is_entry(struct strv line)
{
	size_t at = strv_rfind(line, '@');

	if (at == STRV_NPOS || at + 1 == line.len)
		return false;
	return !strv_eq(strv_head(line, at), STRV("-"));
}

int
main(void)
{
	static const struct program program = { "qmail-newvrt", PROGRAM_HOME,
		022 };
	static const struct listcdb what = { .list = CTL_VALIDRCPTTO,
		.is_entry = is_entry,
		.complaint = "no address, @domain or -local@domain" };

	program_begin(&program);
	listcdb_make(&what);
	return EX_SUCCESS;
}
