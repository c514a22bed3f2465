/*
 * Judging questions without a process for each.  The work is the same for a
 * wrong password and an unknown login, as all lists are asked in full.
 */
#include "auth/authd.h"
#include "auth/credentials.h"
#include "auth/identity.h"
#include "auth/password.h"
#include "auth/proof.h"
#include "auth/qpasswd_check.h"
#include "auth/qpasswd_file.h"
#include "base/die.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "conf/login_name.h"
#include "conf/logins.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { NAME_MAX_BYTES = 63 };

#define HASHES "users/poppasswd"

/* What the master has said already; here it is about one question. */
static int
fail(const struct authd_file *file)
{
	warn("%s: %s", file->path, error_result_text(file->result));
	return EX_TEMPORARY;
}

static int
ask_home(const struct authd_files *f, struct qpasswd_user *user, unsigned line,
    const struct proof *p, struct buf *answer)
{
	struct check_trouble trouble;
	int code;

	if (user->known && user->uid != geteuid()) {
		warn("%s line %u: another uid than ours", f->homes.path, line);
		return EX_TEMPORARY;
	}
	code = qpasswd_check(user, p, answer, &trouble);
	if (code != 0 && code != CHECK_REFUSED)
		warn("%s", trouble.text);
	return code;
}

/* An exit code of the interface; what keeps us from knowing is said. */
static int
ask_homes(
    const struct authd_files *f, const struct proof *p, struct buf *answer)
{
	struct qpasswd_user user;
	unsigned line = 0;
	int code, r;

	if (f->homes.result == QE_ABSENT)
		return CHECK_REFUSED;
	if (f->homes.result != 0)
		return fail(&f->homes);
	r = qpasswd_index_find(
	    &f->index, strv_of(p->given->login), &user, &line);
	if (r == QE_ABSENT)
		return CHECK_REFUSED;
	if (r != 0) {
		warn("%s line %u: %s", f->homes.path, line,
		    error_result_text(r));
		return EX_TEMPORARY;
	}
	code = ask_home(f, &user, line, p, answer);
	qpasswd_user_free(&user);
	return code;
}

/* A login without a domain is one of control/defaulthost. */
static int
find_mailbox(
    const struct authd_files *f, const char *login, struct login *found)
{
	struct buf address = BUF_LIMIT(2 * CREDENTIALS_MAX);
	struct control_error err;
	int r = login_name_full(strv_of(login), &address, &err);

	if (r != 0) {
		warn("%s", err.text);
	} else {
		r = login_find_in(
		    f->hashes, &f->lot, buf_view(&address), found);
		if (r != 0 && r != QE_ABSENT)
			warn("%s: %s", f->mailboxes.path, error_result_text(r));
	}
	buf_free(&address);
	return r == 0 || r == QE_ABSENT ? 0 : QE_TEMP;
}

/* Without memory for the hash nobody knows. */
static int
ask_hash(const char *password, const char *hash, bool usable)
{
	if (password_matches(password, hash))
		return usable ? 0 : CHECK_REFUSED;
	if (errno == 0)
		return CHECK_REFUSED;
	warn("unable to compute a hash: %s", error_text(errno));
	return EX_TEMPORARY;
}

/* An unknown address costs what a wrong password costs. */
static int
ask_mailboxes(const struct authd_files *f, const struct credentials *given)
{
	struct login login = { .hash = NULL };
	int code;

	if (f->mailboxes.result == QE_ABSENT)
		return CHECK_REFUSED;
	if (f->mailboxes.result != 0)
		return fail(&f->mailboxes);
	if (find_mailbox(f, given->login, &login) != 0)
		return EX_TEMPORARY;
	code = ask_hash(
	    given->a, login.hash == NULL ? "" : login.hash, login.known);
	login_free(&login);
	return code;
}

static int
ask_hashes(const struct credentials *given)
{
	struct identity id;
	int r;

	if (access(HASHES, F_OK) != 0)
		return CHECK_REFUSED;
	r = identity_find_private(HASHES, given->login, &id);
	if (r != 0) {
		warn(HASHES ": %s", error_result_text(r));
		return EX_TEMPORARY;
	}
	r = ask_hash(given->a, buf_cstr(&id.hash), id.usable);
	identity_free(&id);
	return r;
}

/* A failure outweighs a refusal, and nothing an acceptance. */
static int
worse(int first, int second)
{
	return second == CHECK_REFUSED ? first : second;
}

static int
judge(const struct authd *a, const struct proof *p, struct buf *answer)
{
	int code = ask_homes(a->files, p, answer);

	if (code == 0 || !proof_is_clear(p->sasl))
		return code;
	code = worse(code, ask_mailboxes(a->files, p->given));
	if (code == 0 || !a->has_private)
		return code;
	return worse(code, ask_hashes(p->given));
}

/* Name, then three strings, then facts. */
static int
take(struct strv question, char name[NAME_MAX_BYTES + 1],
    struct credentials *given, struct strv *facts)
{
	struct strv rest = question;
	bool found = true;
	struct strv word = strv_cut(&rest, '\0', &found);
	struct strv strings = rest;

	if (!found || word.len == 0 || word.len > NAME_MAX_BYTES)
		return QE_SYNTAX;
	memcpy(name, word.ptr, word.len);
	name[word.len] = '\0';
	for (int i = 0; found && i < 3; i++)
		(void)strv_cut(&rest, '\0', &found);
	if (!found)
		return QE_SYNTAX;
	*facts = rest;
	return credentials_take(
	    strv_head(strings, strings.len - rest.len), given);
}

void
authd_answer(const struct authd *a, struct strv question, struct buf *reply)
{
	struct buf answer = BUF_LIMIT(PROOF_ANSWER_MAX);
	struct credentials given;
	struct proof proof;
	char name[NAME_MAX_BYTES + 1];
	struct strv facts = STRV_EMPTY;
	int code = CHECK_MISUSE;
	int r = take(question, name, &given, &facts);

	if (r == 0) {
		r = proof_open_facts(&proof, name, &given, facts);
		code = r == 0           ? judge(a, &proof, &answer)
		       : r == QE_ABSENT ? CHECK_REFUSED
					: EX_TEMPORARY;
		proof_close(&proof);
		credentials_wipe(&given);
	}
	buf_add_char(reply, code == 0               ? '0'
			    : code == CHECK_REFUSED ? '1'
			    : code == CHECK_MISUSE  ? '2'
						    : 't');
	if (code == 0)
		buf_add_view(reply, buf_view(&answer));
	buf_free_secret(&answer);
}
