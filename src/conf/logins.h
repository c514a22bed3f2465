/*
 * Logins of hosted domains (qmail-mailbox(8)): the lines
 * "address:crypt hash:uid:gid:home" of users/mailboxes, and the database that
 * checkers read.  Addresses are kept in lower case.
 */
#ifndef CONF_LOGINS_H
#define CONF_LOGINS_H

#include "base/buf.h"
#include "base/cdb.h"
#include "base/lot.h"

#include <stdbool.h>
#include <sys/types.h>

#define LOGINS_TEXT "users/mailboxes"
#define LOGINS_CDB  "users/mailboxes.cdb"

enum {
	LOGINS_TEXT_MAX = 256 << 20, /* bytes of users/mailboxes */
	LOGIN_LINE_MAX = 4096,       /* of one line, and of a value */
	LOGINS_STANDINS = 64         /* records to imitate, of a database */
};

struct login {
	struct buf bytes;        /* owns the strings; wiped */
	const char *hash, *home; /* home is absolute */
	uid_t uid;
	gid_t gid;
	bool known; /* false: somebody else's, to imitate */
};

/*
 * A line to key and value of the database, appended: 0, QE_SYNTAX (an empty
 * or missing field, a NUL, a uid or gid that is 0 or no number, a home that
 * does not begin with '/'), QE_LIMIT, QE_NOMEM.
 */
int login_parse_line(struct strv line, struct buf *key, struct buf *value);
/* A value of the database: 0, QE_SYNTAX, QE_NOMEM. */
int login_parse_value(struct strv value, struct login *out);
/*
 * Beside the logins a database has a few of them once more, as stand-ins for
 * addresses that are not in it: number i is the login next to the place i *
 * 2^58, by what addresses draw.  Its key, which no address has, appended.
 */
void login_standin_key(unsigned i, struct buf *key);
uint64_t login_standin_place(unsigned i);
/*
 * Looks the address up in path, without regard to case.  0, also with known
 * false and whom to imitate; QE_ABSENT (nobody is in it, or no such file);
 * QE_CORRUPT, QE_SYS, QE_NOMEM.
 */
int login_find(const char *path, struct strv address, struct login *out);
/* The same in a database that is open (base/cdb.h). */
int login_find_in(struct cdb_reader *reader, const struct lot *lot,
    struct strv address, struct login *out);
void login_free(struct login *login);

#endif
