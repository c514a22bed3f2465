/*
 * crypt(3) for checkers: every call does the work of one hash, and the
 * comparison takes the same time wherever the two differ.
 */
#include "auth/password.h"
#include "base/secret.h"

#include <crypt.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A hash of a known kind is computed, unless there is no memory for it. */
static bool
is_known_kind(const char *setting)
{
	int kind = crypt_checksalt(setting);

	return kind != CRYPT_SALT_INVALID && kind != CRYPT_SALT_METHOD_DISABLED;
}

bool
password_matches(const char *password, const char *hash)
{
	struct crypt_data *work = calloc(1, sizeof *work);
	const char *setting = hash;
	char preferred[CRYPT_GENSALT_OUTPUT_SIZE];
	const char *result;
	bool match;

	if (work == NULL) {
		errno = ENOMEM;
		return false;
	}
	if (hash[0] == '\0')
		setting = crypt_gensalt_rn(
		    NULL, 0, NULL, 0, preferred, sizeof preferred);
	result = setting == NULL
		     ? NULL
		     : crypt_rn(password, setting, work, sizeof *work);
	match = result != NULL && hash[0] != '\0' && result[0] != '*' &&
		secret_equal_view(strv_of(hash), strv_of(result));
	explicit_bzero(work, sizeof *work);
	free(work);
	/* crypt(3) itself gives the same reason for all failures. */
	errno = result == NULL && setting != NULL && is_known_kind(setting)
		    ? ENOMEM
		    : 0;
	return match;
}
