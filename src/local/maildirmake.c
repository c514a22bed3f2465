/* maildirmake dir: an empty Maildir. */
#include "base/die.h"
#include "base/exitcode.h"
#include "base/program.h"
#include "mail/maildir.h"

static const struct program program = { .name = "maildirmake", .umask = 077 };

int
main(int argc, char **argv)
{
	program_begin(&program);
	if (argc != 2)
		die_usage("maildirmake name");
	if (maildir_make(argv[1]) != 0)
		die_errno(EX_TEMPORARY, "unable to mkdir %s", argv[1]);
	return EX_SUCCESS;
}
