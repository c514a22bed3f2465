/*
 * One SMTP connection as a client (RFC 5321): greeting, EHLO or HELO, commands
 * and their replies.  A session outlives its transactions.
 */
#ifndef REMOTE_PEER_H
#define REMOTE_PEER_H

#include "base/io.h"
#include "remote/route.h"

enum {
	PEER_READ_BUFFER = 4096,
	PEER_WRITE_MAX = 512 * 1024, /* bytes that wait for one write */
	PEER_SECONDS_MAX = 12 * 3600 /* of one session, however slow */
};

enum peer_extension {
	PEER_PIPELINING = 1, /* RFC 2920 */
	PEER_SIZE = 2,       /* RFC 1870 */
	PEER_8BITMIME = 4    /* RFC 6152 */
};

struct peer_settings {
	struct strv helohost;
	int64_t connect_ms; /* for a connection to stand */
	int64_t remote_ms;  /* for a whole reply, and for a whole write */
};

struct peer {
	const struct peer_settings *settings; /* lent */
	struct target target;
	char ip[IPADDR_TEXT_MAX];
	int fd;
	int64_t end_ms; /* PEER_SECONDS_MAX from the start */
	bool broken;    /* out of step or dead: say no more */
	bool half_done; /* a transaction was begun and did not end */
	struct source in;
	char in_data[PEER_READ_BUFFER];
	struct buf out;      /* commands that wait for peer_flush */
	unsigned extensions; /* enum peer_extension bits */
	uint64_t size_limit; /* SIZE=n of the server; 0: none told */
	int code;            /* of the last reply; 0: garbage */
	struct buf said;     /* the last reply, LF line ends */
};

enum peer_result {
	PEER_READY,
	PEER_DIED,
	PEER_DIED_AT_EHLO, /* worth a second try with HELO */
	PEER_NO_GREETING,  /* a reply other than 220 */
	PEER_NAME_REJECTED /* EHLO and HELO refused */
};

/* Connects: 0, QE_TIMEOUT, QE_SYS.  After 0 peer_close is due. */
int peer_connect(struct peer *s, const struct peer_settings *settings,
    const struct target *target);
/* Greeting and EHLO, then HELO if that is refused, or only HELO. */
enum peer_result peer_greet(struct peer *s, bool only_helo);

/* Sends what s->out holds, in one write if the kernel takes it.  0 or a
 * negative code, and then the last byte has not left this host. */
int peer_flush(struct peer *s);
/*
 * Reads one reply into code and said.  0, or a negative code and the session
 * is broken; said may then hold what came.
 */
int peer_reply(struct peer *s);
/* The server has hung up, said something unasked, or had its time. */
bool peer_is_over(const struct peer *s);
/*
 * Says QUIT if the session is in step, without waiting for anything; what
 * becomes of it changes nothing.  Then closes.
 */
void peer_close(struct peer *s);

#endif
