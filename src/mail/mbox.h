/* mbox in the mboxrd form: From_ line, quoting of From_ lines, flock. */
#ifndef MAIL_MBOX_H
#define MAIL_MBOX_H

#include "base/strv.h"

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

#endif
