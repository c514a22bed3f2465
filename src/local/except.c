/* except program ...: turns a yes into a bounce and a no into success. */
#include "base/die.h"
#include "base/exitcode.h"
#include "base/program.h"
#include "local/tool.h"

static const struct program program = { .name = "except",
	.flags = PROGRAM_KEEP_UMASK };

int
main(int argc, char **argv)
{
	program_begin(&program);
	if (argc < 2)
		die_usage("except program [ arg ... ]");
	return tool_condition(argv + 1) ? EX_PERMANENT : EX_SUCCESS;
}
