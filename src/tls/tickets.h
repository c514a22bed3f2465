/*
 * The keys of session tickets (RFC 5077): one file for all services of a
 * home, so that a client may resume on any of them and after a restart.
 *
 * run/tls/tickets belongs to whoever runs qmail-tlsd (root), mode 0600 in a
 * directory 0700.  Whichever qmail-tlsd first finds the newest key older than
 * TICKETS_ROTATE puts a new one in front, under run/tls/lock.  Where there is
 * no such directory, the keys are this process's own.
 */
#ifndef TLS_TICKETS_H
#define TLS_TICKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TICKETS_DIR "run/tls"

enum {
	TICKETS_KEYS = 3,       /* the present one and those before it */
	TICKETS_ROTATE = 43200, /* seconds for which a key makes new tickets */
	TICKETS_LOOK = 60,      /* seconds between looks at the file */
	TICKET_NAME = 16,
	TICKET_SECRET = 32,
	TICKET_RECORD = 8 + TICKET_NAME + 2 * TICKET_SECRET /* in the file */
};

struct ticket_key {
	int64_t created; /* seconds since 1970 */
	unsigned char name[TICKET_NAME];
	unsigned char cipher[TICKET_SECRET], mac[TICKET_SECRET];
};

struct tickets {
	struct ticket_key keys[TICKETS_KEYS]; /* newest first */
	size_t count;
	int64_t looked; /* clock_mono_ms() of the last look; 0: never */
};

/*
 * Makes sure that there is a key and that it is young enough.  dir is the
 * directory above.  0; else (QE_SYS) no key can be made at all.  Trouble with
 * the file is no failure: *saved tells.
 */
int tickets_refresh(
    struct tickets *t, const char *dir, int64_t now, bool *saved);
/* The key of that name, or NULL. */
const struct ticket_key *tickets_find(
    const struct tickets *t, const unsigned char name[TICKET_NAME]);

/* The file's content; for tickets_refresh and tests.  Records that are no
 * key (from the future) are dropped.  0, or QE_CORRUPT. */
int tickets_decode(
    struct tickets *t, const void *bytes, size_t len, int64_t now);
size_t tickets_encode(
    const struct tickets *t, unsigned char out[TICKETS_KEYS * TICKET_RECORD]);

#endif
