/* Helpers of forward, condredirect, bouncesaying, except and preline. */
#include "local/tool.h"
#include "base/die.h"
#include "base/env.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/spawn.h"

#include <errno.h>
#include <stdlib.h>

struct strv
tool_variable(const char *name)
{
	const char *value = env_get(name);

	if (value == NULL)
		die(EX_PERMANENT, "%s not set", name);
	return strv_of(value);
}

int
tool_run(char *const *argv)
{
	volatile int start_error = 0;
	const struct spawn s = {
		.path = argv[0],
		.argv = argv,
		.fds = {0, 1, 2},
		.fd_count = 3,
		.start_error = &start_error
	};
	int status, code;
	pid_t pid;

	if (spawn_program(&s, &pid) != 0)
		die_errno(EX_TEMPORARY, "unable to fork");
	if (spawn_wait(pid, &status) != 0)
		die_errno(EX_TEMPORARY, "unable to wait");
	if (start_error != 0) {
		errno = start_error;
		die_errno(EX_TEMPORARY, "unable to run %s", argv[0]);
	}
	code = spawn_exit_code(status);
	if (code < 0)
		die(EX_TEMPORARY, "child crashed");
	return code;
}

bool
tool_condition(char *const *argv)
{
	int code = tool_run(argv);

	if (code == EX_TEMPORARY)
		die(EX_TEMPORARY, "temporary error in %s", argv[0]);
	return code == EX_SUCCESS;
}
