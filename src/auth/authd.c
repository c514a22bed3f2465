/*
 * Judging questions without a process for each.  The work is the same for a
 * wrong password and an unknown login, as both lists are asked in full.
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

#include <string.h>
#include <unistd.h>

enum { NAME_MAX_BYTES = 63 };

#define HASHES "users/poppasswd"

void
authd_init(struct authd *a)
{
	*a = (struct authd){ .users = BUF_LIMIT(QPASSWD_MAX) };
}

void
authd_free(struct authd *a)
{
	qpasswd_index_free(&a->index);
	buf_free(&a->users);
}

static bool
is_same(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev &&
	       a->st_size == b->st_size &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* users/qpasswd as it is now: 0, QE_ABSENT, or why it cannot be used. */
static int
load_users(struct authd *a, unsigned *line)
{
	struct stat st;
	int r;

	if (stat(QPASSWD_PRIVATE, &st) != 0)
		return QE_ABSENT;
	if (a->seen.st_ino != 0 && is_same(&st, &a->seen))
		return 0;
	a->seen = (struct stat){ .st_ino = 0 };
	buf_reset(&a->users);
	qpasswd_index_free(&a->index);
	r = qpasswd_read(QPASSWD_PRIVATE, geteuid(), &a->users);
	if (r == 0)
		r = qpasswd_index_make(buf_view(&a->users), &a->index, line);
	if (r == 0)
		a->seen = st;
	return r;
}

/* An exit code of the interface; what keeps us from knowing is said. */
static int
ask_homes(struct authd *a, const struct proof *p, struct buf *answer)
{
	struct check_trouble trouble;
	struct qpasswd_user user;
	unsigned line = 0;
	int code, r = load_users(a, &line);

	if (r == 0)
		r = qpasswd_index_find(
		    &a->index, strv_of(p->given->login), &user, &line);
	if (r == QE_ABSENT)
		return CHECK_REFUSED;
	if (r != 0) {
		warn(
		    QPASSWD_PRIVATE " line %u: %s", line, error_result_text(r));
		return EX_TEMPORARY;
	}
	if (user.uid != geteuid()) {
		warn(QPASSWD_PRIVATE " line %u: another uid than ours", line);
		code = EX_TEMPORARY;
	} else {
		code = qpasswd_check(&user, p, answer, &trouble);
		if (code != 0 && code != CHECK_REFUSED)
			warn("%s", trouble.text);
	}
	qpasswd_user_free(&user);
	return code;
}

static int
ask_hashes(const struct credentials *given)
{
	struct identity id;
	bool match;
	int r;

	if (access(HASHES, F_OK) != 0)
		return CHECK_REFUSED;
	r = identity_find_private(HASHES, given->login, &id);
	if (r != 0) {
		warn(HASHES ": %s", error_result_text(r));
		return EX_TEMPORARY;
	}
	match = password_matches(given->a, buf_cstr(&id.hash));
	match = match && id.usable;
	identity_free(&id);
	return match ? 0 : CHECK_REFUSED;
}

/* A failure outweighs a refusal, and nothing an acceptance. */
static int
judge(struct authd *a, const struct proof *p, struct buf *answer)
{
	int first = ask_homes(a, p, answer);
	int second;

	if (first == 0 || !proof_is_clear(p->sasl))
		return first;
	second = ask_hashes(p->given);
	return second == CHECK_REFUSED ? first : second;
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
authd_answer(struct authd *a, struct strv question, struct buf *reply)
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
