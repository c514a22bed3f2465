/*
 * What qpasswd does in a home, all of it with the rights of its user: the
 * directory may be in the hands of somebody whom root must not trust.
 */
#ifndef AUTH_QPASSWD_HOME_H
#define AUTH_QPASSWD_HOME_H

#include "auth/qpasswd_file.h"

enum qpasswd_task {
	QPASSWD_MAKE,   /* the home, its Maildir, and .qpasswd */
	QPASSWD_CHANGE, /* .qpasswd holds this password alone */
	QPASSWD_KEEP,   /* the same, and those that it held */
	QPASSWD_FORGET  /* .qpasswd goes; the mail stays */
};

/*
 * Does it in a child that has become the user, and says what went wrong on
 * descriptor 2.  0 or QE_TEMP.
 */
int qpasswd_home(
    struct qpasswd_user *user, enum qpasswd_task task, struct strv password);

#endif
