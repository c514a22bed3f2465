/* Logins that may not send: a short list, and a database for a long one. */
#include "conf/norelay.h"
#include "base/cdb.h"
#include "base/error.h"
#include "conf/login_name.h"

static int
find_in_list(struct strv login, struct control_error *err)
{
	struct control_set set;
	int r = control_set_load(CTL_AUTH_NORELAY, &set, err);

	if (r != 0)
		return r == QE_ABSENT ? QE_SYS : r;
	r = control_set_find(&set, login) != NULL ? 0 : QE_ABSENT;
	control_set_free(&set);
	return r;
}

static int
find_in_cdb(struct strv login, struct control_error *err)
{
	struct buf key = BUF_INIT;
	struct cdb_reader *reader;
	struct strv value;
	int r = cdb_reader_open("control/auth/norelay.cdb", &reader);

	if (r == QE_ABSENT)
		return r;
	buf_add_lower(&key, login);
	if (r == 0) {
		r = key.err != 0
			? key.err
			: cdb_reader_find(reader, buf_view(&key), &value);
		cdb_reader_free(&reader);
	}
	buf_free(&key);
	if (r != 0 && r != QE_ABSENT)
		*err = (struct control_error){
			"unable to read control/auth/norelay.cdb"
		};
	return r;
}

static int
find(struct strv login, struct control_error *err)
{
	int r = find_in_list(login, err);

	return r == QE_ABSENT ? find_in_cdb(login, err) : r;
}

/* The same login with the domain that it lacks, or without its own. */
static int
find_other_spelling(struct strv login, struct control_error *err)
{
	struct buf other = BUF_INIT;
	int r = strv_find(login, '@') == STRV_NPOS
		    ? login_name_full(login, &other, err)
		    : login_name_short(login, &other, err);

	if (r == 0)
		r = find(buf_view(&other), err);
	buf_free(&other);
	return r;
}

int
norelay_find(struct strv login, struct control_error *err)
{
	int r;

	*err = (struct control_error){ "control/auth/norelay: out of memory" };
	if (!control_exists(CTL_AUTH_NORELAY) &&
	    !control_exists(CTL_AUTH_NORELAY_CDB))
		return QE_ABSENT;
	r = find(login, err);
	return r == QE_ABSENT ? find_other_spelling(login, err) : r;
}
