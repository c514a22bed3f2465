/*
 * What qmail-send is told about a delivery: from a child's exit and words to
 * K, Z or D and text (qmail-lspawn(8)).  Texts hold no NUL.
 */
#ifndef SEND_SPAWNER_REPORT_H
#define SEND_SPAWNER_REPORT_H

#include "base/buf.h"

enum {
	SPAWNER_LOCAL_OUTPUT_MAX = 3000,   /* bytes kept of qmail-local */
	SPAWNER_REMOTE_OUTPUT_MAX = 32768, /* ... of qmail-remote */
	/* qmail-send cuts at 10000; our cut leaves the letter's sense whole. */
	SPAWNER_REPORT_MAX = 9500
};

/* A child that has ended. */
struct spawner_child {
	int exit_code;      /* -1: killed by a signal */
	struct strv output; /* as far as it was kept */
	bool cut;           /* there was more */
};

void spawner_report_local(const struct spawner_child *child, struct buf *out);
void spawner_report_remote(const struct spawner_child *child, struct buf *out);

#endif
