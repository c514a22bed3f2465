/*
 * condredirect address program ...: asks the program; if it says yes, sends
 * the message to the address instead and has qmail-local skip the following
 * lines.
 */
#include "base/die.h"
#include "base/exitcode.h"
#include "base/program.h"
#include "local/tool.h"
#include "local/tool_forward.h"

#include <unistd.h>

static const struct program program = { .name = "condredirect",
	.flags = PROGRAM_FD0 | PROGRAM_KEEP_UMASK };

int
main(int argc, char **argv)
{
	char *addresses[] = { NULL, NULL };
	struct strv sender;

	program_begin(&program);
	if (argc < 3)
		die_usage("condredirect address program [ arg ... ]");
	sender = tool_variable("SENDER");
	tool_variable("DTLINE");
	if (!tool_condition(argv + 2))
		return EX_SUCCESS;
	if (lseek(0, 0, SEEK_SET) != 0)
		die_errno(EX_TEMPORARY, "unable to rewind message");
	addresses[0] = argv[1];
	tool_forward(sender, addresses);
	return EX_SKIP_REST;
}
