/*
 * SMTP after POP3: control/opensmtp names a directory that holds one file for
 * each client that has logged in, named by its IP address as
 * ipaddr_format() writes it and touched at each login.  qmail-popup writes
 * there as root, qmail-smtpd only looks: the directory belongs to root, 0755.
 */
#ifndef CONF_OPENSMTP_H
#define CONF_OPENSMTP_H

#include "base/buf.h"

#include <stdint.h>

/* Appends "<directory>/<ip>".  0, QE_SYNTAX (no IP address), QE_NOMEM. */
int opensmtp_path(struct strv directory, struct strv ip, struct buf *out);

/*
 * Has this client logged in less than lifetime seconds before now?  0, or
 * QE_ABSENT; QE_SYNTAX (no IP address); QE_SYS (errno: there is no way to
 * tell, and no such directory is one reason); QE_NOMEM.
 */
int opensmtp_find(
    struct strv directory, struct strv ip, int64_t lifetime, int64_t now);

/*
 * Notes a login of this client now.  0; QE_SYNTAX (no IP address); QE_SYS
 * (errno: EINVAL if something else than a file of this one name is there);
 * QE_NOMEM.  Waits for nobody and flushes nothing: a power cut costs a login.
 */
int opensmtp_touch(struct strv directory, struct strv ip);

/*
 * Removes the files that opensmtp_find() believes no longer, and nothing
 * else; safe beside logins and other sweepers.  0 or QE_SYS.
 */
int opensmtp_sweep(
    const char *directory, int64_t lifetime, int64_t now, uint64_t *removed);

#endif
