/* The two lifetimes of control/mfchecktime. */
#include "conf/mfcheck.h"

#include "base/error.h"
#include "conf/control_file.h"

enum { ACCEPTED_DEFAULT = 3600, OTHER_DEFAULT = 600 };

static bool
is_separator(char c)
{
	return c == ' ' || c == '\t' || c == ':';
}

static struct strv
next_number(struct strv *rest)
{
	struct strv all = strv_trim_blanks(*rest);
	size_t n = 0;

	while (n < all.len && !is_separator(all.ptr[n]))
		n++;
	*rest = strv_skip(all, n);
	if (rest->len > 0)
		*rest = strv_trim_blanks(strv_skip(*rest, 1));
	return strv_head(all, n);
}

static int
parse_times(struct strv line, struct mfcheck_times *out)
{
	uint64_t accepted = ACCEPTED_DEFAULT, other;
	int r = 0;

	/* As everywhere, an empty file means the default. */
	if (line.len > 0)
		r = strv_to_u64(
		    next_number(&line), MFCHECK_TIME_MAX, &accepted);
	if (r != 0)
		return r;
	other = accepted < OTHER_DEFAULT ? accepted : OTHER_DEFAULT;
	if (line.len > 0)
		r = strv_to_u64(next_number(&line), MFCHECK_TIME_MAX, &other);
	if (r == 0 && line.len > 0)
		r = QE_SYNTAX;
	if (r != 0)
		return r;
	*out = (struct mfcheck_times){ (int64_t)accepted, (int64_t)other };
	return 0;
}

int
mfcheck_times_load(struct mfcheck_times *out, struct control_error *err)
{
	struct buf line = BUF_LIMIT(CONTROL_VALUE_MAX);
	struct strv text;
	int r = control_line(CTL_MFCHECKTIME, &line, err);

	if (r == 0) {
		text = buf_view(&line);
		text = strv_trim_blanks(strv_cut(&text, '#', NULL));
		r = parse_times(text, out);
		if (r != 0)
			control_error_set(err, control_path(CTL_MFCHECKTIME), 1,
			    "not one or two numbers of seconds, at most "
			    "2592000");
	}
	buf_free(&line);
	return r;
}
