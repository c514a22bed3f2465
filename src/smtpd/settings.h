/* The control files of qmail-smtpd, read once when a session starts. */
#ifndef SMTPD_SETTINGS_H
#define SMTPD_SETTINGS_H

#include "base/buf.h"
#include "conf/control.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	GREETING_MAX = 8192,    /* bytes of all its lines */
	GREETING_USUAL = 128,   /* bytes that need no malloc(3) */
	GREETING_TEXT_MAX = 400 /* bytes of its last line that replies repeat */
};

struct log_settings {
	int fd; /* 0: off */
	bool in, out, orchecks, tarpitting, bmchecks, datechecks;
};

struct tarpit_settings {
	bool enabled; /* $NO_TARPITTING is not set */
	int64_t count, delay;
};

struct settings {
	struct buf greeting;   /* all lines, each ended by LF */
	struct strv last_line; /* of the greeting */
	int64_t timeout;       /* seconds for a line or a block */
	int64_t dot_timeout;   /* seconds from the final dot to its reply */
	int64_t size_max;      /* bytes of a message; 0: no limit */
	int64_t address_max, command_max, recipients_max, hops_max;
	bool needs_brackets;
	struct tarpit_settings tarpit;
	struct log_settings log;
	char greeting_data[GREETING_USUAL];
};

/* 0; else a negative code and err says what is wrong in which file. */
int settings_load(struct settings *out, struct control_error *err);
void settings_free(struct settings *settings);

#endif
