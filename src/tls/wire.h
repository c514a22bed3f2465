/*
 * An SSL object on two non-blocking descriptors: the handshake with its
 * deadline, and the relay between a peer and a plain socket of ours.
 */
#ifndef TLS_WIRE_H
#define TLS_WIRE_H

#include "base/strv.h"

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

enum {
	WIRE_PIECE = 16384, /* bytes under way in each direction: one record */
	WIRE_FIRST_MAX = 4096,
	WIRE_QUIET_MS = 500, /* until buffers are given back */
	WIRE_HOLD_MS = 200,  /* for the peer's first word to join ours */
	WIRE_END_MS = 10000, /* for each of the last pieces to reach the peer */
	WIRE_LINGER_MS = 1000 /* for the peer to hang up first */
};

struct wire {
	SSL *ssl;            /* with its role set */
	int net_in, net_out; /* the peer */
	int data;            /* the plain side */
	bool peer_is_next;   /* it speaks first after the handshake */
};

/* Gives the peer's descriptors to the SSL object; they do not block then. */
int wire_init(struct wire *w); /* 0 or QE_SYS */
/* 0; QE_TIMEOUT; QE_EOF (the peer left); QE_SYNTAX (OpenSSL's queue tells). */
int wire_handshake(struct wire *w, int64_t deadline_ms);
/*
 * Carries bytes between the two until both have said the end, or the plain
 * side is gone and the peer has got what it said, or takes no more of it.
 * Ends of file are passed on, in either direction on its own.  False if the
 * peer broke off.
 *
 * The plain side gets first (at most WIRE_FIRST_MAX bytes) before anything
 * else; with peer_is_next in one piece with what the peer says soon.
 */
bool wire_relay(struct wire *w, struct strv first);

#endif
