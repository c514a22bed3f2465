/* The environment.  No other file calls getenv or setenv. */
#ifndef BASE_ENV_H
#define BASE_ENV_H

const char *env_get(const char *name); /* NULL if unset */
/* NULL also in a setuid or setgid program. */
const char *env_get_trusted(const char *name);
/* 0 or QE_NOMEM. */
int env_set(const char *name, const char *value);
void env_unset(const char *name);
void env_clear(void);
/*
 * For execve(2): the environment with more ("NAME=value", NULL at the end) in
 * it, each in place of what there is of that name.  The strings are shared;
 * the caller frees the array.  NULL without memory.
 */
char **env_with(char *const *more);

#endif
