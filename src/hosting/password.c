/* Reading a new password and hashing it; no copy stays in memory. */
#include "hosting/password.h"
#include "base/die.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/terminal.h"

#include <crypt.h>
#include <string.h>
#include <unistd.h>

struct word {
	char text[PASSWORD_MAX + 1]; /* ended by NUL */
	size_t len;
};

static void
ask(const char *prompt, const char *address, struct word *word)
{
	struct buf question = BUF_INIT;
	int r;

	buf_addf(&question, "%s for %s: ", prompt, address);
	if (buf_cstr(&question) == NULL)
		die_nomem();
	r = terminal_read_secret(
	    question.data, word->text, PASSWORD_MAX, &word->len);
	buf_free(&question);
	if (r == QE_LIMIT)
		die(EX_PERMANENT, "passwords have at most %d bytes",
		    PASSWORD_MAX);
	if (r == QE_EOF)
		die(EX_PERMANENT, "given up, nothing is changed");
	if (r != 0)
		die_errno(EX_TEMPORARY, "unable to read the password");
	word->text[word->len] = '\0';
}

static void
check_word(const struct word *word)
{
	if (word->len < PASSWORD_LEAST)
		die(EX_PERMANENT, "passwords have at least %d bytes",
		    PASSWORD_LEAST);
	if (strlen(word->text) != word->len)
		die(EX_PERMANENT, "a password cannot hold NUL");
}

void
password_ask_hash(const char *address, struct buf *hash)
{
	struct word first, again;
	struct crypt_data work;
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];
	const char *result;

	ask("New password", address, &first);
	check_word(&first);
	if (isatty(0)) {
		ask("Once more, the password", address, &again);
		if (again.len != first.len ||
		    memcmp(again.text, first.text, first.len) != 0)
			die(EX_PERMANENT, "the two passwords differ");
		explicit_bzero(&again, sizeof(again));
	}
	memset(&work, 0, sizeof(work));
	if (crypt_gensalt_rn(NULL, 0, NULL, 0, setting, sizeof(setting)) ==
	    NULL)
		die_errno(EX_TEMPORARY, "unable to make a salt");
	result = crypt_rn(first.text, setting, &work, sizeof(work));
	if (result == NULL || result[0] == '*')
		die_errno(EX_TEMPORARY, "unable to hash the password");
	buf_add_str(hash, result);
	explicit_bzero(&first, sizeof(first));
	explicit_bzero(&work, sizeof(work));
	if (hash->err != 0)
		die_nomem();
}

bool
password_is_hash(struct strv text)
{
	if (text.len < 13 || text.len > PASSWORD_HASH_MAX)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (c <= ' ' || c > '~' || strchr(":;*!\\", c) != NULL)
			return false;
	}
	return true;
}
