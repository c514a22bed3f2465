/*
 * auth/qpasswd_file, auth/qpasswd_edit: any file, any login.  Who is found
 * has a home that is absolute; what was added is found, what was removed is
 * not, and other lines stay.
 */
#include "fuzz.h"
/* Of a program room, which is no archive. */
#include "auth/qpasswd_edit.c"
#include "auth/qpasswd_file.c"

static bool
knows(struct strv text, struct strv login)
{
	struct qpasswd_user user;
	const struct lot lot = { .key = { 1 } };
	unsigned line = 0;
	int r = qpasswd_find(text, &lot, login, &user, &line);
	bool known = r == 0 && user.known;

	require(r == 0 || r == QE_SYNTAX || r == QE_ABSENT || r == QE_LIMIT);
	if (r == 0) {
		require(user.home.len > 0 && user.home.data[0] == '/');
		require(!has_controls(buf_view(&user.home)));
		require(!known || strv_eq(buf_view(&user.user), login));
		qpasswd_user_free(&user);
	}
	return known;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strv text = fuzz_input(data, size);
	struct strv login = strv_cut(&text, '\n', NULL);
	struct buf with = BUF_INIT, without = BUF_INIT;
	bool before = knows(text, login);
	int r = qpasswd_add(text, STRV_EMPTY, login, STRV("home"), &with);

	require(r != 0 || !before);
	require(r != QE_LIMIT || qpasswd_is_login(login));
	if (r == 0) {
		require(with.len > text.len);
		/* Somebody's ids may be none, which is found out later. */
		(void)knows(buf_view(&with), login);
		require(qpasswd_remove(buf_view(&with), login, &without) == 0);
		require(without.len >= text.len);
		require(strv_starts(buf_view(&without), STRV_EMPTY));
		require(!knows(buf_view(&without), login));
	}
	buf_reset(&without);
	if (qpasswd_remove(text, login, &without) == 0)
		require(!knows(buf_view(&without), login));
	buf_free(&with);
	buf_free(&without);
	return 0;
}
