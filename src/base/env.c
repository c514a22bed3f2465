/* The environment: the only file that calls getenv and setenv. */
#include "base/env.h"
#include "base/error.h"

#include <stdlib.h>

const char *
env_get(const char *name)
{
	return getenv(name);
}

const char *
env_get_trusted(const char *name)
{
	return secure_getenv(name);
}

int
env_set(const char *name, const char *value)
{
	return setenv(name, value, 1) < 0 ? QE_NOMEM : 0;
}

void
env_unset(const char *name)
{
	unsetenv(name);
}

void
env_clear(void)
{
	clearenv();
}
