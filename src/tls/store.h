/*
 * The certificates of a home: control/servercert.pem for everybody, and
 * control/servercerts/NAME.pem for clients that ask for NAME (SNI).  Files
 * that were replaced are taken up before the next handshake (one that was
 * overwritten in place below servercerts: within STORE_LOOK_MS); one that
 * cannot be used leaves the one before it in force.
 */
#ifndef TLS_STORE_H
#define TLS_STORE_H

#include "tls/context.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#define STORE_NAMES_DIR "control/servercerts"

enum {
	STORE_NAMES_MAX = 2000, /* certificates by name */
	STORE_NAME_MAX = 253,   /* bytes of a name: RFC 1035 */
	STORE_LOOK_MS = 10000 /* between looks at each file of the directory */
};

struct store_entry {
	char *name; /* lower case; NULL for everybody's */
	struct stat seen;
	bool was_seen, is_there;
	SSL_CTX *ctx; /* NULL: nothing usable yet */
};

struct store {
	const char *path; /* of everybody's */
	struct context_settings *settings;
	struct store_entry everybody;
	struct store_entry *names; /* owned, sorted */
	size_t count;
	struct stat directory;
	int64_t looked;   /* clock_mono_ms() of the last look into it */
	unsigned changes; /* of any certificate, counted */
};

void store_init(
    struct store *s, const char *path, struct context_settings *settings);
/* True if there is a certificate for everybody.  Trouble is logged, once. */
bool store_refresh(struct store *s);
/* The context for a client that named a host (any bytes), or NULL. */
SSL_CTX *store_find(const struct store *s, const char *name);

#endif
