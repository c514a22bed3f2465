/* The control files of qmail-scand, read when it starts. */
#ifndef SCAN_SETTINGS_H
#define SCAN_SETTINGS_H

#include "base/buf.h"
#include "conf/scan_alerts.h"

#include <stdint.h>

enum { SCAN_WORKERS_MAX = 64 };

struct control_error;

struct scan_settings {
	struct buf database; /* a directory or a file; a C string */
	int64_t workers;     /* scans at a time */
	int64_t message_max; /* bytes of a message */
	int64_t data_max;    /* bytes looked at in all, with all that unpacks */
	int64_t file_max;    /* bytes looked at of each file in it */
	int64_t depth_max;   /* archives within archives */
	int64_t files_max;   /* files in it */
	int64_t seconds;     /* for one message */
	int64_t memory_mib;  /* of one scan, besides the database */
	struct scan_alerts alerts;
};

/* 0; else a negative code and err says what is wrong in which file. */
int scan_settings_load(struct scan_settings *out, struct control_error *err);
void scan_settings_free(struct scan_settings *settings);

#endif
