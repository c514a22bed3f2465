/*
 * /etc/qpasswd: who the virtual users are (checkqpasswd(8)).
 *
 *	[/base/path:uid:gid]
 *	user:home
 *
 * A home is absolute or begins at the base of its section.  No passwords are
 * in here.
 */
#ifndef AUTH_QPASSWD_FILE_H
#define AUTH_QPASSWD_FILE_H

#include "base/buf.h"
#include "base/lot.h"

#include <stdbool.h>
#include <sys/types.h>

#define QPASSWD_PATH    "/etc/qpasswd"  /* as root */
#define QPASSWD_PRIVATE "users/qpasswd" /* below the home, without root */

enum {
	QPASSWD_MAX = 16 << 20,        /* bytes of the file */
	QPASSWD_HOME_MAX = 4096,       /* bytes of a path */
	QPASSWD_SECRET_MAX = 64 << 10, /* bytes of a .qpasswd */
	QPASSWD_PASSWORDS_MAX = 16     /* lines of it that count */
};

/* One line of the file, and the section it stands in; borrowed. */
struct qpasswd_line {
	struct strv text; /* the line as it is, with its end */
	unsigned number;  /* from 1 */
	bool is_section;  /* then user and home are empty */
	struct strv base, uid, gid;
	struct strv user, home; /* empty: a comment or a blank line */
};

struct qpasswd_reader {
	struct strv rest;
	struct qpasswd_line line;
};

void qpasswd_reader_init(struct qpasswd_reader *r, struct strv text);
/* The next line into r->line: 0, QE_EOF, QE_SYNTAX (r->line.number tells). */
int qpasswd_next(struct qpasswd_reader *r);

/* A user of the file; owns its strings. */
struct qpasswd_user {
	struct buf user, home; /* home: absolute */
	uid_t uid;
	gid_t gid;
	bool known; /* false: somebody else's, to imitate */
};

/*
 * Reads the whole file, which must be a regular one of the owner (or root),
 * writable by nobody else and closed to others.  0; QE_ABSENT; QE_DENIED;
 * QE_LIMIT, QE_SYS, QE_NOMEM.
 */
int qpasswd_read(const char *path, uid_t owner, struct buf *out);
/* The same for a name below an open directory, links not followed. */
int qpasswd_read_at(int dir, const char *name, uid_t owner, struct buf *out);
/*
 * Finds login, or else the user next to the place that it draws, with known
 * false.  0; QE_ABSENT (no user at all); QE_SYNTAX with *line; QE_NOMEM,
 * QE_LIMIT.  The ids in the file are numbers.
 */
int qpasswd_find(struct strv text, const struct lot *lot, struct strv login,
    struct qpasswd_user *out, unsigned *line);
/* The user of a line: 0, QE_SYNTAX (the ids), QE_NOMEM, QE_LIMIT. */
int qpasswd_set_user(
    const struct qpasswd_line *line, bool known, struct qpasswd_user *out);
void qpasswd_user_free(struct qpasswd_user *u);

/* True for what can be a login here: no control characters, no colon, no
 * '[' or '#' in front, no blanks at its ends. */
bool qpasswd_is_login(struct strv v);

#endif
