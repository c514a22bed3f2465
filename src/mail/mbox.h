/* mbox in the mboxrd form: From_ line, quoting of From_ lines, flock. */
#ifndef MAIL_MBOX_H
#define MAIL_MBOX_H

#include "base/io.h"

enum mbox_result {
	MBOX_OK = 0,
	MBOX_OPEN,  /* errno */
	MBOX_LOCK,  /* locked by somebody for 30 seconds */
	MBOX_READ,  /* the message cannot be read; errno */
	MBOX_WRITE, /* errno; the file was cut back to its old length */
	MBOX_QUOTA
};

/* prefix: From_ line, Return-Path, Delivered-To, each with its LF. */
enum mbox_result mbox_deliver(
    const char *path, struct strv prefix, int message_fd);

/*
 * The same for a file that the caller has open, locked and at its end: adds
 * prefix, quoted message and empty line to out, unflushed.  MBOX_OK, MBOX_READ,
 * MBOX_WRITE or MBOX_QUOTA, each with errno.
 */
enum mbox_result mbox_copy(
    struct strv prefix, int message_fd, struct sink *out);

#endif
