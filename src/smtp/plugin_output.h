/*
 * What a plugin of qmail-smtpd writes: commands, one a line (smtp-plugins(5)).
 * All of it is checked before any of it is obeyed.
 */
#ifndef SMTP_PLUGIN_OUTPUT_H
#define SMTP_PLUGIN_OUTPUT_H

#include "smtp/plugin_config.h"
#include "smtp/reply.h"

enum {
	PLUGIN_OUTPUT_MAX = 16384, /* bytes of one run */
	PLUGIN_ADDRESS_MAX = 1002, /* of C */
	PLUGIN_HEADER_MAX = 998,   /* of H; RFC 5322 section 2.1.1 */
	PLUGIN_VARIABLE_MAX = 8192 /* of S, name and value */
};

enum plugin_verb {
	PLUGIN_ACCEPT = 'A', /* no more plugins in this session */
	PLUGIN_NEXT = 'N',   /* none of the others for this command */
	PLUGIN_OK = 'O',     /* nor the checks of qmail-smtpd */
	PLUGIN_ERROR = 'E',  /* the reply to this command */
	PLUGIN_LATER = 'L',  /* the reply to a later one */
	PLUGIN_REJECT = 'R', /* a reply, and the connection is closed */
	PLUGIN_DROP = 'D',   /* the same without a word */
	PLUGIN_SET = 'S',
	PLUGIN_UNSET = 'U',
	PLUGIN_HEADER = 'H',
	PLUGIN_CHANGE = 'C', /* the address of MAIL or RCPT */
	PLUGIN_PRINT = 'P'   /* a line before the reply */
};

struct plugin_command {
	enum plugin_verb verb;
	enum plugin_stage until; /* of PLUGIN_LATER: MAIL, RCPT or DATA */
	struct strv argument;    /* borrowed from the output */
};

/*
 * Takes the next command off *rest; empty lines are nothing.  0, QE_EOF, or
 * QE_SYNTAX with *line being the line that is none at this stage.
 */
int plugin_command_next(struct strv *rest, enum plugin_stage stage,
    struct plugin_command *out, struct strv *line);

/*
 * "550 5.7.1 go away" as a reply.  The code must be one that answers a
 * command, 2xx, 4xx or 5xx: QE_SYNTAX.  421 closes the connection.
 */
int plugin_reply_parse(struct strv text, struct reply *out);

/* "name=value" of PLUGIN_SET: the name, and in *value what follows. */
struct strv plugin_variable(struct strv argument, struct strv *value);

#endif
