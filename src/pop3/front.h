/* Between the files of the front: commands, and logins. */
#ifndef POP3_FRONT_H
#define POP3_FRONT_H

#include "pop3/popup.h"

_Noreturn void front_end(struct popup *p);
/* Replies leave at once, and the session ends. */
_Noreturn void front_fail(struct popup *p, const char *text);

/* Commands that ask for a login; they return when it is refused. */
void front_pass(struct popup *p, struct strv password);
void front_apop(struct popup *p, struct strv argument);
void front_auth(struct popup *p, struct strv argument);

#endif
