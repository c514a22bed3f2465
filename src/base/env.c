/* The environment: the only file that calls getenv and setenv. */
#include "base/env.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * As getenv(3), which in a small libc compares whole names: an SMTP session
 * asks for dozens, and nearly all are told apart by their first letter.
 */
const char *
env_get(const char *name)
{
	size_t n = strlen(name);

	for (char **entry = environ; entry != NULL && *entry != NULL; entry++)
		if (**entry == *name && strncmp(*entry, name, n) == 0 &&
		    (*entry)[n] == '=')
			return *entry + n + 1;
	return NULL;
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

static bool
is_replaced(const char *entry, char *const *more)
{
	const char *end = strchr(entry, '=');
	size_t n = end == NULL ? strlen(entry) : (size_t)(end - entry) + 1;

	for (; *more != NULL; more++)
		if (strncmp(entry, *more, n) == 0)
			return true;
	return false;
}

char **
env_with(char *const *more)
{
	size_t count = 1, used = 0;
	char **out;

	for (size_t i = 0; more[i] != NULL; i++)
		count++;
	for (size_t i = 0; environ != NULL && environ[i] != NULL; i++)
		count++;
	out = calloc(count, sizeof(*out));
	if (out == NULL)
		return NULL;
	for (size_t i = 0; environ != NULL && environ[i] != NULL; i++)
		if (!is_replaced(environ[i], more))
			out[used++] = environ[i];
	for (; *more != NULL; more++)
		out[used++] = *more;
	return out;
}
