/*
 * forward address ...: sends the message on descriptor 0 to new recipients,
 * with the Delivered-To line and the sender that qmail-local provides.
 */
#include "base/die.h"
#include "base/exitcode.h"
#include "base/program.h"
#include "local/tool.h"
#include "local/tool_forward.h"

static const struct program program = { .name = "forward",
	.flags = PROGRAM_FD0 | PROGRAM_KEEP_UMASK };

int
main(int argc, char **argv)
{
	program_begin(&program);
	if (argc < 2)
		die_usage("forward address ...");
	tool_forward(tool_variable("NEWSENDER"), argv + 1);
	return EX_SUCCESS;
}
