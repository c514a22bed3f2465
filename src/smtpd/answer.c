/* Results of qmail-queue as replies (RFC 3463 codes in front). */
#include "smtpd/answer.h"

static bool
is_code_number(struct strv v)
{
	uint64_t n;

	return v.len <= 3 && strv_to_u64(v, 999, &n) == 0;
}

/* Takes " (#x.y.z)" off the end of text: the code, or an empty view. */
static struct strv
take_code(struct strv *text, char class)
{
	size_t open = strv_rfind(*text, '(');
	struct strv code, subject, detail;
	bool found;

	if (open == STRV_NPOS || text->ptr[text->len - 1] != ')')
		return STRV_EMPTY;
	code = strv_from(text->ptr + open + 1, text->len - open - 2);
	if (!strv_starts(code, STRV("#")))
		return STRV_EMPTY;
	code = strv_skip(code, 1);
	detail = strv_skip(code, 2);
	subject = strv_cut(&detail, '.', &found);
	if (!found || code.ptr[0] != class || code.ptr[1] != '.' ||
	    !is_code_number(subject) || !is_code_number(detail))
		return STRV_EMPTY;
	*text = strv_trim_blanks(strv_head(*text, open));
	return code;
}

struct reply
answer_of_queue(const struct submit_result *result)
{
	struct strv text = strv_of(result->text);
	struct strv code = take_code(&text, result->permanent ? '5' : '4');

	if (code.len == 0)
		code = result->permanent ? STRV("5.3.0") : STRV("4.3.0");
	return reply_makef(result->permanent ? 554 : 451, NULL,
	    STRV_FMT " " STRV_FMT, STRV_ARG(code), STRV_ARG(text));
}
