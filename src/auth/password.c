/*
 * crypt(3) for checkers: every call does the work of one hash, and the
 * comparison takes the same time wherever the two differ.
 */
#include "auth/password.h"
#include "base/secret.h"

#include <crypt.h>
#include <stdlib.h>
#include <string.h>

bool
password_matches(const char *password, const char *hash)
{
	struct crypt_data *work = calloc(1, sizeof *work);
	const char *setting = hash;
	char preferred[CRYPT_GENSALT_OUTPUT_SIZE];
	const char *result;
	bool match;

	if (work == NULL)
		return false;
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
	return match;
}
