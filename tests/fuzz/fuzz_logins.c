/* conf/logins: lines of users/mailboxes and values of its database. */
#include "base/error.h"
#include "conf/logins.h"
#include "fuzz.h"

#include <string.h>

/* What a line became must be read back as what it said. */
static void
check_line(struct strv line)
{
	struct buf key = BUF_LIMIT(LOGIN_LINE_MAX);
	struct buf value = BUF_LIMIT(LOGIN_LINE_MAX);
	int r = login_parse_line(line, &key, &value);
	struct login login;

	if (r == 0) {
		require(login_parse_value(buf_view(&value), &login) == 0);
		require(login.uid != 0 && login.gid != 0);
		require(login.home[0] == '/' && login.hash[0] != '\0');
		require(strlen(login.home) < line.len);
		login_free(&login);
	} else {
		require(r == QE_SYNTAX || r == QE_LIMIT || r == QE_NOMEM);
	}
	buf_free(&key);
	buf_free(&value);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strv input = fuzz_input(data, size);
	struct login login;

	check_line(input);
	if (login_parse_value(input, &login) == 0) {
		require(login.uid != 0 && login.gid != 0);
		login_free(&login);
	}
	return 0;
}
