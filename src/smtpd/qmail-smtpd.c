/*
 * qmail-smtpd: receives mail by SMTP on descriptors 0 and 1 (RFC 5321).
 *
 * Runs as qmaild or whoever starts it.  Reads control/ and the environment,
 * writes to the client, to its log, to qmail-queue and to cache/mfcheck.
 */
#include "base/error.h"
#include "base/program.h"
#include "smtpd/auth.h"
#include "smtpd/commands.h"
#include "smtpd/fingerprint.h"
#include "smtpd/log.h"
#include "smtpd/passive_os.h"
#include "smtpd/pipeline.h"
#include "smtpd/plugins.h"
#include "smtpd/tarpit.h"
#include "smtpd/trust.h"

#include <stddef.h>
#include <string.h>
#include <unistd.h>

static const struct program program = {
	.name = "qmail-smtpd",
	.flags = PROGRAM_HOME | PROGRAM_FD0 | PROGRAM_FD1,
	.umask = 077,
};

/*
 * Settings first, then the plugins of [connection], which may change the
 * environment: what depends on it is read, or read again, after them.  True
 * to go on, otherwise *refusal is the last reply.
 */
static bool
prepare(struct session *s, struct auth *auth, char *const *checker,
    struct control_error *err, struct reply *refusal)
{
	struct plugins_verdict plugins;

	*refusal = session_farewell(421, "4.3.0", "unable to read controls");
	if (settings_load(&s->settings, err) != 0 ||
	    notes_load_modes(&s->notes, err) != 0 || plugins_open(s, err) != 0)
		return false;
	session_apply_settings(s);
	if (passive_os_ask(s, err) != 0)
		return false;
	plugins = plugins_run(s, PLUGIN_CONNECTION);
	if (plugins_changed_environment(s)) {
		settings_free(&s->settings);
		if (settings_load(&s->settings, err) != 0)
			return false;
		session_apply_settings(s);
	}
	if (trust_establish(s, err) != 0 ||
	    auth_open(s, auth, checker, err) != 0)
		return false;
	*refusal = plugins.reply;
	*err = (struct control_error){ .text = "" };
	return plugins.kind != PLUGINS_ANSWER;
}

/* Nothing is said to a client before all is read. */
static bool
begin(struct session *s, struct auth *auth, char *const *checker)
{
	struct control_error err = { .text = "unable to read controls" };
	struct reply refusal;
	struct verdict v;

	session_init(s, STDIN_FILENO, STDOUT_FILENO);
	if (!session_start_implicit_tls(s))
		return false;
	if (!prepare(s, auth, checker, &err, &refusal)) {
		if (err.text[0] != '\0')
			log_trouble(s, err.text);
		session_say(s, &refusal);
		return false;
	}
	v = pipeline_run(s, STAGE_CONNECT);
	tarpit_delay(s, v.tarpit);
	if (v.kind == VERDICT_REJECT) {
		v.reply.close = true;
		session_say(s, &v.reply);
		return false;
	}
	session_greet(s);
	return true;
}

static void
converse(struct session *s)
{
	while (s->state == SESSION_OPEN) {
		unsigned flaws = 0;
		int r = session_read_command(s, &flaws);

		if (r != 0) {
			struct reply last = session_lost(s, r);

			session_say(s, &last);
			return;
		}
		fingerprint_heard(s);
		log_client(s, buf_view(&s->line));
		command_run(s, flaws);
	}
}

int
main(int argc, char **argv)
{
	struct session s;
	struct auth auth;
	bool in_order;

	/* All but the buffers at its end: their pages come with their use. */
	memset(&s, 0, offsetof(struct session, line_data));
	program_begin(&program);
	/* Logs and whatever else was left open are not for those we run. */
	(void)io_cloexec_from(STDERR_FILENO + 1);
	if (begin(&s, &auth, argc > 0 ? argv + 1 : argv))
		converse(&s);
	session_finish(&s);
	in_order = s.state == SESSION_QUIT;
	session_free(&s);
	return in_order ? 0 : 1;
}
