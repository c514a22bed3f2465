/*
 * What decides how qmail-inject treats a message: options, environment and
 * control files, read once.
 */
#ifndef INJECT_SETTINGS_H
#define INJECT_SETTINGS_H

#include "base/buf.h"
#include "conf/control.h"
#include "mail/addrlist.h"

#include <stdbool.h>
#include <stdint.h>

enum recipient_source {
	FROM_DEFAULT, /* arguments, or the header if there are none */
	FROM_ARGUMENTS,
	FROM_HEADER,
	FROM_BOTH
};

struct settings {
	bool print; /* instead of queueing */
	enum recipient_source source;
	const char *sender; /* of -f, or NULL */
	char **arguments;   /* ended by NULL */

	bool name_in_comment, drop_return_path, drop_from, drop_message_id;
	bool per_recipient, per_message; /* r and m of $QMAILINJECT */

	const char *user, *host;               /* of the From field */
	const char *full_name;                 /* or NULL */
	const char *sender_user, *sender_host; /* of the envelope */

	struct buf default_host, default_domain, plus_domain, id_host;
	struct address_rules rules; /* views of the above */
	bool has_followup_list;
	struct control_set followup_list; /* $QMAILMFTFILE */
	int64_t now;
};

/*
 * Everything that comes from the environment, and the controls: switches to
 * the home after reading $QMAILMFTFILE, which is the caller's file.  Ends the
 * program with a message on trouble.
 */
void settings_load(struct settings *s);

#endif
