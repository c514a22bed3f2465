/* The checks that there are; each is defined in the file of its name. */
#ifndef SMTPD_CHECKS_LIST_H
#define SMTPD_CHECKS_LIST_H

#include "smtpd/check.h"

extern const struct check check_bare_recipient;
extern const struct check check_maxrcpt;
extern const struct check check_rcpthosts;
extern const struct check check_relayclient;

#endif
