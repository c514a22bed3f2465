/* What plugins.c, plugins_apply.c and plugins_content.c share. */
#ifndef SMTPD_PLUGINS_STATE_H
#define SMTPD_PLUGINS_STATE_H

#include "smtpd/plugins.h"

enum {
	PLUGINS_ENVIRONMENT_MAX = 65536, /* bytes that S adds in a session */
	PLUGINS_FIELDS_MAX = 16384       /* bytes of H before MAIL */
};

/* A reply that a plugin wants at a later stage. */
struct plugin_later {
	bool pending;
	enum plugin_stage set_at;
	struct reply reply;
};

struct plugins {
	struct plugin_config config;
	int64_t seconds; /* that each may take */
	bool off;        /* A was said */
	bool off_anyway; /* at [connection]: it is no matter of words */
	bool changed_environment;
	size_t environment_bytes;     /* set so far */
	size_t recipients_named;      /* in this transaction, also refused */
	bool recipient_allowed;       /* by rcpthosts or trust */
	struct buf connection_fields; /* H at [connection]: for all messages */
	struct buf helo_fields;       /* H at [helo] and [auth] */
	struct plugin_later later[PLUGIN_DATA + 1]; /* of MAIL, RCPT, DATA */
	/* The message, for [content]. */
	int content_fd;          /* -1: none is held */
	int inputs[PLUGINS_MAX]; /* one for each of its plugins, from 0 on */
	size_t input_count;
	bool content_failed;
	struct buf content_fields; /* H at [content] */
};

/*
 * Obeys what one plugin has said.  False if that was no sequence of commands,
 * and nothing was done; why says what is wrong.  *ends: no other plugin is
 * asked.
 */
bool plugins_apply(struct session *s, enum plugin_stage stage,
    struct strv output, struct plugins_verdict *verdict, bool *ends,
    struct buf *why);

#endif
