/*
 * The .qpasswd of a home.  For an unknown login that of somebody else is read
 * and compared, and refused whatever comes of it.
 */
#include "auth/qpasswd_check.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>

#define SECRETS_FILE ".qpasswd"

static int
fail(struct check_trouble *t, int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(t->text, sizeof(t->text), format, args);
	va_end(args);
	return code;
}

/* 0, also where there is nothing to read. */
static int
read_secrets(
    struct qpasswd_user *user, struct buf *secrets, struct check_trouble *t)
{
	int dir, r;

	if (buf_cstr(&user->home) == NULL)
		return fail(t, EX_TEMPORARY, "out of memory");
	dir = open(
	    user->home.data, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
	if (dir < 0 && user->known)
		return fail(t, EX_TEMPORARY,
		    "unable to open the home directory: %s", error_text(errno));
	r = dir < 0 ? QE_ABSENT
		    : qpasswd_read_at(dir, SECRETS_FILE, user->uid, secrets);
	io_close(&dir);
	if (!user->known || r == 0 || r == QE_ABSENT)
		return 0;
	if (r == QE_DENIED)
		return fail(t, EX_TEMPORARY,
		    SECRETS_FILE ": must be a file of its user, closed to "
				 "others");
	return fail(t, EX_TEMPORARY, SECRETS_FILE ": %s", error_result_text(r));
}

/* One password: 0 and *match, which stays true once it is. */
static int
judge(const struct proof *p, struct strv password, bool *match,
    struct buf *answer, struct check_trouble *t)
{
	struct buf said = BUF_LIMIT(PROOF_ANSWER_MAX);
	bool right = false;
	int r = proof_check(p, password, &right, &said);

	if (r == 0 && right && !*match)
		buf_add_view(answer, buf_view(&said));
	*match |= right;
	buf_free_secret(&said);
	if (r == QE_SYNTAX)
		return fail(t, CHECK_MISUSE, "the private file makes no sense");
	if (r != 0)
		return fail(t, EX_TEMPORARY, "%s: %s", p->sasl,
		    r == QE_ABSENT ? "not available here"
				   : error_result_text(r));
	return 0;
}

/* Any of the lines may be right; all are tried, and at least one. */
static int
judge_all(const struct proof *p, struct strv secrets, bool *match,
    struct buf *answer, struct check_trouble *t)
{
	unsigned tried = 0;
	int code = 0;

	*match = false;
	while (code == 0 && secrets.len > 0 && tried < QPASSWD_PASSWORDS_MAX) {
		struct strv line = strv_cut(&secrets, '\n', NULL);

		if (line.len == 0)
			continue;
		code = judge(p, line, match, answer, t);
		tried++;
	}
	if (tried == 0) {
		code = judge(
		    p, STRV("nobody has this password"), match, answer, t);
		*match = false;
	}
	return code;
}

int
qpasswd_check(struct qpasswd_user *user, const struct proof *p,
    struct buf *answer, struct check_trouble *trouble)
{
	struct buf secrets = BUF_LIMIT(QPASSWD_SECRET_MAX);
	bool match = false;
	int code = read_secrets(user, &secrets, trouble);

	buf_reset(answer);
	if (code == 0)
		code =
		    judge_all(p, buf_view(&secrets), &match, answer, trouble);
	buf_free_secret(&secrets);
	if (code != 0)
		return code;
	return match && user->known ? 0 : CHECK_REFUSED;
}
