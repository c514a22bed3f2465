/*
 * Reads what spamd has found:
 *
 *	SPAMD/1.1 0 EX_OK
 *	Content-length: 24
 *	Spam: True ; 15.3 / 5.0
 *
 *	MISSING_SUBJECT,NO_RELAYS
 */
#include "smtp/spamd.h"
#include "base/error.h"
#include "mail/header.h"

enum { THOUSAND = 1000 };

int
spamd_parse_score(struct strv text, int *out)
{
	bool negative = strv_starts(text, STRV("-"));
	bool has_point;
	uint64_t whole = 0, part = 0;
	struct strv rest = strv_skip(text, negative ? 1 : 0);
	struct strv before = strv_cut(&rest, '.', &has_point);
	int value, scale = THOUSAND / 10;

	if (strv_to_u64(before, SPAMD_SCORE_MAX / THOUSAND, &whole) != 0)
		return QE_SYNTAX;
	if (has_point && strv_to_u64(rest, UINT64_MAX, &part) != 0)
		return QE_SYNTAX;
	value = (int)whole * THOUSAND;
	for (size_t i = 0; i < rest.len && scale > 0; i++, scale /= 10)
		value += (rest.ptr[i] - '0') * scale;
	*out = negative ? -value : value;
	return 0;
}

void
spamd_add_score(struct buf *out, int score)
{
	int tenths = (score < 0 ? -score : score) / (THOUSAND / 10);

	buf_addf(out, "%s%d.%d", score < 0 && tenths > 0 ? "-" : "",
	    tenths / 10, tenths % 10);
}

/* "SPAMD/1.1 0 EX_OK"; rspamd may say RSPAMD or SPAMD, and any version. */
static bool
is_success(struct strv line)
{
	struct strv rest = line;
	struct strv protocol = strv_cut(&rest, ' ', NULL);

	return strv_starts(protocol, STRV("SPAMD/")) &&
	       strv_eq(strv_cut(&rest, ' ', NULL), STRV("0"));
}

/* "True ; 15.3 / 5.0" */
static int
parse_spam(struct strv value, struct spamd_result *out)
{
	bool has_score, has_required;
	struct strv rest = value;
	struct strv word = strv_trim_blanks(strv_cut(&rest, ';', &has_score));
	struct strv score =
	    strv_trim_blanks(strv_cut(&rest, '/', &has_required));
	struct spamd_result result;

	if (strv_eq_nocase(word, STRV("True")) ||
	    strv_eq_nocase(word, STRV("Yes")))
		result.is_spam = true;
	else if (strv_eq_nocase(word, STRV("False")) ||
		 strv_eq_nocase(word, STRV("No")))
		result.is_spam = false;
	else
		return QE_SYNTAX;
	if (!has_score || !has_required ||
	    spamd_parse_score(score, &result.score) != 0 ||
	    spamd_parse_score(strv_trim_blanks(rest), &result.required) != 0)
		return QE_SYNTAX;
	*out = result;
	return 0;
}

static bool
is_test_byte(char c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c) || c == '_';
}

/* Names and commas, as many whole names as there is room for. */
static void
add_tests(struct strv text, struct buf *tests)
{
	bool more = true;

	while (more) {
		struct strv name = strv_trim_blanks(
		    strv_trim_end(strv_cut(&text, ',', &more)));
		bool good = name.len > 0;

		for (size_t i = 0; i < name.len; i++)
			good = good && is_test_byte(name.ptr[i]);
		if (!good)
			continue;
		if (tests->len + 1 + name.len > SPAMD_TESTS_MAX)
			return;
		if (tests->len > 0)
			buf_add_char(tests, ',');
		buf_add_view(tests, name);
	}
}

int
spamd_parse(struct strv response, struct spamd_result *out, struct buf *tests)
{
	struct strv rest = response;
	struct spamd_result result;
	bool found = false;

	if (!is_success(strv_cut_line(&rest)))
		return QE_SYNTAX;
	while (rest.len > 0) {
		struct strv line = strv_cut_line(&rest);

		if (line.len == 0)
			break;
		if (!header_field_is(line, STRV("Spam")))
			continue;
		if (parse_spam(header_field_value(line), &result) != 0)
			return QE_SYNTAX;
		found = true;
	}
	if (!found)
		return QE_SYNTAX;
	*out = result;
	add_tests(strv_cut_line(&rest), tests);
	return tests->err;
}
