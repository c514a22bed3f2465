/*
 * control/smtpplugins: which programs are asked at which stage of an SMTP
 * session, in qmail-spp's format (smtp-plugins(5)).
 */
#ifndef SMTP_PLUGIN_CONFIG_H
#define SMTP_PLUGIN_CONFIG_H

#include "base/strv.h"
#include "conf/control.h"

/* In the order of a conversation, AUTH apart. */
enum plugin_stage {
	PLUGIN_CONNECTION,
	PLUGIN_HELO,
	PLUGIN_MAIL,
	PLUGIN_RCPT,
	PLUGIN_DATA,
	PLUGIN_CONTENT,
	PLUGIN_AUTH,
	PLUGIN_STAGES
};

enum {
	PLUGINS_MAX = 64,      /* in the file */
	PLUGIN_LINE_MAX = 4096 /* bytes of one line */
};

struct plugin_line {
	enum plugin_stage stage;
	char **argv; /* owned, one block */
};

struct plugin_config {
	struct plugin_line *items; /* owned, in the order of the file */
	size_t count;
	size_t of_stage[PLUGIN_STAGES]; /* how many there are */
};

/* "connection", "helo" ... as between the brackets. */
const char *plugin_stage_name(enum plugin_stage stage);

/*
 * Sections and lines.  Words are separated by blanks; what follows a colon
 * in the first column is a command for /bin/sh.  0, QE_SYNTAX, QE_LIMIT,
 * QE_NOMEM; err names the line.
 */
int plugin_config_parse(
    struct strv text, struct plugin_config *out, struct control_error *err);
/*
 * Reads the control file: as above, QE_ABSENT if there is none (of which err
 * does not tell), or another failure.
 */
int plugin_config_load(struct plugin_config *out, struct control_error *err);
void plugin_config_free(struct plugin_config *config);

#endif
