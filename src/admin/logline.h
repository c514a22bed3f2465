/* Lines of a log cut into pieces that syslog takes. */
#ifndef ADMIN_LOGLINE_H
#define ADMIN_LOGLINE_H

#include "base/strv.h"

enum { LOGLINE_PIECE = 799 }; /* bytes */

struct logline {
	char text[LOGLINE_PIECE + 1];
	size_t len;
	bool continued; /* text is not the first piece of its line */
	int priority;   /* of the whole line, as for syslog(3) */
};

/* Gets one piece of a line, printable and with a NUL at its end. */
typedef void logline_send(void *context, const struct logline *piece);

/* Start with a zeroed struct. */
void logline_feed(
    struct logline *line, struct strv bytes, logline_send *send, void *context);
/* Sends what stands there without a line end. */
void logline_end(struct logline *line, logline_send *send, void *context);

#endif
