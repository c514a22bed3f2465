/* tcprules(1) from the side of the server; see the header. */
#include "listen/rules.h"
#include "base/cdb.h"
#include "base/error.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum {
	KEY_MAX = 64, /* bytes of an address in the form of rules, and a NUL */
	LOOKUP_TRIES = 3 /* when the file is replaced under our hands */
};

static int
reopen(struct rules *rules)
{
	if (rules->reader != NULL &&
	    !cdb_reader_is_stale(rules->reader, rules->path))
		return 0;
	cdb_reader_free(&rules->reader);
	return cdb_reader_open(rules->path, &rules->reader);
}

/* Eight groups of four digits; an IPv4 address as ever. */
static void
form_of_rules(const struct ipaddr *ip, char key[KEY_MAX])
{
	const unsigned char *b = ip->bytes;

	if (ip->family == AF_INET) {
		ipaddr_format(ip, key);
		return;
	}
	for (size_t i = 0; i < 8; i++)
		snprintf(key + 5 * i, KEY_MAX - 5 * i, "%02x%02x%s", b[2 * i],
		    b[2 * i + 1], i == 7 ? "" : ".");
}

/* Shorter and shorter: "192.0.2.1", "192.0.2.", "192.0.", "192.", "". */
static int
find_shorter(
    struct cdb_reader *reader, const struct ipaddr *client, struct strv *value)
{
	char text[KEY_MAX];
	struct strv key;
	int r;

	form_of_rules(client, text);
	key = strv_of(text);
	for (;;) {
		r = cdb_reader_seek(reader, key, value);
		if (r != QE_ABSENT || key.len == 0)
			return r;
		key.len--;
		while (key.len > 0 && key.ptr[key.len - 1] != '.')
			key.len--;
	}
}

static int
find(struct cdb_reader *reader, const struct ipaddr *client, struct strv *value)
{
	char text[IPADDR_TEXT_MAX];
	int r = QE_ABSENT;

	if (client->family == AF_INET6) {
		ipaddr_format(client, text);
		r = cdb_reader_seek(reader, strv_of(text), value);
	}
	return r == QE_ABSENT ? find_shorter(reader, client, value) : r;
}

/* Of two values for a name the later counts. */
static int
add_variable(struct ruling *out, char *entry)
{
	size_t n = (size_t)(strchr(entry, '=') - entry) + 1;
	size_t i = 0;

	while (i < out->count && strncmp(out->variables[i], entry, n) != 0)
		i++;
	if (i == RULE_VARIABLES_MAX)
		return QE_LIMIT;
	out->variables[i] = entry;
	out->count += i == out->count;
	return 0;
}

/* Words that end with NUL: "D" denies, "+NAME=value" is a variable. */
static int
follow(struct strv value, struct ruling *out)
{
	char *at;
	int r = 0;

	buf_add_view(&out->bytes, value);
	if (out->bytes.err != 0)
		return out->bytes.err;
	if (value.len > 0 && value.ptr[value.len - 1] != '\0')
		return QE_CORRUPT;
	at = out->bytes.data;
	for (size_t left = value.len; left > 0 && r == 0;) {
		size_t n = strlen(at) + 1;

		if (strcmp(at, "D") == 0)
			out->deny = true;
		else if (*at != '+' || at[1] == '=' || strchr(at, '=') == NULL)
			r = QE_CORRUPT;
		else
			r = add_variable(out, at + 1);
		at += n;
		left -= n;
	}
	return r;
}

static void
forget(struct ruling *ruling)
{
	buf_reset(&ruling->bytes);
	ruling->bytes.max = RULE_BYTES_MAX;
	memset(ruling->variables, 0, sizeof(ruling->variables));
	ruling->count = 0;
	ruling->deny = false;
}

int
rules_find(struct rules *rules, const struct ipaddr *client, struct ruling *out)
{
	struct strv value;
	int r, tries = 0;

	forget(out);
	if (rules->path == NULL)
		return 0;
	do {
		r = reopen(rules);
		if (r == QE_ABSENT && rules->optional)
			return 0;
		if (r != 0)
			return r;
		r = find(rules->reader, client, &value);
		if (r == QE_ABSENT)
			value = STRV_EMPTY;
		if (r == 0 || r == QE_ABSENT)
			r = cdb_reader_check(rules->reader);
		if (r != 0)
			cdb_reader_free(&rules->reader);
	} while (r == QE_CORRUPT && ++tries < LOOKUP_TRIES);
	return r != 0 ? r : follow(value, out);
}

void
rules_free(struct rules *rules, struct ruling *ruling)
{
	cdb_reader_free(&rules->reader);
	buf_free(&ruling->bytes);
	ruling->bytes.max = 0;
	forget(ruling);
}

const char *
ruling_get(const struct ruling *ruling, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < ruling->count; i++) {
		const char *entry = ruling->variables[i];

		if (strncmp(entry, name, n) == 0 && entry[n] == '=')
			return entry + n + 1;
	}
	return NULL;
}
