/*
 * All checks, in the order in which those of one stage are asked.  A new
 * check is a file beside this one, a declaration, a line here, and its name
 * in conf/check_modes.c.
 */
#include "smtpd/checks/list.h"

/* clang-format off */
const struct check *const checks_list[] = {
	&check_relayclient,
	&check_norelay, /* whatever else it may */
	&check_badhelo,
	&check_goodmailfrom, /* spares some of the next ones */
	&check_badmailfrom,
	&check_bare_recipient,
	&check_rcpthosts,
	&check_maxrcpt,
	&check_badmailto,
	&check_datechecks,
	&check_validrcptto,
	&check_realrcptto,
	&check_realrcptto_data,
	&check_rcptcheck,
	&check_mxblacklist, /* the network comes last */
	&check_mfcheck,
	&check_ratelimit, /* counts what the others have passed */
	&check_clamd, /* the message, not the envelope, from here on */
};
/* clang-format on */

const size_t checks_count = sizeof(checks_list) / sizeof(*checks_list);

_Static_assert(sizeof(checks_list) / sizeof(*checks_list) <= CHECKS_MAX,
    "struct notes has a mode for each check");
