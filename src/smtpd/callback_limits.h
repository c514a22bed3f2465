/*
 * What keeps callbacks from being turned against others: how many there are
 * at once on this host, and how many go to one address in a while, counted
 * over all sessions in cache/mfcheck.
 */
#ifndef SMTPD_CALLBACK_LIMITS_H
#define SMTPD_CALLBACK_LIMITS_H

#include "base/net.h"

#include <stdbool.h>

enum {
	CALLBACKS_SESSION_MAX = 20, /* of one session */
	CALLBACKS_AT_ONCE_MAX = 16, /* of all sessions */
	CALLBACKS_ADDRESS_MAX = 30, /* to one address, or one IPv6 /64, */
	CALLBACKS_WINDOW = 60,      /* in so many seconds */
	CALLBACK_COUNTER_FILES =
	    256 /* addresses that share one share its sum */
};

/*
 * A place among those that call at once: true and *fd, which is closed to
 * give it back; -1 where there is no directory to count in.
 */
bool callback_place_take(int *fd);
/* Counts a connection to ip; false if it has had enough for now. */
bool callback_address_count(const struct ipaddr *ip);

#endif
