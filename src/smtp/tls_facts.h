/*
 * What a TLS process tells of a handshake: "NAME=value" strings, each ended
 * by NUL, and an empty one at the end.  Much of it was chosen by the peer, so
 * it is hostile text: unknown and endless entries are skipped, bytes that are
 * no printable ASCII become '?', and no amount of it takes more memory.
 */
#ifndef SMTP_TLS_FACTS_H
#define SMTP_TLS_FACTS_H

#include "base/io.h"
#include "base/strv.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	TLS_FACTS_ENTRY_MAX = 768, /* bytes of one entry; others are skipped */
	TLS_FACTS_TEXT_MAX = 256 << 10 /* bytes of all of them */
};

/* C strings, empty where nothing (or too much) was told. */
struct tls_facts {
	char protocol[32];     /* SSL_PROTOCOL: "TLSv1.3" */
	char cipher[96];       /* SSL_CIPHER: "TLS_AES_256_GCM_SHA384" */
	char server_name[256]; /* SSL_TLS_SNI_SERVERNAME */
	char client_name[512]; /* SSL_CLIENT_S_DN */
	char outcome[16];      /* QMAILTLS_OUTCOME: of our client role */
	char error[256];       /* QMAILTLS_ERROR: a sentence, of ours */
};

struct tls_facts_reader {
	char entry[TLS_FACTS_ENTRY_MAX];
	size_t len, total;
};

/* A new reader is zeroed. */
void tls_facts_reader_init(struct tls_facts_reader *r);
/*
 * Takes bytes as they come: 0 if the end is still to come, 1 when the empty
 * string was seen, QE_LIMIT.  *bytes is then what follows it.
 */
int tls_facts_feed(
    struct tls_facts_reader *r, struct tls_facts *facts, struct strv *bytes);
/*
 * All of them, facts emptied first: 0, QE_EOF (the process gave up),
 * QE_TIMEOUT, QE_LIMIT, QE_SYS.  What came behind them stays in the source.
 */
int tls_facts_take(
    struct source *from, int64_t deadline_ms, struct tls_facts *facts);
/* The same from a descriptor on which nothing comes behind them. */
int tls_facts_read(int fd, int64_t deadline_ms, struct tls_facts *facts);
/* From the environment, where a wrapper has done the handshake before. */
void tls_facts_from_environment(struct tls_facts *facts);
/*
 * Puts SSL_PROTOCOL and the like into the environment, for programs we start;
 * what is empty is removed from it.  0 or QE_NOMEM.
 */
int tls_facts_to_environment(const struct tls_facts *facts);

#endif
