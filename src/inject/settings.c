/*
 * $QMAILUSER and its kin, $QMAILINJECT, $QMAILMFTFILE and the controls of
 * qmail-inject.  An empty variable counts as unset.
 */
#include "inject/settings.h"
#include "base/clock.h"
#include "base/die.h"
#include "base/env.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/file.h"
#include "base/program.h"

#include <errno.h>
#include <unistd.h>

enum { SETTINGS_VALUE_MAX = 1024, FOLLOWUP_LIST_MAX = 1 << 20 };

/* The first variable of the list that says something, or NULL. */
static const char *
first_of(const char *const names[])
{
	for (size_t i = 0; names[i] != NULL; i++) {
		const char *value = env_get(names[i]);

		if (value != NULL && *value != '\0')
			return value;
	}
	return NULL;
}

static void
load_identity(struct settings *s)
{
	static const char *const users[] = { "QMAILUSER", "MAILUSER", "USER",
		"LOGNAME", NULL };
	static const char *const hosts[] = { "QMAILHOST", "MAILHOST", NULL };
	static const char *const names[] = { "QMAILNAME", "MAILNAME", "NAME",
		NULL };
	static const char *const sender_user[] = { "QMAILSUSER", NULL };
	static const char *const sender_host[] = { "QMAILSHOST", NULL };

	s->user = first_of(users);
	s->host = first_of(hosts);
	s->full_name = first_of(names);
	s->sender_user = first_of(sender_user);
	s->sender_host = first_of(sender_host);
	if (s->user == NULL)
		s->user = "anonymous";
	if (s->host == NULL)
		s->host = buf_cstr(&s->default_host);
	if (s->sender_user == NULL)
		s->sender_user = s->user;
	if (s->sender_host == NULL)
		s->sender_host = s->host;
}

static void
load_letters(struct settings *s)
{
	const char *letters = env_get("QMAILINJECT");

	for (; letters != NULL && *letters != '\0'; letters++) {
		switch (*letters) {
		case 'c':
			s->name_in_comment = true;
			break;
		case 's':
			s->drop_return_path = true;
			break;
		case 'f':
			s->drop_from = true;
			break;
		case 'i':
			s->drop_message_id = true;
			break;
		case 'r':
			s->per_recipient = true;
			break;
		case 'm':
			s->per_message = true;
			break;
		}
	}
}

static void
load_line(enum ctl id, struct buf *out)
{
	struct control_error err;
	int r;

	out->max = SETTINGS_VALUE_MAX;
	r = control_line(id, out, &err);
	if (r != 0)
		die(EX_TEMPORARY, "unable to read controls: %s",
		    r == QE_ABSENT ? control_name(id) : err.text);
}

static void
load_controls(struct settings *s)
{
	load_line(CTL_DEFAULTHOST, &s->default_host);
	load_line(CTL_DEFAULTDOMAIN, &s->default_domain);
	load_line(CTL_PLUSDOMAIN, &s->plus_domain);
	load_line(CTL_IDHOST, &s->id_host);
	s->rules = (struct address_rules){
		.default_host = buf_view(&s->default_host),
		.default_domain = buf_view(&s->default_domain),
		.plus_domain = buf_view(&s->plus_domain),
	};
}

static void
load_followup_list(struct settings *s)
{
	const char *path = env_get("QMAILMFTFILE");
	struct buf text = BUF_LIMIT(FOLLOWUP_LIST_MAX);
	struct control_error err;
	int r;

	if (path == NULL || *path == '\0')
		return;
	r = file_read(path, &text);
	if (r != 0)
		die(EX_TEMPORARY, "unable to read %s: %s", path,
		    error_result_text(r));
	r = control_set_parse(
	    buf_view(&text), CT_LIST, path, &s->followup_list, &err);
	if (r != 0)
		die(EX_TEMPORARY, "%s", err.text);
	buf_free(&text);
	s->has_followup_list = true;
}

void
settings_load(struct settings *s)
{
	load_followup_list(s);
	if (chdir(program_home()) < 0)
		die_errno(EX_TEMPORARY, "unable to switch to home directory");
	load_controls(s);
	load_identity(s);
	load_letters(s);
	s->now = clock_wall();
}
