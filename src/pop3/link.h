/*
 * Between the two processes of qmail-popup.  The front, which talks to the
 * client, sends requests; the keeper, which may run checkers as root, answers
 * a login that is not right with one byte, and ends the front for one that is.
 * Requests are hostile to the keeper: whoever has
 * taken over the front can try passwords, and nothing else.
 *
 * One datagram of a SOCK_SEQPACKET pair each:
 *   'T' and struct tls_facts: the client has started TLS
 *   'L' and six fields: check this login.  A field is two bytes of length,
 *       high byte first, and as many bytes.
 */
#ifndef POP3_LINK_H
#define POP3_LINK_H

#include "base/buf.h"
#include "smtp/sasl.h"
#include "smtp/tls_facts.h"

enum {
	LINK_NAME_MAX = 20, /* bytes of a mechanism's name */
	LINK_MAX = 8192     /* bytes of a request */
};

enum link_kind { LINK_TLS = 'T', LINK_LOGIN = 'L' };

enum link_answer {
	LINK_REFUSED,   /* a wrong password */
	LINK_TEMPORARY, /* no answer */
	LINK_CRASHED    /* a signal ended the checker */
};

struct link_request {
	enum link_kind kind;
	struct tls_facts facts; /* LINK_TLS: each string ended, printable */
	/* LINK_LOGIN; views into the datagram */
	struct strv mechanism; /* empty without SASL */
	struct strv program;   /* $SASL: letters, digits, '-' */
	struct strv user, a, b, private_file;
};

void link_encode_tls(struct buf *out, const struct tls_facts *facts);
void link_encode_login(struct buf *out, const struct sasl *x);
/* 0 or QE_SYNTAX. */
int link_decode(struct strv datagram, struct link_request *out);

/* 0, QE_EOF (the other process has ended), QE_SYS. */
int link_send(int fd, struct strv datagram);
/* out is emptied first.  0, QE_EOF, QE_SYS, QE_NOMEM. */
int link_receive(int fd, struct buf *out);

#endif
