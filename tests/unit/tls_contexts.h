/*
 * What tls/store.c wants of OpenSSL, in tests that are linked without libssl:
 * a context of a PEM file that says "good".
 */
#ifndef TLS_CONTEXTS_H
#define TLS_CONTEXTS_H

#include "tls/context.h"

#include <stdio.h>
#include <stdlib.h>

void
SSL_CTX_free(SSL_CTX *ctx)
{
	free((void *)ctx);
}

SSL_CTX *
context_server(struct context_settings *settings, struct strv pem,
    char why[CONTEXT_TEXT_MAX])
{
	(void)settings;
	if (strv_starts(pem, STRV("good")))
		return malloc(1);
	snprintf(why, CONTEXT_TEXT_MAX, "it is not good");
	return NULL;
}

#endif
