/*
 * The .qmail files of a hosted domain, which say what happens to an address
 * (dot-qmail(5)).  All of this works in the present directory, with the rights
 * of the domain's user.
 */
#ifndef HOSTING_DOTFILE_H
#define HOSTING_DOTFILE_H

#include "base/buf.h"

enum { DOTFILE_MAX = 65536 /* bytes of one that we look into */ };

enum dotfile_kind {
	DOTFILE_NONE,
	DOTFILE_MAILBOX, /* "./local/Maildir/" and nothing else */
	DOTFILE_ALIAS,   /* addresses only, one a line, "&" in front */
	DOTFILE_OTHER    /* written by hand */
};

/* ".qmail-<local>" as qmail-local looks for it; "default" for a catch-all. */
void dotfile_add_name(struct buf *out, struct strv local);
/* The local part of such a name, or QE_SYNTAX. */
int dotfile_local(struct strv name, struct buf *out);

/*
 * What the file for local holds: its kind, and the text behind content (may be
 * NULL).  0 (also if there is none), QE_LIMIT, QE_SYS, QE_NOMEM.
 */
int dotfile_read(
    struct strv local, enum dotfile_kind *kind, struct buf *content);
/* Puts this text in its place, durably.  0, QE_SYS, QE_NOMEM. */
int dotfile_write(struct strv local, struct strv text);
/* 0 (also if there was none) or QE_SYS, QE_NOMEM. */
int dotfile_remove(struct strv local);

#endif
