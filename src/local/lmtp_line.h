/* The line "!lmtp:server [recipient]" of a .qmail file (dot-qmail(5)). */
#ifndef LOCAL_LMTP_LINE_H
#define LOCAL_LMTP_LINE_H

#include "local/environment.h"
#include "smtp/lmtp.h"

struct lmtp_line {
	struct lmtp_server server;
	struct buf recipient; /* owned */
};

/*
 * text: what follows "!lmtp:".  $USER, $LOCAL, $HOST, $EXT and $DEFAULT in the
 * recipient become what they are in the environment of programs; without one
 * it is local@domain.  0, QE_SYNTAX (no server, an empty recipient, another
 * variable), QE_LIMIT, QE_NOMEM.
 */
int lmtp_line_parse(
    struct strv text, const struct local_mail *mail, struct lmtp_line *out);
void lmtp_line_clear(struct lmtp_line *line);

#endif
