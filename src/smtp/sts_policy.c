/*
 * Parsers for MTA-STS.  Fields that are not known are passed over, as RFC 8461
 * wants it; whatever contradicts itself is no policy.
 */
#include "smtp/sts_policy.h"

#include "base/error.h"

#include <string.h>

/* "key: value" with any blanks; false without a colon. */
static bool
split_field(struct strv line, struct strv *key, struct strv *value)
{
	bool colon;

	*value = line;
	*key = strv_trim_blanks(strv_cut(value, ':', &colon));
	*value = strv_trim_blanks(*value);
	return colon;
}

static bool
is_host_byte(char c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c) || c == '-' || c == '.' ||
	       c == '_';
}

bool
sts_is_domain(struct strv name)
{
	if (name.len == 0 || name.len > STS_NAME_MAX || name.ptr[0] == '.' ||
	    name.ptr[name.len - 1] == '.')
		return false;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];

		if (!is_host_byte(c) || ascii_lower(c) != c ||
		    (c == '.' && name.ptr[i - 1] == '.'))
			return false;
	}
	return true;
}

/* "mail.example.org" or "*.example.org". */
static bool
is_pattern(struct strv pattern)
{
	if (strv_starts(pattern, STRV("*.")))
		pattern = strv_skip(pattern, 2);
	if (pattern.len == 0 || pattern.len > STS_NAME_MAX ||
	    pattern.ptr[0] == '.' || pattern.ptr[pattern.len - 1] == '.')
		return false;
	for (size_t i = 0; i < pattern.len; i++)
		if (!is_host_byte(pattern.ptr[i]))
			return false;
	return true;
}

static int
take_mode(struct strv value, struct sts_policy *out)
{
	if (strv_eq(value, STRV("enforce")))
		out->mode = STS_ENFORCE;
	else if (strv_eq(value, STRV("testing")))
		out->mode = STS_TESTING;
	else if (strv_eq(value, STRV("none")))
		out->mode = STS_NONE;
	else
		return QE_SYNTAX;
	return 0;
}

struct seen {
	bool version, mode, max_age;
};

/* Of a field that is there twice the first one counts. */
static int
take_field(struct strv key, struct strv value, struct seen *seen,
    struct sts_policy *out)
{
	uint64_t age;

	if (strv_eq(key, STRV("version")) && !seen->version) {
		seen->version = true;
		return strv_eq(value, STRV("STSv1")) ? 0 : QE_SYNTAX;
	}
	if (strv_eq(key, STRV("mode")) && !seen->mode) {
		seen->mode = true;
		return take_mode(value, out);
	}
	if (strv_eq(key, STRV("max_age")) && !seen->max_age) {
		seen->max_age = true;
		if (strv_to_u64(value, STS_AGE_MAX, &age) < 0)
			return QE_SYNTAX;
		out->max_age = (int64_t)age;
	}
	if (strv_eq(key, STRV("mx"))) {
		if (!is_pattern(value))
			return QE_SYNTAX;
		if (out->mx_count == STS_MX_MAX)
			return QE_LIMIT;
		out->mx[out->mx_count++] = value;
	}
	return 0;
}

int
sts_policy_parse(struct strv text, struct sts_policy *out)
{
	struct seen seen = { .version = false };

	out->mode = STS_NONE;
	out->max_age = 0;
	out->mx_count = 0;
	if (text.len > STS_POLICY_BYTES_MAX)
		return QE_LIMIT;
	if (strv_find(text, '\0') != STRV_NPOS)
		return QE_SYNTAX;
	while (text.len > 0) {
		struct strv key, value;
		struct strv line = strv_cut_line(&text);
		int r = 0;

		if (split_field(line, &key, &value))
			r = take_field(key, value, &seen, out);
		else if (strv_trim_blanks(line).len > 0)
			r = QE_SYNTAX;
		if (r < 0)
			return r;
	}
	if (!seen.version || !seen.mode || !seen.max_age ||
	    (out->mode != STS_NONE && out->mx_count == 0))
		return QE_SYNTAX;
	return 0;
}

/* Section 4.1: the asterisk stands for one label. */
static bool
matches(struct strv pattern, struct strv mx)
{
	size_t dot = strv_find(mx, '.');

	if (!strv_starts(pattern, STRV("*.")))
		return strv_eq_nocase(pattern, mx);
	return dot != STRV_NPOS && dot > 0 &&
	       strv_eq_nocase(strv_skip(pattern, 1), strv_skip(mx, dot));
}

bool
sts_policy_allows(const struct sts_policy *policy, struct strv mx)
{
	if (mx.len > 0 && mx.ptr[mx.len - 1] == '.')
		mx.len--;
	for (size_t i = 0; i < policy->mx_count; i++)
		if (matches(policy->mx[i], mx))
			return true;
	return false;
}

static bool
is_id(struct strv id)
{
	for (size_t i = 0; i < id.len; i++)
		if (!ascii_is_alpha(id.ptr[i]) && !ascii_is_digit(id.ptr[i]))
			return false;
	return id.len > 0 && id.len <= STS_ID_MAX;
}

int
sts_record_parse(struct strv text, struct strv *id)
{
	struct strv field = strv_trim_blanks(strv_cut(&text, ';', NULL));
	bool found = false;

	if (!strv_eq(field, STRV("v=STSv1")))
		return QE_SYNTAX;
	while (text.len > 0) {
		field = strv_trim_blanks(strv_cut(&text, ';', NULL));
		if (found || !strv_starts(field, STRV("id=")))
			continue;
		*id = strv_skip(field, 3);
		found = is_id(*id);
		if (!found)
			return QE_SYNTAX;
	}
	return found ? 0 : QE_SYNTAX;
}

static int
take_time(struct strv value, int64_t *out)
{
	uint64_t n;

	if (strv_to_u64(value, INT64_MAX / 2, &n) < 0)
		return QE_SYNTAX;
	*out = (int64_t)n;
	return 0;
}

static int
take_file_field(struct strv key, struct strv value, struct sts_file *out)
{
	if (strv_eq(key, STRV("checked")))
		return take_time(value, &out->checked);
	if (strv_eq(key, STRV("fetched")))
		return take_time(value, &out->fetched);
	if (strv_eq(key, STRV("id")) && is_id(value)) {
		out->id = value;
		return 0;
	}
	return QE_SYNTAX;
}

int
sts_file_parse(struct strv text, struct sts_file *out)
{
	int r = 0;

	out->checked = out->fetched = 0;
	out->id = out->text = STRV_EMPTY;
	out->policy.mode = STS_NONE;
	out->policy.mx_count = 0;
	out->policy.max_age = 0;
	while (r == 0 && text.len > 0) {
		struct strv key, value, line = strv_cut_line(&text);

		if (line.len == 0) {
			out->text = text;
			break;
		}
		r = split_field(line, &key, &value)
			? take_file_field(key, value, out)
			: QE_SYNTAX;
	}
	if (r == 0 && out->fetched > 0)
		r = out->id.len == 0
			? QE_SYNTAX
			: sts_policy_parse(out->text, &out->policy);
	return r;
}

bool
sts_file_holds(const struct sts_file *file, int64_t now)
{
	return file->fetched > 0 && file->fetched <= now &&
	       now - file->fetched < file->policy.max_age;
}
