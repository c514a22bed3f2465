/*
 * The parser of handshake facts.  It keeps one entry at a time and believes
 * nothing but the names in its table (UCSPI-TLS, qmail-tls(8)).
 */
#include "smtp/tls_facts.h"
#include "base/clock.h"
#include "base/env.h"
#include "base/error.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#define FIELD(member)                                                          \
	offsetof(struct tls_facts, member),                                    \
	    sizeof(((struct tls_facts *)0)->member)

static const struct field {
	const char *name;
	size_t offset, size;
	bool exported; /* other servers and programs know it, too */
} fields[] = {
	{"SSL_PROTOCOL",            FIELD(protocol),    true },
	{ "SSL_CIPHER",             FIELD(cipher),      true },
	{ "SSL_TLS_SNI_SERVERNAME", FIELD(server_name), true },
	{ "SSL_CLIENT_S_DN",        FIELD(client_name), true },
	{ "QMAILTLS_OUTCOME",       FIELD(outcome),     false},
	{ "QMAILTLS_ERROR",         FIELD(error),       false},
};

enum { FIELD_COUNT = sizeof(fields) / sizeof(*fields) };

void
tls_facts_reader_init(struct tls_facts_reader *r)
{
	r->len = r->total = 0;
}

/* A value that does not fit is left out: a cut one would say another thing. */
static void
keep(struct tls_facts *facts, const struct field *field, struct strv value)
{
	char *to = (char *)facts + field->offset;

	if (value.len >= field->size || *to != '\0')
		return;
	for (size_t i = 0; i < value.len; i++) {
		char c = value.ptr[i];

		to[i] = c >= ' ' && c <= '~' ? c : '?';
	}
	to[value.len] = '\0';
}

static void
take_entry(struct tls_facts *facts, struct strv entry)
{
	bool found;
	struct strv value = entry;
	struct strv name = strv_cut(&value, '=', &found);

	for (size_t i = 0; found && i < FIELD_COUNT; i++)
		if (strv_eq(name, strv_of(fields[i].name)))
			keep(facts, &fields[i], value);
}

int
tls_facts_feed(
    struct tls_facts_reader *r, struct tls_facts *facts, struct strv *bytes)
{
	while (bytes->len > 0) {
		char c = *bytes->ptr;

		*bytes = strv_skip(*bytes, 1);
		if (r->total++ >= TLS_FACTS_TEXT_MAX)
			return QE_LIMIT;
		if (c != '\0') {
			/* An endless entry stays full and is dropped. */
			if (r->len < sizeof(r->entry))
				r->entry[r->len++] = c;
			continue;
		}
		if (r->len == 0)
			return 1;
		if (r->len < sizeof(r->entry))
			take_entry(facts, strv_from(r->entry, r->len));
		r->len = 0;
	}
	return 0;
}

int
tls_facts_take(
    struct source *from, int64_t deadline_ms, struct tls_facts *facts)
{
	struct tls_facts_reader reader;
	int r = 0;

	memset(facts, 0, sizeof(*facts));
	tls_facts_reader_init(&reader);
	while (r == 0) {
		struct strv bytes;

		/* A writer that never pauses is given up, too. */
		if (deadline_ms != IO_FOREVER && clock_mono_ms() >= deadline_ms)
			return QE_TIMEOUT;
		r = source_fill(from, deadline_ms);
		if (r != 0)
			return r == QE_SYS && errno == ECONNRESET ? QE_EOF : r;
		bytes = source_peek(from);
		r = tls_facts_feed(&reader, facts, &bytes);
		source_take(from, source_peek(from).len - bytes.len);
	}
	return r < 0 ? r : 0;
}

int
tls_facts_read(int fd, int64_t deadline_ms, struct tls_facts *facts)
{
	struct source from;
	char bytes[512];

	source_init(&from, fd, bytes, sizeof(bytes));
	return tls_facts_take(&from, deadline_ms, facts);
}

void
tls_facts_from_environment(struct tls_facts *facts)
{
	memset(facts, 0, sizeof(*facts));
	for (size_t i = 0; i < FIELD_COUNT; i++)
		if (fields[i].exported)
			keep(facts, &fields[i],
			    strv_of(env_get(fields[i].name)));
}

int
tls_facts_to_environment(const struct tls_facts *facts)
{
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		const char *value = (const char *)facts + fields[i].offset;

		if (!fields[i].exported)
			continue;
		if (*value == '\0')
			env_unset(fields[i].name);
		else if (env_set(fields[i].name, value) != 0)
			return QE_NOMEM;
	}
	return 0;
}
