/* A session without a client, for unit tests of qmail-smtpd's parts. */
#ifndef TEST_SMTPD_SESSION_H
#define TEST_SMTPD_SESSION_H

#include "smtpd/session.h"

#include <fcntl.h>
#include <string.h>

/* Replies and log go nowhere; no control file is read. */
static inline void
session_fake(struct session *s)
{
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	memset(s, 0, sizeof(*s));
	session_init(s, null_fd, null_fd);
	s->relay = false;
	s->relay_suffix = STRV_EMPTY;
	s->settings.log.fd = 0;
	s->settings.timeout = 10;
	s->settings.recipients_max = 100;
	s->settings.address_max = 900;
	s->settings.hops_max = 100;
	s->settings.needs_brackets = true;
}

static inline void
session_unfake(struct session *s)
{
	io_close(&s->in.fd);
	session_free(s);
}

static inline void
session_aim(struct session *s, const char *recipient)
{
	buf_reset(&s->tx.candidate);
	buf_add_str(&s->tx.candidate, recipient);
}

#endif
