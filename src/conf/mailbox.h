/*
 * Is there a mailbox behind an account and an extension?  The decisions that
 * qmail-lspawn and qmail-local make before they deliver, in one piece, so that
 * qmail-smtpd refuses exactly the recipients that would bounce.  Nothing here
 * reads instructions or delivers.
 */
#ifndef CONF_MAILBOX_H
#define CONF_MAILBOX_H

#include "base/buf.h"
#include "conf/users.h"

#include <stdbool.h>
#include <sys/stat.h>

enum {
	MAILBOX_FORBIDDEN = 002, /* mode bits of homes and .qmail files */
	MAILBOX_STICKY = 01000   /* of a home: its user is editing */
};

/* What stands against delivering as this user. */
enum mailbox_rights { MAILBOX_MAY, MAILBOX_IS_ROOT, MAILBOX_NOT_OURS };

/* euid: of the spawner, who becomes anybody if it is root's. */
enum mailbox_rights mailbox_rights(const struct user_entry *entry, uid_t euid);

/* What stands against delivering to a home at this time. */
enum mailbox_home {
	MAILBOX_HOME_GOOD,
	MAILBOX_HOME_WRITABLE,
	MAILBOX_HOME_STICKY
};

enum mailbox_home mailbox_judge_home(const struct stat *st);

/* The candidate names of one address, best first. */
struct mailbox_search {
	const char *dash, *ext;
	struct buf name;       /* the present candidate */
	const char *remainder; /* DEFAULT: points into ext; NULL: not set */
	size_t untried;        /* bytes of ext that may be the next prefix */
	bool begun, ended;
};

void mailbox_search_init(
    struct mailbox_search *s, const char *dash, const char *ext);
/* Steps to the next candidate: 0, QE_EOF after the last, QE_NOMEM. */
int mailbox_search_next(struct mailbox_search *s);
void mailbox_search_clear(struct mailbox_search *s);

/* Appends ".qmail<dash><ext>" as files are named: lower case, '.' as ':'. */
void mailbox_add_name(struct buf *out, const char *dash, struct strv ext);

/* True for errors of open and stat that leave open whether a file exists. */
bool mailbox_error_is_temporary(int errnum);

/* The .qmail file that handles an address. */
struct mailbox {
	int fd; /* -1: there is none */
	struct stat st;
	const char *remainder; /* DEFAULT, or NULL; points into ext */
	struct buf name;       /* of the file found, or in trouble */
};

/*
 * Opens the best candidate that is a regular file, in the directory dirfd
 * (AT_FDCWD), with flags added to those of open(2): O_RDONLY, or O_PATH where
 * it is enough to know.  0 (look at fd), QE_SYS (errno; name says which),
 * QE_NOMEM.
 */
int mailbox_open(int dirfd, const char *dash, const char *ext, int flags,
    struct mailbox *out);
void mailbox_clear(struct mailbox *m);

/*
 * What a delivery would find: 0, it has instructions or the default ones;
 * QE_ABSENT, it would bounce for want of a .qmail file; QE_TEMP, it would be
 * deferred; QE_DENIED, this process may not look; QE_NOMEM.
 */
int mailbox_look(const struct user_entry *entry);

#endif
