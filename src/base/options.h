/*
 * Command-line options as qmail programs take them: single letters, bundled,
 * an argument attached or in the next word, "--" or a lone "-" or the first
 * other word ends them.
 */
#ifndef BASE_OPTIONS_H
#define BASE_OPTIONS_H

struct options {
	char **argv;
	int argc;
	int index;           /* first word that is no option, at the end */
	const char *letters; /* as for getopt(3): ':' takes an argument */
	const char *arg;     /* argument of the option just returned */
	const char *bundle;
};

void options_init(
    struct options *o, int argc, char **argv, const char *letters);
/*
 * The next option letter, -1 at the end, '?' after an error, which has been
 * said on descriptor 2 ("<progname>: illegal option -- c").
 */
int options_next(struct options *o);

#endif
