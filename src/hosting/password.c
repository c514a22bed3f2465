/* Reading a new password and hashing it; no copy stays in memory. */
#include "hosting/password.h"
#include "base/die.h"
#include "base/exitcode.h"
#include "base/io.h"

#include <crypt.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

struct word {
	char text[PASSWORD_MAX + 2]; /* with LF, or one byte too many */
	size_t len;
};

/* A line of standard input, without its end. */
static void
read_word(struct word *word)
{
	size_t n = 0;
	ssize_t got = 1;

	while (n < sizeof(word->text) &&
	       (got = io_read(0, word->text + n, 1)) > 0 &&
	       word->text[n] != '\n')
		n++;
	if (got < 0)
		die_errno(EX_TEMPORARY, "unable to read the password");
	word->len = n;
	if (n > PASSWORD_MAX)
		die(EX_PERMANENT, "passwords have at most %d bytes",
		    PASSWORD_MAX);
	word->text[n] = '\0';
}

static void
ask(const char *prompt, const char *address, struct word *word)
{
	struct termios old, quiet;

	if (tcgetattr(0, &old) < 0) {
		read_word(word);
		return;
	}
	fprintf(stderr, "%s for %s: ", prompt, address);
	quiet = old;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(0, TCSAFLUSH, &quiet);
	read_word(word);
	tcsetattr(0, TCSAFLUSH, &old);
	fputc('\n', stderr);
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
