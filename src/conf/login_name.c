/* The two spellings of a login; see the header. */
#include "conf/login_name.h"
#include "base/error.h"

static int
done(const struct buf *out, struct control_error *err)
{
	if (out->err != 0)
		*err = (struct control_error){ "login: out of memory" };
	return out->err;
}

int
login_name_full(struct strv login, struct buf *out, struct control_error *err)
{
	buf_add_view(out, login);
	if (strv_find(login, '@') == STRV_NPOS) {
		int r;

		buf_add_char(out, '@');
		r = control_line(CTL_DEFAULTHOST, out, err);
		if (r != 0)
			return r;
	}
	return done(out, err);
}

int
login_name_short(struct strv login, struct buf *out, struct control_error *err)
{
	size_t at = strv_rfind(login, '@');
	struct buf host = BUF_INIT;
	bool is_default;
	int r;

	if (at == STRV_NPOS)
		return QE_ABSENT;
	r = control_line(CTL_DEFAULTHOST, &host, err);
	is_default =
	    r == 0 && strv_eq_nocase(strv_skip(login, at + 1), buf_view(&host));
	buf_free(&host);
	if (r != 0)
		return r == QE_ABSENT ? QE_SYS : r;
	if (!is_default)
		return QE_ABSENT;
	buf_add_view(out, strv_head(login, at));
	return done(out, err);
}
