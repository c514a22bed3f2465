/*
 * bouncesaying text [program ...]: bounces the message with a text, if the
 * program says so or if there is none.
 */
#include "base/die.h"
#include "base/exitcode.h"
#include "base/program.h"
#include "local/tool.h"

#include <stdio.h>

static const struct program program = { .name = "bouncesaying",
	.flags = PROGRAM_KEEP_UMASK };

int
main(int argc, char **argv)
{
	program_begin(&program);
	if (argc < 2)
		die_usage("bouncesaying text [ program [ arg ... ] ]");
	if (argc > 2 && !tool_condition(argv + 2))
		return EX_SUCCESS;
	dprintf(2, "%s\n", argv[1]);
	return EX_PERMANENT;
}
