/*
 * qmail-tcpok: forgets all timeouts.  Zeroes
 * queue/lock/tcpto of the home.
 */
#include "base/die.h"
#include "base/exitcode.h"
#include "base/program.h"
#include "spool/tcpto.h"

int
main(void)
{
	static const struct program program = { "qmail-tcpok", PROGRAM_HOME,
		077 };

	program_begin(&program);
	if (tcpto_clear() != 0)
		die_errno(EX_TEMPORARY, "unable to clear queue/lock/tcpto");
	return EX_SUCCESS;
}
