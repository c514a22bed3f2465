/*
 * Reads every control file as its program would, and what no program
 * complains of but was hardly meant.
 */
#include "admin/findings.h"
#include "base/endpoint.h"
#include "base/ere.h"
#include "base/error.h"
#include "base/pattern.h"
#include "conf/check_modes.h"
#include "conf/control.h"
#include "conf/control_file.h"
#include "conf/date_rules.h"
#include "conf/destination_rule.h"
#include "conf/mfcheck.h"
#include "conf/nets.h"
#include "conf/rate_limit.h"
#include "conf/scan_alerts.h"
#include "smtp/plugin_config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* err tells of result, which is not QE_ABSENT. */
static void
add_error(struct findings *f, int result, const struct control_error *err)
{
	bool certain = result == QE_SYNTAX || result == QE_LIMIT;

	buf_addf(&f->text, "%s\n", err->text);
	if (certain || (result == QE_SYS && errno == EISDIR))
		f->problems++;
	else
		f->unseen++;
}

/* The address of a service, or nothing. */
static int
check_endpoint(enum ctl id, struct control_error *err)
{
	struct buf value = BUF_INIT;
	struct endpoint endpoint;
	int r = control_line(id, &value, err);

	if (r == 0 && endpoint_parse(buf_view(&value), &endpoint) != 0) {
		snprintf(err->text, sizeof(err->text),
		    "control/%s: neither ip:port nor the path of a socket",
		    control_name(id));
		r = QE_SYNTAX;
	}
	buf_free(&value);
	return r;
}

/* As the run files of submission and smtps read it. */
static int
check_auth_server(struct control_error *err)
{
	struct buf value = BUF_INIT;
	int r = control_line(CTL_AUTH_SERVER, &value, err);
	size_t prefix = sizeof("unix:") - 1;

	if (r == 0 && (!strv_starts(buf_view(&value), STRV("unix:")) ||
			  value.len == prefix ||
			  value.len - prefix >= ENDPOINT_PATH_MAX)) {
		snprintf(err->text, sizeof(err->text),
		    "control/auth/server line 1: must be unix:socket");
		r = QE_SYNTAX;
	}
	buf_free(&value);
	return r;
}

/* As qmail-send reads it. */
static int
check_bouncestyle(struct control_error *err)
{
	struct buf value = BUF_INIT;
	int r = control_line(CTL_BOUNCESTYLE, &value, err);

	if (r == 0 && !strv_eq_nocase(buf_view(&value), STRV("dsn")) &&
	    !strv_eq_nocase(buf_view(&value), STRV("qsbmf"))) {
		snprintf(err->text, sizeof(err->text),
		    "control/bouncestyle line 1: neither qsbmf nor dsn");
		r = QE_SYNTAX;
	}
	buf_free(&value);
	return r;
}

/* Values with a form of their own; the file as such has been read. */
static void
check_form(struct findings *f, enum ctl id)
{
	struct nets nets = { .items = NULL };
	struct control_set rules = { .entries = NULL };
	struct plugin_config plugins = { .items = NULL };
	struct mfcheck_times times;
	struct scan_alerts alerts;
	struct rate_limit limit;
	struct control_error err;
	int r = 0;

	if (id == CTL_MXBLACKLIST)
		r = nets_load(id, &nets, &err);
	else if (id == CTL_MFCHECKTIME)
		r = mfcheck_times_load(&times, &err);
	else if (id == CTL_AUTH_RATELIMIT)
		r = rate_limit_load(&limit, &err);
	else if (id == CTL_AUTH_SERVER)
		r = check_auth_server(&err);
	else if (id == CTL_BOUNCESTYLE)
		r = check_bouncestyle(&err);
	else if (id == CTL_DESTINATIONS)
		r = destination_rules_load(&rules, &err);
	else if (id == CTL_SMTPRELAYS || id == CTL_TLSREMOTE)
		r = control_map_load(id, &rules, &err);
	else if (id == CTL_DATECHECKS)
		r = date_rules_load(&rules, &err);
	else if (id == CTL_CLAMD || id == CTL_P0FSOCK)
		r = check_endpoint(id, &err);
	else if (id == CTL_SCANALERTS)
		r = scan_alerts_load(&alerts, &err);
	else if (id == CTL_CHECKS)
		r = check_modes_load(&rules, &err);
	else if (id == CTL_SMTPPLUGINS)
		r = plugin_config_load(&plugins, &err);
	if (r != 0 && r != QE_ABSENT)
		add_error(f, r, &err);
	plugin_config_free(&plugins);
	nets_free(&nets);
	control_set_free(&rules);
}

static void
check_single(struct findings *f, enum ctl id)
{
	struct buf value = BUF_INIT;
	struct control_error err;
	int64_t number;
	int r = 0;

	switch (control_table[id].kind) {
	case CT_INT:
		r = control_int(id, &number, &err);
		break;
	case CT_TEXT:
		r = control_text(id, &value, &err);
		break;
	case CT_LINE:
		r = control_line(id, &value, &err);
		break;
	case CT_LIST:
	case CT_MAP:
	case CT_PATTERNS:
	case CT_CDB:
	case CT_FILE:
		return;
	}
	/* What is missing for want of me is told once, with me itself. */
	if (r != 0 && (r != QE_ABSENT || id == CTL_ME) &&
	    (control_exists(id) || id == CTL_ME))
		add_error(f, r == QE_ABSENT ? QE_SYNTAX : r, &err);
	else if (r == 0)
		check_form(f, id);
	buf_free(&value);
}

/* Lines that programs pass over or that match nothing. */
static void
check_lines(struct findings *f, enum ctl id, struct strv text)
{
	const char *file = control_name(id);
	bool is_map = control_table[id].kind == CT_MAP;

	for (unsigned number = 1; text.len > 0; number++) {
		struct strv line = strv_trim_end(strv_cut(&text, '\n', NULL));

		if (line.len == 0 || line.ptr[0] == '#')
			continue;
		if (line.ptr[0] == ' ' || line.ptr[0] == '\t')
			finding_problem(f,
			    "control/%s line %u: begins with a blank", file,
			    number);
		if (is_map && strv_find(line, ':') == STRV_NPOS)
			finding_problem(f,
			    "control/%s line %u: has no colon and is ignored",
			    file, number);
	}
}

static void
check_list(struct findings *f, enum ctl id)
{
	struct control_set set;
	struct control_error err;
	int r = control_set_load(id, &set, &err);

	if (r != 0) {
		add_error(f, r, &err);
		return;
	}
	check_lines(f, id, buf_view(&set.bytes));
	check_form(f, id);
	control_set_free(&set);
}

/* Lines that are no expressions: their program ignores them. */
static void
check_patterns(struct findings *f, enum ctl id)
{
	struct buf text = BUF_LIMIT(PATTERN_FILE_MAX);
	struct ere ere = { .may_be_large = false };
	struct control_error err;
	const char *why;
	int r = control_file_read(id, &text, &err);
	struct strv rest = buf_view(&text);

	if (r != 0 && r != QE_ABSENT)
		add_error(f, r, &err);
	if (r == 0)
		check_lines(f, id, rest);
	for (unsigned number = 1; r == 0 && rest.len > 0; number++) {
		struct strv line = strv_trim_end(strv_cut(&rest, '\n', NULL));

		if (line.len == 0 || line.ptr[0] == '#')
			continue;
		if (ere_translate(line, &ere, &why) == QE_SYNTAX)
			finding_problem(f, "control/%s line %u: %s",
			    control_name(id), number, why);
	}
	ere_free(&ere);
	buf_free(&text);
}

static void
check_cdb(struct findings *f, enum ctl id)
{
	const char *cdb = control_path(id);
	char list[CONTROL_PATH_MAX];
	char *suffix;

	/* Without it the list itself is read. */
	if (id == CTL_AUTH_NORELAY_CDB && !control_exists(id))
		return;
	snprintf(list, sizeof(list), "%s", cdb);
	suffix = strrchr(list, '.');
	if (suffix == NULL)
		return;
	*suffix = '\0';
	/* The list alone will do. */
	if (id == CTL_AUTH_NORELAY_CDB && access(cdb, F_OK) < 0)
		return;
	check_made(f, list, cdb,
	    id == CTL_MORERCPTHOSTS_CDB  ? "qmail-newmrh"
	    : id == CTL_VALIDRCPTTO_CDB  ? "qmail-newvrt"
	    : id == CTL_AUTH_NORELAY_CDB ? "qmail-newnorelay"
					 : "the tool again");
}

/* Programs that run under uids of their own must be able to read it. */
static void
check_mode(struct findings *f, enum ctl id)
{
	const unsigned strangers =
	    P_SMTPD | P_QMTPD | P_QMQPC | P_INJECT | P_POPUP | P_ALL;
	const char *path = control_path(id);
	struct stat st;

	if (stat(path, &st) < 0)
		return;
	if ((st.st_mode & S_IWOTH) != 0)
		finding_problem(f, "%s: mode is %04o: everybody can change it",
		    path, (unsigned)st.st_mode & 07777);
	if (id == CTL_SMTPRELAYS && (st.st_mode & S_IRWXO) != 0)
		finding_problem(f,
		    "%s: mode is %04o: it holds passwords, and qmail-remote "
		    "does not use it unless others are kept out",
		    path, (unsigned)st.st_mode & 07777);
	if (f->installation.by_root && (st.st_mode & S_IROTH) == 0 &&
	    (control_table[id].programs & strangers) != 0)
		finding_problem(f,
		    "%s: mode is %04o: not all programs can read it", path,
		    (unsigned)st.st_mode & 07777);
}

void
check_controls(struct findings *f)
{
	for (int i = 0; i < CTL_COUNT; i++) {
		enum ctl id = (enum ctl)i;

		switch (control_table[id].kind) {
		case CT_LINE:
		case CT_TEXT:
		case CT_INT:
			check_single(f, id);
			break;
		case CT_LIST:
		case CT_MAP:
			check_list(f, id);
			break;
		case CT_PATTERNS:
			check_patterns(f, id);
			break;
		case CT_CDB:
			check_cdb(f, id);
			break;
		case CT_FILE:
			break;
		}
		check_mode(f, id);
	}
}
