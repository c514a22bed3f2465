/*
 * TLS as a neighbour: the server's side of UCSPI-TLS, for qmail-smtpd and
 * qmail-popup.  The process in front (qmail-tls or any other UCSPI-TLS
 * server) holds the key; here a byte asks for the handshake, and two plain
 * descriptors take the place of the socket.
 *
 *   ucspi_tls_init(&tls);
 *   if (tls.state == TLS_IMPLICIT && ucspi_tls_start(&tls, ...) != 0) end;
 *   ... greeting; then, at STARTTLS or STLS, if tls.state is TLS_AVAILABLE or
 *   TLS_REQUIRED: say "ready", flush, ucspi_tls_start(), forget all that the
 *   client said before.
 */
#ifndef SMTP_UCSPI_TLS_H
#define SMTP_UCSPI_TLS_H

#include "base/io.h"
#include "smtp/tls_facts.h"
#include "smtp/tls_way.h"

#include <stdbool.h>
#include <stdint.h>

enum tls_state {
	TLS_NONE,      /* never: nothing to offer */
	TLS_AVAILABLE, /* may be started by the client */
	TLS_REQUIRED,  /* $UCSPITLS is "!": must be, before MAIL or a login;
			* startable only if there is a front (may_start) */
	TLS_IMPLICIT,  /* $SMTPS: we start it, before the greeting */
	TLS_ON
};

enum { UCSPI_TLS_SECONDS = 120 }; /* for the front to finish a handshake */

struct ucspi_tls {
	enum tls_state state;
	int control_fd, read_fd, write_fd; /* close-on-exec; -1: no front */
	struct tls_way way;                /* to a qmail-tlsd */
	struct tls_facts facts;            /* empty unless TLS_ON */
};

/*
 * Reads $UCSPITLS, $SSLCTLFD, $SSLREADFD, $SSLWRITEFD and $SMTPS, and removes
 * the three descriptors from the environment: what we start cannot ask for
 * TLS.  Descriptors that are not open count as no front.  $SMTPS without a
 * front means that whoever started us speaks TLS already.
 */
void ucspi_tls_init(struct ucspi_tls *t);

/* True if STARTTLS or STLS has something to start: show it, and take it. */
bool ucspi_tls_may_start(const struct ucspi_tls *t);
/* True if the client has to start TLS before it may go on. */
bool ucspi_tls_is_required(const struct ucspi_tls *t);
/* The one fact for others: nobody listens on the wire. */
bool ucspi_tls_is_on(const struct ucspi_tls *t);

/*
 * Has the client told that it may begin (ready, a whole reply of at most
 * ORDER_WORDS_MAX bytes; empty: that was said), asks for the handshake and
 * waits for its end.  Replies before must have been flushed.  Afterwards the
 * descriptors of in and out (0 and 1, say) are those of the front, whatever
 * was buffered in clear is gone, state is TLS_ON, and the facts are known and
 * in the environment of programs we start.
 *
 * Under "qmail-tls -r" alone, $QMAILTLS names the way to qmail-tlsd, and no
 * process stands in front: then this makes what a front would have made.
 *
 * 0; QE_ABSENT (there is nobody who could, or no certificate that can be
 * used): nothing was said and the session may go on in clear.  QE_EOF (the
 * handshake failed or the client left), QE_TIMEOUT, QE_LIMIT, QE_SYS,
 * QE_NOMEM: nothing more can be said to the client, end.
 */
int ucspi_tls_start(struct ucspi_tls *t, struct strv ready, struct source *in,
    struct sink *out, int64_t deadline_ms);

/*
 * All is said and flushed, and the session is about to end: TLS is told at
 * once, so that the end goes out together with the last reply.
 */
void ucspi_tls_finish(const struct ucspi_tls *t, int out_fd);

#endif
