/*
 * qmail-getpw: which account handles a local part (qmail-users(5)).
 *
 * Run by qmail-lspawn as qmailp for addresses that users/cdb does not have.
 * Prints user, uid, gid, home, dash and extension, each with its NUL.  Reads
 * nothing but the password database and looks at home directories.
 */
#include "base/die.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/io.h"
#include "base/program.h"
#include "conf/users.h"

#include <errno.h>

/* For qmail-lspawn, which has words for these codes. */
static int
failure_code(int result)
{
	switch (result) {
	case QE_ABSENT:
		return QL_NO_ALIAS;
	case QE_TEMP:
		return errno == ETXTBSY ? QL_LSPAWN_TEMP : QL_NFS;
	case QE_NOMEM:
		return QL_LSPAWN_NOMEM;
	default:
		return QL_LSPAWN_TEMP;
	}
}

int
main(int argc, char **argv)
{
	static const struct program program = { "qmail-getpw", 0, 022 };
	struct user_entry entry;
	struct buf out = BUF_INIT;
	int r;

	program_begin(&program);
	if (argc < 2)
		return EX_PERMANENT;
	r = users_find_account(strv_of(argv[1]), &entry);
	if (r != 0)
		return failure_code(r);
	buf_addf(&out, "%s%c%lu%c%lu%c%s%c%s%c%s%c", entry.user, 0,
	    (unsigned long)entry.uid, 0, (unsigned long)entry.gid, 0,
	    entry.home, 0, entry.dash, 0, entry.ext, 0);
	if (out.err != 0)
		return QL_LSPAWN_NOMEM;
	r = io_write_all(1, out.data, out.len);
	buf_free(&out);
	user_entry_free(&entry);
	return r == 0 ? EX_SUCCESS : QL_LSPAWN_TEMP;
}
