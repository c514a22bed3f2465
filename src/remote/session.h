/*
 * One SMTP connection as a client (RFC 5321): greeting, EHLO or HELO, commands
 * and their replies.  A session outlives its transactions.
 */
#ifndef REMOTE_SESSION_H
#define REMOTE_SESSION_H

#include "base/io.h"
#include "remote/route.h"

enum {
	SESSION_READ_BUFFER = 4096,
	SESSION_WRITE_MAX = 512 * 1024, /* bytes that wait for one write */
	SESSION_SECONDS_MAX = 12 * 3600 /* of one session, however slow */
};

enum session_extension {
	SESSION_PIPELINING = 1, /* RFC 2920 */
	SESSION_SIZE = 2,       /* RFC 1870 */
	SESSION_8BITMIME = 4    /* RFC 6152 */
};

struct session_settings {
	struct strv helohost;
	int64_t connect_ms; /* for a connection to stand */
	int64_t remote_ms;  /* for a whole reply, and for a whole write */
};

struct session {
	const struct session_settings *settings; /* lent */
	struct target target;
	char ip[IPADDR_TEXT_MAX];
	int fd;
	int64_t end_ms; /* SESSION_SECONDS_MAX from the start */
	bool broken;    /* out of step or dead: say no more */
	struct source in;
	char in_data[SESSION_READ_BUFFER];
	struct buf out;      /* commands that wait for session_flush */
	unsigned extensions; /* enum session_extension bits */
	uint64_t size_limit; /* SIZE=n of the server; 0: none told */
	int code;            /* of the last reply; 0: garbage */
	struct buf said;     /* the last reply, LF line ends */
};

enum session_result {
	SESSION_READY,
	SESSION_DIED,
	SESSION_DIED_AT_EHLO, /* worth a second try with HELO */
	SESSION_NO_GREETING,  /* a reply other than 220 */
	SESSION_NAME_REJECTED /* EHLO and HELO refused */
};

/* Connects: 0, QE_TIMEOUT, QE_SYS.  After 0 session_close is due. */
int session_connect(struct session *s, const struct session_settings *settings,
    const struct target *target);
/* Greeting and EHLO, then HELO if that is refused, or only HELO. */
enum session_result session_greet(struct session *s, bool only_helo);

/* Sends what s->out holds, in one write if the kernel takes it.  0 or a
 * negative code, and then the last byte has not left this host. */
int session_flush(struct session *s);
/*
 * Reads one reply into code and said.  0, or a negative code and the session
 * is broken; said may then hold what came.
 */
int session_reply(struct session *s);
/*
 * Says QUIT if the session is in step, without waiting for anything; what
 * becomes of it changes nothing.  Then closes.
 */
void session_close(struct session *s);

#endif
