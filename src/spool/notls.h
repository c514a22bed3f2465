/*
 * cache/remote/notls: servers whose TLS did not work of late, and which get
 * mail in clear text for a while where that is allowed.  Paths are relative
 * to the home.  A missing file means that nothing is remembered.
 */
#ifndef SPOOL_NOTLS_H
#define SPOOL_NOTLS_H

#include "base/net.h"

enum {
	NOTLS_RECORDS = 256,
	NOTLS_RECORD_BYTES = 32,
	NOTLS_SECONDS = 3600 /* that a record holds */
};

bool notls_has(const struct ipaddr *ip, int64_t now);
void notls_note(const struct ipaddr *ip, int64_t now);

#endif
