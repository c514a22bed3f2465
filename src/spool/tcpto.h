/*
 * lock/tcpto: addresses that timed out of late (qmail-queue(5)).  Paths
 * are relative to the home.  A missing file means nothing is skipped.
 */
#ifndef SPOOL_TCPTO_H
#define SPOOL_TCPTO_H

#include "base/net.h"

#include <stdint.h>
#include <sys/types.h>

/*
 * 64 records of 16 bytes for IPv4, as ever, and behind them, where others do
 * not look, 64 of 32 bytes for IPv6.
 */
enum {
	TCPTO_FAMILY_RECORDS = 64,
	TCPTO_RECORDS = 2 * TCPTO_FAMILY_RECORDS /* IPv4 first */
};

struct tcpto_record {
	struct ipaddr ip;
	unsigned count; /* 0: free */
	int64_t when;
};

bool tcpto_should_skip(const struct ipaddr *ip, int64_t now, pid_t pid);
void tcpto_note_timeout(const struct ipaddr *ip, int64_t now);
void tcpto_note_success(const struct ipaddr *ip);
/* Zeroes all records: 0 or QE_SYS. */
int tcpto_clear(void);
/* 0 or QE_SYS, QE_ABSENT. */
int tcpto_read(struct tcpto_record out[TCPTO_RECORDS]);

#endif
