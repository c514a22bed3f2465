/* The limited SMTP conversation of rblsmtpd with clients that are blocked. */
#ifndef SMTPD_RBL_REFUSE_H
#define SMTPD_RBL_REFUSE_H

#include <stdint.h>

struct rbl_refusal {
	int code;         /* 451 or 553 */
	const char *text; /* printable, as all of these */
	const char *greet, *accept, *quit;
	int64_t seconds; /* for all of it */
};

/* Talks on the descriptors until QUIT, the peer's end or the time limit. */
void rbl_refuse(int in_fd, int out_fd, const struct rbl_refusal *refusal);

#endif
