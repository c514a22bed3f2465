/*
 * The process that programs talk to: it takes messages by clamd's protocol,
 * many at a time and as slowly as they come, gives whole ones to workers and
 * passes the verdicts on.  It never looks into a message.
 */
#ifndef SCAN_FRONT_H
#define SCAN_FRONT_H

#include "scan/settings.h"

enum {
	CLIENTS_MAX = 256,     /* more wait to be accepted */
	COMMAND_SECONDS = 30,  /* for a command */
	STREAM_SECONDS = 1500, /* for the next bytes of a message */
	CLOSING_MS = 1000      /* for a client to hear us out */
};

/* Serves the listener for ever; signals is a signalfd of HUP and CHLD. */
_Noreturn void front_run(
    int listener, int signals, const struct scan_settings *settings);

#endif
