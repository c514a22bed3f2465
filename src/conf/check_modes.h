/* control/checks: which checks of qmail-smtpd are off or only watch. */
#ifndef CONF_CHECK_MODES_H
#define CONF_CHECK_MODES_H

#include "conf/control.h"

enum check_mode { CHECK_OFF, CHECK_WATCH, CHECK_ON };

/*
 * The checks that there are; qmail-smtpd's list has these and no others, but
 * for its plugins, which are switched together.
 */
#define CHECK_PLUGINS "plugins"
enum { CHECK_NAME_MAX = 16 }; /* bytes of a name, and a NUL */

extern const char check_names[][CHECK_NAME_MAX];
extern const size_t check_names_count;

/*
 * As control_set_load, and every key is a check, every value a mode.
 * QE_SYNTAX names a line that is wrong.
 */
int check_modes_load(struct control_set *out, struct control_error *err);
/* CHECK_ON for what the file does not name. */
enum check_mode check_modes_find(
    const struct control_set *modes, const char *name);

#endif
