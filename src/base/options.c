/* Single-letter options; see the header. */
#include "base/options.h"
#include "base/buf.h"

#include <stdio.h>
#include <string.h>

void
options_init(struct options *o, int argc, char **argv, const char *letters)
{
	*o = (struct options){
		.argv = argv, .argc = argc, .index = 1, .letters = letters
	};
}

static int
options_complain(const struct options *o, const char *what, char letter)
{
	const char *path = o->argc > 0 ? o->argv[0] : "qmail";
	const char *slash = strrchr(path, '/');

	dprintf(2, "%s: %s -- %c\n", slash == NULL ? path : slash + 1, what,
	    letter);
	return '?';
}

/* Moves to the next word if it holds options; false at their end. */
static int
options_next_word(struct options *o)
{
	const char *word = o->index < o->argc ? o->argv[o->index] : NULL;

	if (word == NULL || word[0] != '-' || word[1] == '\0')
		return 0;
	o->index++;
	if (strcmp(word, "--") == 0)
		return 0;
	o->bundle = word + 1;
	return 1;
}

int
options_next(struct options *o)
{
	const char *known;
	char letter;

	o->arg = NULL;
	if ((o->bundle == NULL || *o->bundle == '\0') && !options_next_word(o))
		return -1;
	letter = *o->bundle++;
	known = letter == ':' ? NULL : strchr(o->letters, letter);
	if (known == NULL)
		return options_complain(o, "illegal option", letter);
	if (known[1] != ':')
		return (unsigned char)letter;
	if (*o->bundle != '\0')
		o->arg = o->bundle;
	else if (o->index < o->argc)
		o->arg = o->argv[o->index++];
	else
		return options_complain(
		    o, "option requires an argument", letter);
	o->bundle = NULL;
	return (unsigned char)letter;
}
