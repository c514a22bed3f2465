/*
 * Requests from qmail-send to a spawner (qmail-lspawn(8)):
 * <delivery number><message id>\0<sender>\0<recipient>\0, in any portions.
 * The number is one byte, or two (least significant first) if the spawner has
 * announced more deliveries than a byte can count; see spawn_link.h.
 */
#ifndef SEND_SPAWNER_REQUEST_H
#define SEND_SPAWNER_REQUEST_H

#include "base/buf.h"

enum {
	SPAWNER_ID_MAX = 100,      /* bytes of "12/1106519" */
	SPAWNER_ADDRESS_MAX = 8192 /* the queue's limit, prefixes, VERP */
};

struct spawner_request {
	unsigned number_bytes; /* 1 or 2 */
	unsigned number_have;  /* bytes of the number that have arrived */
	unsigned number;
	unsigned field; /* 0: id, 1: sender, 2: recipient, 3: complete */
	/* Longer ones show as an error in the buffer: they were cut. */
	struct buf id, sender, recipient;
};

void spawner_request_init(struct spawner_request *r, unsigned number_bytes);
/* Forgets the last request and waits for the next. */
void spawner_request_reset(struct spawner_request *r);
void spawner_request_clear(struct spawner_request *r);
/*
 * Takes bytes off *in up to the end of one request; true if it is complete.
 */
bool spawner_request_feed(struct spawner_request *r, struct strv *in);
/*
 * The report that answers a request which is wrong in itself ("D..." or
 * "Z..."), or NULL.
 */
const char *spawner_request_flaw(const struct spawner_request *r);

#endif
