/*
 * Logins have two spellings where checkmailbox(8) checks them: a name without
 * a domain is one of control/defaulthost.  What is said of a login must hold
 * for both, or it could be got around by typing the other one.
 */
#ifndef CONF_LOGIN_NAME_H
#define CONF_LOGIN_NAME_H

#include "conf/control.h"

/*
 * Appends the login with a domain, its own or control/defaulthost.  0, or what
 * kept us from knowing and err tells; out may then hold a part.
 */
int login_name_full(
    struct strv login, struct buf *out, struct control_error *err);
/*
 * Appends the login without its domain if that is control/defaulthost.  0;
 * QE_ABSENT if it has no domain, or another one; else as above.
 */
int login_name_short(
    struct strv login, struct buf *out, struct control_error *err);

#endif
