/* One small file by HTTPS, for qmail-mtasts alone: here libcurl is linked. */
#ifndef REMOTE_HTTPS_H
#define REMOTE_HTTPS_H

#include "base/dns.h"

enum { HTTPS_ERROR_MAX = 256, HTTPS_ADDRESSES_MAX = 8 };

struct https_request {
	const char *host;    /* looked up by dns, not by the C library */
	const char *path;    /* begins with a slash */
	const char *ca_file; /* NULL: the system's authorities */
	long timeout_s;
};

/*
 * Appends the body; its ceiling is that of out.  The certificate must be good,
 * the status 200, the type text/plain; no redirection is followed, no proxy
 * used.  0, or a negative code and why has a sentence.
 */
int https_get(struct dns *dns, const struct https_request *request,
    struct buf *out, char why[HTTPS_ERROR_MAX]);

#endif
