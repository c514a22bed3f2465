/*
 * HTTPS by libcurl, narrowed as far as it goes: one scheme, one host at the
 * addresses that our own resolver gives, one request, no redirection, no
 * proxy, no cookies, no netrc, and an end in time.
 */
#include "remote/https.h"

#include "base/error.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

enum { URL_MAX = 1024, HTTPS_PORT = 443, HTTP_OK = 200 };

/* A place where a stranger would have us talk to ourselves. */
static bool
is_ours(const struct ipaddr_list *own, const struct ipaddr *ip)
{
	return (ip->family == AF_INET && ip->bytes[0] == 127) ||
	       ipaddr_list_has(own, ip);
}

/* "host:443:address,address": 0, QE_ABSENT, QE_TEMP, QE_NOMEM. */
static int
resolve(struct dns *dns, const char *host, struct buf *out)
{
	struct ipaddr_list found = { .count = 0 }, own = { .count = 0 };
	char text[IPADDR_TEXT_MAX];
	size_t used = 0;
	int r = dns_addresses(dns, strv_of(host), AF_UNSPEC, &found);

	if (r == 0)
		r = ipaddr_list_own(&own);
	buf_addf(out, "%s:%d:", host, HTTPS_PORT);
	for (size_t i = 0; r == 0 && i < found.count; i++) {
		if (used == HTTPS_ADDRESSES_MAX ||
		    is_ours(&own, &found.items[i]))
			continue;
		ipaddr_format(&found.items[i], text);
		buf_addf(out, "%s%s", used > 0 ? "," : "", text);
		used++;
	}
	ipaddr_list_free(&found);
	ipaddr_list_free(&own);
	if (r == 0 && used == 0)
		r = QE_ABSENT;
	return r == 0 ? out->err : r;
}

static size_t
take_body(char *data, size_t size, size_t count, void *state)
{
	struct buf *out = state;

	(void)size; /* always 1 */
	buf_add(out, data, count);
	return out->err == 0 ? count : 0;
}

static bool
set_options(CURL *curl, const struct https_request *request, const char *url,
    struct curl_slist *addresses, struct buf *out, char *error)
{
	unsigned bad = 0;

	bad |= curl_easy_setopt(curl, CURLOPT_URL, url);
	bad |= curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https");
	bad |= curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	bad |= curl_easy_setopt(curl, CURLOPT_PROXY, "");
	bad |= curl_easy_setopt(curl, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	bad |= curl_easy_setopt(curl, CURLOPT_RESOLVE, addresses);
	bad |= curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	bad |= curl_easy_setopt(curl, CURLOPT_TIMEOUT, request->timeout_s);
	bad |= curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
	bad |= curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
	bad |= curl_easy_setopt(
	    curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (request->ca_file != NULL) {
		bad |= curl_easy_setopt(curl, CURLOPT_CAINFO, request->ca_file);
		bad |= curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
	}
	bad |= curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
	bad |= curl_easy_setopt(curl, CURLOPT_WRITEDATA, out);
	bad |= curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
	return bad == 0;
}

static int
judge(CURL *curl, char *why)
{
	const char *type = NULL;
	long status = 0;

	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type);
	if (status != HTTP_OK) {
		snprintf(why, HTTPS_ERROR_MAX, "status %ld", status);
		return QE_ABSENT;
	}
	if (type == NULL ||
	    !strv_starts_nocase(strv_of(type), STRV("text/plain"))) {
		snprintf(why, HTTPS_ERROR_MAX, "not text/plain");
		return QE_SYNTAX;
	}
	return 0;
}

static int
perform(CURL *curl, const struct https_request *request,
    struct curl_slist *addresses, struct buf *out, char *why)
{
	char error[CURL_ERROR_SIZE] = "", url[URL_MAX];
	CURLcode code;

	snprintf(
	    url, sizeof(url), "https://%s%s", request->host, request->path);
	if (!set_options(curl, request, url, addresses, out, error)) {
		snprintf(why, HTTPS_ERROR_MAX, "libcurl lacks an option");
		return QE_SYS;
	}
	code = curl_easy_perform(curl);
	if (code == CURLE_OK)
		return judge(curl, why);
	snprintf(why, HTTPS_ERROR_MAX, "%.*s", HTTPS_ERROR_MAX - 1,
	    error[0] != '\0' ? error : curl_easy_strerror(code));
	return QE_TEMP;
}

int
https_get(struct dns *dns, const struct https_request *request, struct buf *out,
    char why[HTTPS_ERROR_MAX])
{
	struct buf where = BUF_INIT;
	struct curl_slist *addresses = NULL;
	CURL *curl;
	int r = resolve(dns, request->host, &where);

	if (r < 0) {
		snprintf(why, HTTPS_ERROR_MAX, "%s",
		    r == QE_TEMP ? "the DNS does not tell its address"
				 : "it has no address that could be used");
		buf_free(&where);
		return r;
	}
	curl = curl_easy_init();
	if (buf_cstr(&where) != NULL)
		addresses = curl_slist_append(NULL, buf_cstr(&where));
	if (curl != NULL && addresses != NULL) {
		r = perform(curl, request, addresses, out, why);
	} else {
		snprintf(why, HTTPS_ERROR_MAX, "out of memory");
		r = QE_NOMEM;
	}
	curl_slist_free_all(addresses);
	curl_easy_cleanup(curl);
	buf_free(&where);
	return r;
}
