/*
 * name:off|watch|on, one a line.  The names are here and not in qmail-smtpd
 * alone, so that a wrong one is found before it ends every session.
 */
#include "conf/check_modes.h"
#include "base/error.h"
#include "conf/control_file.h"

/* clang-format off */
const char check_names[][CHECK_NAME_MAX] = {
	"badhelo",
	"badmailfrom",
	"badmailto",
	"bare_recipient",
	"clamd",
	"datechecks",
	"goodmailfrom",
	"maxrcpt",
	"mfcheck",
	"mxblacklist",
	"norelay",
	CHECK_PLUGINS,
	"ratelimit",
	"rcptcheck",
	"rcpthosts",
	"realrcptto",
	"relayclient",
	"validrcptto",
};
/* clang-format on */

const size_t check_names_count = sizeof(check_names) / sizeof(*check_names);

static int
mode_of(struct strv word, enum check_mode *mode)
{
	static const char words[][6] = { "off", "watch", "on" };

	for (int i = 0; i < 3; i++) {
		if (!strv_eq_nocase(strv_trim_blanks(word), strv_of(words[i])))
			continue;
		*mode = (enum check_mode)i;
		return 0;
	}
	return QE_SYNTAX;
}

static bool
is_check(struct strv name)
{
	for (size_t i = 0; i < check_names_count; i++)
		if (strv_eq_nocase(name, strv_of(check_names[i])))
			return true;
	return false;
}

int
check_modes_load(struct control_set *out, struct control_error *err)
{
	struct control_set modes;
	int r = control_set_load(CTL_CHECKS, &modes, err);

	if (r != 0)
		return r;
	for (size_t i = 0; i < modes.count && r == 0; i++) {
		const struct control_entry *entry = &modes.entries[i];
		enum check_mode mode;
		const char *why = NULL;

		if (!is_check(entry->key))
			why = "no such check";
		else if (mode_of(entry->value, &mode) != 0)
			why = "neither off, watch nor on";
		if (why == NULL)
			continue;
		control_error_set(err, "control/checks", entry->line, why);
		r = QE_SYNTAX;
	}
	if (r == 0)
		*out = modes;
	else
		control_set_free(&modes);
	return r;
}

enum check_mode
check_modes_find(const struct control_set *modes, const char *name)
{
	const struct control_entry *entry =
	    control_set_find(modes, strv_of(name));
	enum check_mode mode = CHECK_ON;

	if (entry != NULL)
		(void)mode_of(entry->value, &mode);
	return mode;
}
