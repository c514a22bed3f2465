/* Command lines split, and ESMTP parameters (RFC 5321 section 4.1.2). */
#include "smtp/verb.h"
#include "base/error.h"

static size_t
find_blank(struct strv v)
{
	size_t i = 0;

	while (i < v.len && v.ptr[i] != ' ' && v.ptr[i] != '\t')
		i++;
	return i;
}

struct verb_line
verb_split(struct strv line)
{
	size_t end = find_blank(line);

	return (struct verb_line){
		.verb = strv_head(line, end),
		.argument = strv_trim_blanks(strv_skip(line, end)),
	};
}

static bool
is_keyword(struct strv key)
{
	for (size_t i = 0; i < key.len; i++) {
		char c = key.ptr[i];

		if (!ascii_is_alpha(c) && !ascii_is_digit(c) &&
		    (c != '-' || i == 0))
			return false;
	}
	return key.len > 0;
}

static bool
is_graphic(struct strv value)
{
	for (size_t i = 0; i < value.len; i++)
		if (value.ptr[i] <= ' ' || value.ptr[i] >= 127)
			return false;
	return true;
}

int
esmtp_parameter_next(struct strv *rest, struct strv *key, struct strv *value)
{
	struct strv left = strv_trim_blanks(*rest);
	struct strv word = strv_head(left, find_blank(left));
	struct strv after = strv_skip(left, word.len);
	struct strv name;

	if (word.len == 0)
		return QE_EOF;
	name = strv_cut(&word, '=', NULL);
	if (!is_keyword(name) || !is_graphic(word))
		return QE_SYNTAX;
	*key = name;
	*value = word;
	*rest = after;
	return 0;
}
