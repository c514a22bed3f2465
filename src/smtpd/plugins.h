/*
 * The plugins of a session: programs of the operator, named in
 * control/smtpplugins, that are asked before a command is answered
 * (smtp-plugins(5)).  Without that file there is nothing but a NULL pointer
 * in the session.
 */
#ifndef SMTPD_PLUGINS_H
#define SMTPD_PLUGINS_H

#include "smtp/plugin_output.h"
#include "smtpd/session.h"
#include "smtpd/tap.h"
#include "spool/submit.h"

enum plugins_kind {
	PLUGINS_PASS,  /* go on as without them */
	PLUGINS_TRUST, /* go on, and spare this command the checks */
	PLUGINS_ANSWER /* the command ends with the reply, which may be none */
};

struct plugins_verdict {
	enum plugins_kind kind;
	struct reply reply;
};

/*
 * Reads the control files; s->plugins stays NULL where there are no plugins.
 * 0, or a negative code and err says what is wrong.
 */
int plugins_open(struct session *s, struct control_error *err);
void plugins_free(struct plugins **plugins);

/*
 * Asks the plugins of a stage, and says what a plugin of an earlier one wants
 * to have said at this one.  For PLUGIN_AUTH the login has succeeded already,
 * and is taken back by the caller if that is the answer.
 */
struct plugins_verdict plugins_run(struct session *s, enum plugin_stage stage);

/* True if a plugin has set or unset a variable. */
bool plugins_changed_environment(const struct session *s);
/* Forgets what belongs to a transaction. */
void plugins_reset(struct session *s);
/*
 * As if the client had just connected (session_restart()).  Variables stay as
 * plugins have set them.
 */
void plugins_restart(struct session *s);

/*
 * [content]: the message is kept in a file until its plugins have judged it,
 * because they may add to its header.
 */
extern const struct tap plugins_tap;
/* True from the tap's begin to its close, where there are such plugins. */
bool plugins_hold_message(const struct session *s);
/* Hands over what was held, new fields first: 0, QE_SYS or QE_NOMEM. */
int plugins_send_message(struct session *s, struct submit *submit);

#endif
