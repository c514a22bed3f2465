/* conf/users: what qmail-getpw printed or a cdb holds. */
#include "base/error.h"
#include "conf/users.h"
#include "fuzz.h"

#include <string.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct user_entry entry;
	int r = users_parse(fuzz_input(data, size), &entry);

	if (r != 0) {
		require(r == QE_SYNTAX || r == QE_NOMEM);
		return 0;
	}
	require(entry.user[0] != '\0');
	require(strlen(entry.user) + strlen(entry.home) + strlen(entry.dash) +
		    strlen(entry.ext) <
		size);
	user_entry_free(&entry);
	return 0;
}
