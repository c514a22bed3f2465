/*
 * Cuts a stream into lines and lines into pieces.  Never grows, whatever
 * comes in; empty lines are dropped.
 */
#include "admin/logline.h"

#include <syslog.h>

static int
priority_of(struct strv piece)
{
	if (strv_starts(piece, STRV("alert:")))
		return LOG_ALERT;
	if (strv_starts(piece, STRV("warning:")))
		return LOG_WARNING;
	return LOG_INFO;
}

static void
send_piece(struct logline *line, logline_send *send, void *context)
{
	if (line->len == 0)
		return;
	if (!line->continued)
		line->priority = priority_of(strv_from(line->text, line->len));
	line->text[line->len] = '\0';
	send(context, line);
	line->len = 0;
	line->continued = true;
}

void
logline_end(struct logline *line, logline_send *send, void *context)
{
	send_piece(line, send, context);
	line->continued = false;
}

void
logline_feed(
    struct logline *line, struct strv bytes, logline_send *send, void *context)
{
	for (size_t i = 0; i < bytes.len; i++) {
		char c = bytes.ptr[i];

		if (c == '\n') {
			logline_end(line, send, context);
			continue;
		}
		if (line->len == LOGLINE_PIECE)
			send_piece(line, send, context);
		line->text[line->len++] = c >= ' ' && c <= '~' ? c : '?';
	}
}
