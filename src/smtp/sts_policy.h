/*
 * MTA-STS (RFC 8461): the record in the DNS, the policy, and the file in which
 * both are kept.  All of it was written by strangers.
 */
#ifndef SMTP_STS_POLICY_H
#define SMTP_STS_POLICY_H

#include "base/strv.h"

enum {
	STS_POLICY_BYTES_MAX = 65536, /* of a policy; RFC 8461 section 3.3 */
	STS_FILE_BYTES_MAX = STS_POLICY_BYTES_MAX + 1024,
	STS_MX_MAX = 100,
	STS_ID_MAX = 32,
	STS_NAME_MAX = 253,
	STS_AGE_MAX = 31557600 /* seconds; section 3.2 */
};

enum sts_mode { STS_NONE, STS_TESTING, STS_ENFORCE };

/* Views into the text. */
struct sts_policy {
	enum sts_mode mode;
	int64_t max_age; /* seconds */
	struct strv mx[STS_MX_MAX];
	size_t mx_count;
};

/* 0, or QE_SYNTAX, QE_LIMIT: as good as none. */
int sts_policy_parse(struct strv text, struct sts_policy *out);
/* True if the exchanger is one of the policy's. */
bool sts_policy_allows(const struct sts_policy *policy, struct strv mx);

/* The id of "v=STSv1; id=20260831T085700;": 0, QE_SYNTAX (another record). */
int sts_record_parse(struct strv text, struct strv *id);

/*
 * What is kept of a domain: "checked: <time>", and if there is a policy
 * "fetched: <time>", "id: <id>", an empty line and the policy.
 */
struct sts_file {
	int64_t checked; /* when the DNS was asked */
	int64_t fetched; /* when the policy came; 0: there is none */
	struct strv id;
	struct strv text; /* of the policy */
	struct sts_policy policy;
};

/* 0, or QE_SYNTAX: as good as none. */
int sts_file_parse(struct strv text, struct sts_file *out);
/* True if there is a policy and it holds. */
bool sts_file_holds(const struct sts_file *file, int64_t now);
/* Host names only, in lower case: safe as the name of a file. */
bool sts_is_domain(struct strv name);

#endif
