/*
 * The stub resolver's client: which servers are asked, and what their answers
 * mean for a name.  Messages are in dns_message.c, sockets in dns_exchange.c.
 *
 * Names are taken as they are: no search list, no hosts file, as mail wants it.
 */
#include "base/dns.h"

#include "base/clock.h"
#include "base/dns_exchange.h"
#include "base/error.h"
#include "base/file.h"

#include <stdlib.h>
#include <string.h>

enum {
	DNS_PORT = 53,
	DNS_CONFIG_MAX = 65536 /* bytes of resolv.conf */
};

#define DNS_CONFIG "/etc/resolv.conf"

struct dns {
	struct dns_servers servers;
	int64_t timeout_ms;
	bool secure; /* of the last look-up */
	unsigned char answer[DNS_ANSWER_MAX];
};

/* "ip", "ip:port", "[ip]:port". */
static int
parse_server(struct strv text, struct dns_server *out)
{
	struct strv address = text;
	uint64_t port = DNS_PORT;
	size_t colon = strv_rfind(text, ':');
	size_t bracket = strv_rfind(text, ']');

	out->port = DNS_PORT;
	if (ipaddr_parse(text, &out->ip) == 0)
		return 0;
	if (colon == STRV_NPOS ||
	    (bracket != STRV_NPOS && colon != bracket + 1) ||
	    strv_to_u64(strv_skip(text, colon + 1), UINT16_MAX, &port) < 0 ||
	    port == 0)
		return QE_SYNTAX;
	address = strv_head(text, colon);
	/* Without brackets a port after IPv6 cannot be told from a group. */
	if (bracket == STRV_NPOS && strv_find(address, ':') != STRV_NPOS)
		return QE_SYNTAX;
	out->port = (uint16_t)port;
	return ipaddr_parse(address, &out->ip);
}

static int
add_server(struct dns_servers *servers, struct strv text)
{
	struct dns_server server;

	if (parse_server(text, &server) < 0)
		return QE_SYNTAX;
	if (servers->count < DNS_SERVERS_MAX)
		servers->items[servers->count++] = server;
	return 0;
}

/* The next word of a line; SP and TAB separate. */
static struct strv
next_word(struct strv *rest)
{
	struct strv trimmed = strv_trim_blanks(*rest);
	size_t n = 0;

	while (
	    n < trimmed.len && trimmed.ptr[n] != ' ' && trimmed.ptr[n] != '\t')
		n++;
	*rest = strv_skip(trimmed, n);
	return strv_head(trimmed, n);
}

static int
add_listed(struct dns_servers *servers, struct strv list)
{
	for (;;) {
		struct strv word = next_word(&list);

		if (word.len == 0)
			return 0;
		if (add_server(servers, word) < 0)
			return QE_SYNTAX;
	}
}

/* Lines that are not understood are somebody else's. */
static void
add_from_config(struct dns_servers *servers, struct strv text)
{
	while (text.len > 0) {
		struct strv line = strv_cut(&text, '\n', NULL);

		if (strv_eq(next_word(&line), STRV("nameserver")))
			(void)add_server(servers, next_word(&line));
	}
}

static int
add_system(struct dns_servers *servers)
{
	struct buf config = BUF_LIMIT(DNS_CONFIG_MAX);
	int r = file_read(DNS_CONFIG, &config);

	if (r == 0)
		add_from_config(servers, buf_view(&config));
	buf_free(&config);
	if (r < 0 && r != QE_ABSENT)
		return r;
	/* resolv.conf(5): without a word about it, the one on this host. */
	if (servers->count == 0)
		return add_server(servers, STRV("127.0.0.1"));
	return 0;
}

int
dns_open(struct strv servers, int64_t timeout_ms, struct dns **out)
{
	struct dns *dns = malloc(sizeof(*dns));
	int r;

	if (dns == NULL)
		return QE_NOMEM;
	dns->servers.count = 0;
	dns->secure = false;
	dns->timeout_ms = timeout_ms;
	r = add_listed(&dns->servers, servers);
	if (r == 0 && dns->servers.count == 0)
		r = add_system(&dns->servers);
	if (r < 0) {
		free(dns);
		return r;
	}
	*out = dns;
	return 0;
}

void
dns_close(struct dns **dns)
{
	free(*dns);
	*dns = NULL;
}

const struct dns_servers *
dns_servers_of(const struct dns *dns)
{
	return &dns->servers;
}

void
dns_set_timeout(struct dns *dns, int64_t timeout_ms)
{
	dns->timeout_ms = timeout_ms;
}

/* One question, and the same for the end of an alias chain if need be. */
static int
look_up(struct dns *dns, struct strv name, unsigned type, int64_t deadline_ms,
    struct dns_found *found)
{
	struct dns_query query;
	char target[DNS_TEXT_MAX];
	bool secure = true;
	size_t len;

	dns->secure = false;
	for (int i = 0; i < DNS_REASK_MAX; i++) {
		int r = dns_query_make(name, type, &query);

		/* Only the first name is the caller's fault. */
		if (r < 0)
			return i == 0 ? r : QE_ABSENT;
		r = dns_exchange(
		    &dns->servers, &query, deadline_ms, dns->answer, &len);
		if (r < 0)
			return r;
		secure = secure && dns_answer_is_secure(dns->answer);
		r = dns_answer_read(&query, dns->answer, len, found);
		if (r != QE_EOF) {
			dns->secure = secure;
			return r;
		}
		memcpy(target, found->alias, sizeof(target));
		name = strv_of(target);
	}
	return QE_TEMP;
}

int
dns_mx(struct dns *dns, struct strv name, struct dns_mx out[DNS_MX_MAX],
    size_t *count)
{
	struct dns_found found = { .mx = out };
	int r = look_up(
	    dns, name, DNS_MX, clock_mono_ms() + dns->timeout_ms, &found);

	if (r == 0)
		*count = found.mx_count;
	return r;
}

/* What a failed look-up would have told cannot be false. */
static bool
is_told(int result)
{
	return result == 0 || result == QE_ABSENT || result == QE_DENIED;
}

int
dns_addresses(
    struct dns *dns, struct strv name, int family, struct ipaddr_list *out)
{
	int64_t deadline_ms = clock_mono_ms() + dns->timeout_ms;
	struct dns_found found = { .addresses = out };
	int v4 = QE_ABSENT, v6 = QE_ABSENT;
	bool secure = true;

	if (family != AF_INET6) {
		v4 = look_up(dns, name, DNS_A, deadline_ms, &found);
		secure = dns->secure || !is_told(v4);
	}
	/* These hold for the name, whatever the type. */
	if (v4 == QE_DENIED || v4 == QE_SYNTAX || v4 == QE_NOMEM)
		return v4;
	if (family != AF_INET) {
		v6 = look_up(dns, name, DNS_AAAA, deadline_ms, &found);
		secure = secure && (dns->secure || !is_told(v6));
	}
	dns->secure = secure && (is_told(v4) || is_told(v6));
	if (v4 == 0 || v6 == 0)
		return 0;
	return v4 == QE_ABSENT ? v6 : v4;
}

static int
look_up_raw(struct dns *dns, struct strv name, unsigned type, struct buf *raw)
{
	struct dns_found found = { .raw = raw };

	buf_reset(raw);
	return look_up(
	    dns, name, type, clock_mono_ms() + dns->timeout_ms, &found);
}

int
dns_txt(struct dns *dns, struct strv name, struct buf *raw)
{
	return look_up_raw(dns, name, DNS_TXT, raw);
}

int
dns_tlsa(struct dns *dns, struct strv name, struct buf *raw)
{
	return look_up_raw(dns, name, DNS_TLSA, raw);
}

bool
dns_raw_next(struct strv *rest, struct strv *record)
{
	size_t len;

	if (rest->len < 2)
		return false;
	len = (size_t)((unsigned char)rest->ptr[0] << 8 |
		       (unsigned char)rest->ptr[1]);
	*record = strv_head(strv_skip(*rest, 2), len);
	*rest = strv_skip(*rest, 2 + len);
	return true;
}

bool
dns_was_secure(const struct dns *dns)
{
	return dns->secure;
}
