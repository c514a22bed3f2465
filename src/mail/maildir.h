/*
 * Maildir: unique names, durable delivery.
 *
 * Delivery takes two flushes: the file before it gets its name in new/, and
 * new/ itself after.  After 0 the message survives a power cut.  The name ends
 * in ",S=" and the size of the file, so that readers need not ask for it.
 */
#ifndef MAIL_MAILDIR_H
#define MAIL_MAILDIR_H

#include "base/buf.h"

#include <sys/types.h>

enum maildir_result {
	MAILDIR_OK = 0,
	MAILDIR_CHDIR,    /* the directory cannot be used */
	MAILDIR_TIMEOUT,  /* no free name after several tries */
	MAILDIR_READ,     /* the message cannot be read */
	MAILDIR_WRITE,    /* temporary trouble; errno says which */
	MAILDIR_QUOTA,    /* EDQUOT or EFBIG */
	MAILDIR_FULL,     /* over the quota of its maildirsize file */
	MAILDIR_BAD_QUOTA /* that file has no quota in its first line */
};

/*
 * Delivers prefix (Return-Path and Delivered-To lines) and then everything of
 * message_fd from offset 0 on.  Leaves nothing behind on failure.  Does not
 * change the working directory.  A Maildir++ quota is honoured and kept up to
 * date (maildir_quota.h).
 */
enum maildir_result maildir_deliver(
    const char *dir, struct strv prefix, int message_fd);

/* dir, tmp, new and cur, mode 0700.  0 or QE_SYS. */
int maildir_make(const char *dir);
/* The same, but what is there already stays. */
int maildir_complete(const char *dir);

#endif
