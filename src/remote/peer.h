/*
 * One SMTP connection as a client (RFC 5321): greeting, EHLO or HELO, commands
 * and their replies.  A session outlives its transactions.
 */
#ifndef REMOTE_PEER_H
#define REMOTE_PEER_H

#include "base/io.h"
#include "remote/report.h"
#include "remote/route.h"
#include "smtp/ehlo.h"
#include "smtp/tls_client.h"

enum {
	PEER_READ_BUFFER = 4096,
	PEER_WRITE_MAX = 512 * 1024, /* bytes that wait for one write */
	PEER_SECONDS_MAX = 12 * 3600 /* of one session, however slow */
};

struct peer_settings {
	struct strv helohost;
	int64_t connect_ms; /* for a connection to stand */
	int64_t remote_ms;  /* for a whole reply, and for a whole write */
	int log_fd;         /* of the dialogue; 0: none */
	int tls_place;      /* of struct tls_client_request; lent */
	/* Hears the exchanger's name when a connection stands; may be NULL. */
	void (*connected)(void *context, struct strv exchanger);
	void *context; /* lent */
};

struct peer {
	const struct peer_settings *settings; /* lent */
	struct target target;
	char ip[IPADDR_TEXT_MAX];
	int fd;
	bool has_tls;          /* fd is that of tls, then */
	struct tls_client tls; /* the neighbour that carries the bytes */
	bool silent;           /* what is said and heard is not for the log */
	int64_t end_ms;        /* PEER_SECONDS_MAX from the start */
	bool broken;           /* out of step or dead: say no more */
	bool endless;          /* broken by a reply without an end */
	bool half_done;        /* a transaction was begun and did not end */
	struct source in;
	char in_data[PEER_READ_BUFFER];
	struct buf out;    /* commands that wait for peer_flush */
	struct ehlo offer; /* of the server */
	int code;          /* of the last reply; 0: garbage */
	struct buf said;   /* the last reply, LF line ends */
};

enum peer_result {
	PEER_READY,
	PEER_DIED,
	PEER_DIED_AT_EHLO, /* worth a second try with HELO */
	PEER_NO_GREETING,  /* a reply other than 220 */
	PEER_NAME_REJECTED /* EHLO and HELO refused */
};

/*
 * Connects, from an own address if from is not NULL: 0, QE_TIMEOUT, QE_SYS.
 * After 0 peer_close is due.
 */
int peer_connect(struct peer *s, const struct peer_settings *settings,
    const struct target *target, const struct ipaddr *from);
/* Greeting and EHLO, then HELO if that is refused, or only HELO. */
enum peer_result peer_greet(struct peer *s, bool only_helo);
/* EHLO once more: what was offered before TLS no longer holds. */
enum peer_result peer_greet_again(struct peer *s);
/*
 * TLS on this connection.  0, or what tls_client_start returns and the
 * connection is dead; s->tls.facts.error tells why.
 */
int peer_start_tls(struct peer *s, const struct tls_client_request *request);
/* A command of ours and the reply to it: as peer_flush and peer_reply. */
int peer_ask(struct peer *s, const char *command);
/* A line of the dialogue's log, if there is one: "C: text". */
void peer_log(const struct peer *s, const char *prefix, struct strv text);

/* Sends what s->out holds, in one write if the kernel takes it.  0 or a
 * negative code, and then the last byte has not left this host. */
int peer_flush(struct peer *s);
/*
 * Reads one reply into code and said.  0, or a negative code and the session
 * is broken; said may then hold what came.
 */
int peer_reply(struct peer *s);
/*
 * Says in a report that the connection is dead, or what killed it.  more is
 * nothing, or a sentence with a blank behind it.
 */
void peer_report_death(
    const struct peer *s, const char *more, struct report *report);
/* The server has hung up, said something unasked, or had its time. */
bool peer_is_over(const struct peer *s);
/*
 * Says QUIT if the session is in step, without waiting for anything; what
 * becomes of it changes nothing.  Then closes.
 */
void peer_close(struct peer *s);

#endif
