/* The table of commands, its dispatcher, and the handlers of all verbs. */
#ifndef SMTPD_COMMANDS_H
#define SMTPD_COMMANDS_H

#include "smtpd/session.h"

/*
 * Handlers return what is to be said; a code of 0 means that they have said
 * it themselves (replies of several lines).
 */
typedef struct reply (*command_handler)(struct session *, struct strv argument);

/* Takes the line in s->line, with its flaws, and answers it. */
void command_run(struct session *s, unsigned flaws);

/* True if there is a command of that name. */
bool command_is_known(struct strv verb);

struct reply command_helo(struct session *s, struct strv argument);
struct reply command_ehlo(struct session *s, struct strv argument);
struct reply command_auth(struct session *s, struct strv argument);
struct reply command_mail(struct session *s, struct strv argument);
struct reply command_rcpt(struct session *s, struct strv argument);
struct reply command_data(struct session *s, struct strv argument);
struct reply command_rset(struct session *s, struct strv argument);
struct reply command_noop(struct session *s, struct strv argument);
struct reply command_vrfy(struct session *s, struct strv argument);
struct reply command_help(struct session *s, struct strv argument);
struct reply command_starttls(struct session *s, struct strv argument);
struct reply command_quit(struct session *s, struct strv argument);

/* Ends MAIL, RCPT or whatever transaction there is. */
void command_reset_transaction(struct session *s);

/* Bytes that no line or message may hold: said before closing. */
struct reply refuse_flaws(unsigned flaws);

#endif
