/*
 * The protocol with qmail-lspawn and qmail-rspawn (qmail-lspawn(8)), seen
 * from qmail-send.
 *
 * A spawner says its limit in its first byte, and deliveries have numbers of
 * one byte.  A first byte 0, which a classic spawner never sends, announces
 * more: two bytes follow, the limit, little-endian, and all delivery numbers
 * have two bytes, little-endian, too.
 */
#ifndef SEND_SPAWN_LINK_H
#define SEND_SPAWN_LINK_H

#include "base/buf.h"

#include <stdbool.h>

enum {
	SPAWN_LIMIT_MAX = 65000,  /* deliveries at a time, per channel */
	SPAWN_REPORT_MAX = 10000, /* bytes of one report that are kept */
	SPAWN_NUMBER_BYTES = 2    /* at most */
};

struct spawn_limit {
	unsigned limit;
	unsigned number_bytes; /* 1 or 2 */
};

/* Reads the greeting, which may take a while.  0, QE_EOF, QE_SYNTAX. */
int spawn_link_greeting(int fd, struct spawn_limit *out);

/* One request; messid is the path below mess/. */
void spawn_link_add_request(struct buf *out, unsigned number_bytes,
    unsigned number, const char *messid, struct strv sender,
    struct strv recipient);

/* Collects one report at a time; whatever is too long is cut. */
struct spawn_report {
	unsigned number_bytes; /* set by the caller */
	unsigned number_have;
	unsigned number;
	size_t len;
	char text[SPAWN_REPORT_MAX]; /* letter and text */
};

/*
 * Takes bytes up to the end of the present report and says how many.  When
 * *complete is true number, len and text hold a whole report; the caller
 * resets before the next one.
 */
size_t spawn_report_feed(
    struct spawn_report *report, struct strv bytes, bool *complete);
void spawn_report_reset(struct spawn_report *report);

/*
 * The sender that the spawner hears (qmail-address(5)): a VERP sender is
 * expanded for this recipient, all others pass as they are.
 */
void spawn_link_add_sender(
    struct buf *out, struct strv sender, struct strv recipient);

#endif
