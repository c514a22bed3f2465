/*
 * control/auth/norelay and what qmail-newnorelay makes of it: logins that
 * fetch mail and do not send it.
 */
#ifndef CONF_NORELAY_H
#define CONF_NORELAY_H

#include "conf/control.h"

/*
 * Is the login in the list or in the database?  Upper and lower case are the
 * same, and so are "joe" and "joe@domain" where that is control/defaulthost,
 * as they are one mailbox for checkmailbox(8).  0: it is; QE_ABSENT: it is in
 * neither; else what kept us from knowing, and err tells: then it must not be
 * believed that it may send.
 */
int norelay_find(struct strv login, struct control_error *err);

#endif
