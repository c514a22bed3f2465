/*
 * What a connection must give before mail goes over it: control/tlsremote,
 * DANE (RFC 7672) and MTA-STS (RFC 8461), settled for each exchanger.
 */
#ifndef REMOTE_SECURITY_H
#define REMOTE_SECURITY_H

#include "remote/mtasts.h"
#include "remote/plan.h"
#include "remote/route.h"
#include "smtp/tls_client.h"

enum { SECURITY_TLSA_BYTES_MAX = 32768 };

/* What holds for all exchangers of one plan. */
struct security {
	const struct config *config; /* lent */
	const struct names *names;   /* lent */
	enum tls_level level;
	bool dane_may; /* DANE where there is any, else level */
	/* An MTA-STS policy that is to be enforced. */
	bool has_sts;
	struct buf sts_bytes;
	struct sts_file sts;
};

/* What one of them must give. */
struct security_want {
	enum tls_level level;
	struct strv name; /* lent by the target */
	const char *ca_file;
	struct buf raw; /* TLSA records */
	struct tls_tlsa tlsa[TLS_CLIENT_TLSA_MAX];
	size_t tlsa_count;
};

/* 0, or QE_SYNTAX: err tells of the line of tlsremote. */
int security_init(struct security *security, const struct config *config,
    const struct names *names, const struct plan *plan,
    struct control_error *err);
/*
 * Looks for the MTA-STS policy of the plan's host, where one could ask for
 * more than the level does; this may take its time.
 */
void security_find_policy(struct security *security, const struct plan *plan);
/* Any number of times after security_init. */
void security_free(struct security *security);
/*
 * 0; QE_TEMP (the DNS does not tell), QE_ABSENT (no DANE where it must be);
 * QE_DENIED (not an exchanger of the MTA-STS policy), QE_NOMEM.  want is freed
 * by security_want_free in each case.
 */
int security_find(const struct security *security, const struct target *target,
    struct security_want *want);
void security_want_free(struct security_want *want);

#endif
