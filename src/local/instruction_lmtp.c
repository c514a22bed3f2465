/* The instruction "!lmtp:": another server stores the message (RFC 2033). */
#include "base/error.h"
#include "base/exitcode.h"
#include "local/instruction.h"
#include "local/lmtp_line.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MY_NAME_MAX = 255, SAID_MAX = 500 };

/* The reply on one line, with nothing that could move a cursor. */
static void
flatten(struct buf *text)
{
	size_t n = text->len;

	while (n > 0 && text->data[n - 1] == '\n')
		n--;
	buf_truncate(text, n < SAID_MAX ? n : SAID_MAX);
	for (size_t i = 0; i < text->len; i++) {
		unsigned char c = (unsigned char)text->data[i];

		if (c == '\n')
			text->data[i] = '/';
		else if (c < ' ' || c == 127)
			text->data[i] = '?';
	}
}

static int
explain(struct delivery *d, enum lmtp_outcome outcome, const char *host,
    struct buf *text)
{
	const char *reason = error_text(errno);
	const char *said;

	flatten(text);
	said = buf_cstr(text);
	switch (outcome) {
	case LMTP_DELIVERED:
		return 0;
	case LMTP_REFUSED:
		return delivery_fail(
		    d, EX_PERMANENT, "LMTP server %s said: %s", host, said);
	case LMTP_DEFERRED:
		if (text->len == 0)
			said = "nothing that makes sense. (#4.4.2)";
		return delivery_fail(
		    d, EX_TEMPORARY, "LMTP server %s said: %s", host, said);
	case LMTP_NO_HOST:
		return delivery_fail(d, EX_TEMPORARY,
		    "Unable to find LMTP server %s. (#4.4.3)", host);
	case LMTP_CONNECT:
		return delivery_fail(d, EX_TEMPORARY,
		    "Unable to connect to LMTP server %s: %s. (#4.4.1)", host,
		    reason);
	case LMTP_DIED:
		return delivery_fail(d, EX_TEMPORARY,
		    "LMTP server %s: connection died. (#4.4.2)", host);
	case LMTP_DIED_LATE:
		return delivery_fail(d, EX_TEMPORARY,
		    "LMTP server %s: connection died. Possible duplicate! "
		    "(#4.4.2)",
		    host);
	case LMTP_READ:
		return delivery_fail(d, EX_TEMPORARY,
		    "Unable to read message: %s. (#4.3.0)", reason);
	case LMTP_ADDRESS:
		return delivery_fail(d, EX_PERMANENT,
		    "An address has a character that LMTP cannot carry. "
		    "(#5.1.3)");
	case LMTP_NOMEM:
		break;
	}
	return delivery_fail(d, EX_TEMPORARY, "Out of memory. (#4.3.0)");
}

static int
hand_over(struct delivery *d, const struct lmtp_line *line)
{
	char name[MY_NAME_MAX + 1] = "localhost";
	struct buf text = BUF_INIT;
	struct lmtp_message message = { .sender = strv_of(d->mail->sender),
		.recipient = buf_view(&line->recipient),
		.prefix = buf_view(&d->lines->delivered),
		.fd = d->message_fd };
	enum lmtp_outcome outcome;
	int r;

	if (gethostname(name, sizeof(name)) < 0 || name[0] == '\0')
		memcpy(name, "localhost", sizeof("localhost"));
	name[MY_NAME_MAX] = '\0';
	message.my_name = strv_of(name);
	outcome = lmtp_deliver(&line->server, &message, NULL, &text);
	r = explain(d, outcome, line->server.host, &text);
	buf_free(&text);
	return r;
}

int
instruction_lmtp(struct delivery *d, struct strv text)
{
	struct lmtp_line line;
	int r = lmtp_line_parse(text, d->mail, &line);

	if (r == QE_NOMEM)
		r = delivery_fail(d, EX_TEMPORARY, "Out of memory. (#4.3.0)");
	else if (r != 0)
		r = delivery_fail(d, EX_TEMPORARY,
		    "Uh-oh: .qmail has an !lmtp: line without a good server "
		    "and recipient. (#4.2.1)");
	else
		r = hand_over(d, &line);
	lmtp_line_clear(&line);
	return r;
}
