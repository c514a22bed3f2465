/*
 * Orders to qmail-tlsd: one connection each, its descriptors in one message
 * of a socket that keeps messages apart (unix(7), see smtp/tls_way.h).
 * qmail-tlsd answers each on the control descriptor: ORDER_YES, or ORDER_NO
 * and the end.  It hands them on to its own processes in the same form.
 *
 * With ORDER_SOON control and data are one socket, and qmail-tlsd says to the
 * client itself that it may begin: nobody is woken up for an answer.  Behind
 * ORDER_YES come the facts (smtp/tls_facts.h), and behind their end what the
 * client says; ORDER_NO means that nothing was said.
 */
#ifndef SMTP_TLS_ORDER_H
#define SMTP_TLS_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/un.h>

enum {
	ORDER_WAIT = 'w', /* the handshake, when control says 'y' or 'Y' */
	ORDER_SOON = 's', /* after the words; data is control, too */
	ORDER_NOW = 'n',  /* at once; what came of it is told on control */
	ORDER_MUTE = 'm', /* at once; nothing is told */
	ORDER_YES = '+',
	ORDER_NO = '-', /* there is no certificate that can be used */
	ORDER_PEER_MAX = 64,
	ORDER_WORDS_MAX = 128
};

struct tls_order {
	char mode;
	char peer[ORDER_PEER_MAX];   /* the client's address, for the log */
	int control, data;           /* our ends of pairs of sockets */
	int net_in, net_out;         /* the client; may be the same */
	char words[ORDER_WORDS_MAX]; /* for the client, in clear */
	size_t words_len;
};

/*
 * Sends it; the descriptors stay the caller's.  0, QE_EOF (nobody listens),
 * QE_SYS.
 */
int order_send(int fd, const struct tls_order *order);
/* The same from a socket that has no peer. */
int order_send_to(
    int fd, const struct sockaddr_un *to, const struct tls_order *order);
/*
 * Takes the next one, if one is there; the descriptors are close-on-exec and
 * the caller's.  0; QE_EOF when nobody is left who could send one (or, where
 * anybody can send, for a message with nothing in it); QE_SYNTAX,
 * with everything closed, for what is no order; QE_SYS (EAGAIN: none there).
 */
int order_receive(int fd, struct tls_order *order);
/* The same, and waits for it. */
int order_wait(int fd, struct tls_order *order);
void order_close(struct tls_order *order);

#endif
