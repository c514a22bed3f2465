/* The two numbers of control/auth/ratelimit. */
#include "conf/rate_limit.h"
#include "base/error.h"
#include "conf/control_file.h"

static int
parse(struct strv line, struct rate_limit *out)
{
	bool found;
	struct strv left = strv_cut(&line, '/', &found);
	uint64_t recipients = 0, seconds = 0;
	int r = QE_SYNTAX;

	if (found)
		r = strv_to_u64(
		    strv_trim_blanks(left), RATE_RECIPIENTS_MAX, &recipients);
	if (r == 0)
		r = strv_to_u64(
		    strv_trim_blanks(line), RATE_SECONDS_MAX, &seconds);
	if (r == 0 && (recipients == 0 || seconds == 0))
		r = QE_SYNTAX;
	if (r == 0)
		*out = (struct rate_limit){ (int64_t)recipients,
			(int64_t)seconds };
	return r;
}

int
rate_limit_load(struct rate_limit *out, struct control_error *err)
{
	struct buf line = BUF_LIMIT(CONTROL_VALUE_MAX);
	struct strv text;
	int r = control_line(CTL_AUTH_RATELIMIT, &line, err);

	*out = (struct rate_limit){ 0, 0 };
	if (r == QE_ABSENT)
		r = 0;
	text = buf_view(&line);
	text = strv_trim_blanks(strv_cut(&text, '#', NULL));
	if (r == 0 && text.len > 0) {
		r = parse(text, out);
		if (r != 0)
			control_error_set(err, control_path(CTL_AUTH_RATELIMIT),
			    1,
			    "not recipients/seconds, two numbers of at least "
			    "1");
	}
	buf_free(&line);
	return r;
}
