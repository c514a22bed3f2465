/*
 * Which level of TLS an exchanger must give.
 *
 * TLSA records count only where DNSSEC vouches for the whole way: for the
 * list of exchangers, for the exchanger's address and for the records
 * themselves.  Otherwise whoever can lie about one can lie about all.
 */
#include "remote/security.h"

#include "base/error.h"
#include "conf/hosts.h"

#include <stdio.h>
#include <string.h>

enum { TLSA_NAME_MAX = DNS_NAME_MAX + 16, TLSA_FIXED = 3 };

static const struct {
	const char *name;
	enum tls_level level;
	bool dane_may;
} levels[] = {
	{"none",      TLS_LEVEL_NONE,    false},
	{ "may",      TLS_LEVEL_MAY,     false},
	{ "encrypt",  TLS_LEVEL_ENCRYPT, false},
	{ "verify",   TLS_LEVEL_VERIFY,  false},
	{ "dane",     TLS_LEVEL_DANE,    false},
	{ "dane-may", TLS_LEVEL_MAY,     true },
};

static int
take_level(struct security *security, struct strv name)
{
	for (size_t i = 0; i < sizeof(levels) / sizeof(*levels); i++) {
		if (!strv_eq_nocase(name, strv_of(levels[i].name)))
			continue;
		security->level = levels[i].level;
		security->dane_may = levels[i].dane_may;
		return 0;
	}
	return QE_SYNTAX;
}

static int
take_line(struct security *security, const struct control_entry *entry,
    struct control_error *err)
{
	if (take_level(security, strv_trim_blanks(entry->value)) == 0)
		return 0;
	snprintf(err->text, sizeof(err->text),
	    "control/tlsremote line %u: no such level; none may encrypt "
	    "verify dane dane-may are known",
	    entry->line);
	return QE_SYNTAX;
}

/*
 * All lines are looked at: one that makes no sense may have been meant for
 * this host ("2001:db8::1:verify").
 */
int
security_init(struct security *security, const struct config *config,
    const struct names *names, const struct plan *plan,
    struct control_error *err)
{
	const struct control_set *lines = &config->tlsremote;
	const struct control_entry *entry =
	    hosts_find_domain(lines, plan->name, true);
	int r = 0;

	*security = (struct security){
		.config = config, .names = names, .level = TLS_LEVEL_MAY
	};
	for (size_t i = 0; r == 0 && i < lines->count; i++)
		r = take_line(security, &lines->entries[i], err);
	security->level = TLS_LEVEL_MAY;
	security->dane_may = false;
	return r == 0 && entry != NULL ? take_line(security, entry, err) : r;
}

void
security_find_policy(struct security *security, const struct plan *plan)
{
	const struct config *config = security->config;

	/* "none" is what the administrator wants, and DANE comes first.  To
	 * "verify" the policy adds which names may be in the certificate. */
	if (config->mtasts == 0 || plan->relayed || security->has_sts ||
	    security->level == TLS_LEVEL_NONE ||
	    security->level == TLS_LEVEL_DANE)
		return;
	security->has_sts = mtasts_find(plan->name, (int)config->log_fd,
				&security->sts_bytes, &security->sts) == 0 &&
			    security->sts.policy.mode == STS_ENFORCE;
}

void
security_free(struct security *security)
{
	buf_free(&security->sts_bytes);
	security->has_sts = false;
}

/* RFC 7672 section 3.1: of the usages only DANE-TA and DANE-EE. */
static void
take_tlsa(struct security_want *want, struct strv record)
{
	struct tls_tlsa *t = &want->tlsa[want->tlsa_count];

	if (want->tlsa_count == TLS_CLIENT_TLSA_MAX || record.len <= TLSA_FIXED)
		return;
	t->usage = (unsigned char)record.ptr[0];
	t->selector = (unsigned char)record.ptr[1];
	t->matching = (unsigned char)record.ptr[2];
	t->data = strv_skip(record, TLSA_FIXED);
	if ((t->usage == 2 || t->usage == 3) && t->selector <= 1 &&
	    t->matching <= 2)
		want->tlsa_count++;
}

/* 0 if there are records to go by or to know of, QE_ABSENT if there are none,
 * QE_TEMP, QE_NOMEM. */
static int
find_tlsa(const struct names *names, const struct target *target,
    struct security_want *want)
{
	char name[TLSA_NAME_MAX];
	struct strv rest, record;
	int r;

	if (!target->secure || names->tlsa == NULL)
		return QE_ABSENT;
	snprintf(name, sizeof(name), "_%u._tcp." STRV_FMT,
	    (unsigned)target->port, STRV_ARG(target->name));
	r = names->tlsa(names->state, strv_of(name), &want->raw);
	if (r == QE_DENIED || r == QE_SYNTAX)
		return QE_ABSENT;
	if (r < 0)
		return r == QE_ABSENT || r == QE_NOMEM ? r : QE_TEMP;
	if (!names->secure(names->state))
		return QE_ABSENT;
	rest = buf_view(&want->raw);
	while (dns_raw_next(&rest, &record))
		take_tlsa(want, record);
	return 0;
}

static int
apply_dane(const struct security *security, const struct target *target,
    struct security_want *want)
{
	bool must = security->level == TLS_LEVEL_DANE;
	int r = find_tlsa(security->names, target, want);

	if (r < 0)
		return r == QE_ABSENT && !must ? 0 : r;
	if (want->tlsa_count > 0)
		want->level = TLS_LEVEL_DANE;
	else if (must)
		return QE_ABSENT;
	else
		/* Records that nobody can use still say: not in clear. */
		want->level = TLS_LEVEL_ENCRYPT;
	return 0;
}

int
security_find(const struct security *security, const struct target *target,
    struct security_want *want)
{
	int r = 0;

	memset(want, 0, sizeof(*want));
	want->raw.max = SECURITY_TLSA_BYTES_MAX;
	want->level = security->level;
	want->name = target->name;
	if (security->dane_may || security->level == TLS_LEVEL_DANE)
		r = apply_dane(security, target, want);
	/* RFC 8461 section 2: DANE comes first. */
	if (r == 0 && security->has_sts && want->level != TLS_LEVEL_DANE)
		want->level = TLS_LEVEL_VERIFY;
	if (want->level == TLS_LEVEL_VERIFY && control_exists(CTL_CAFILE))
		want->ca_file = "control/cafile";
	if (r < 0 || !security->has_sts || want->level != TLS_LEVEL_VERIFY)
		return r;
	return sts_policy_allows(&security->sts.policy, target->name)
		   ? 0
		   : QE_DENIED;
}

void
security_want_free(struct security_want *want)
{
	buf_free(&want->raw);
}
