/*
 * The header of a message as it comes from a local user: fields in order, and
 * which of them matter to qmail-inject.
 */
#ifndef INJECT_HEADER_H
#define INJECT_HEADER_H

#include "base/buf.h"
#include "base/io.h"

#include <stdbool.h>
#include <stddef.h>

enum {
	HEADER_BYTES_MAX = 16 << 20, /* of a whole header */
	HEADER_FIELDS_MAX = 100000
};

enum field_id {
	FIELD_OTHER,
	FIELD_SENDER,
	FIELD_FROM,
	FIELD_REPLY_TO,
	FIELD_TO,
	FIELD_CC,
	FIELD_BCC,
	FIELD_DATE,
	FIELD_MESSAGE_ID,
	FIELD_APPARENTLY_TO,
	FIELD_RETURN_RECEIPT_TO,
	FIELD_ERRORS_TO,
	FIELD_RETURN_PATH,
	FIELD_CONTENT_LENGTH,
	FIELD_MAIL_FOLLOWUP_TO,
	FIELD_R_SENDER,
	FIELD_R_FROM,
	FIELD_R_REPLY_TO,
	FIELD_R_TO,
	FIELD_R_CC,
	FIELD_R_BCC,
	FIELD_R_DATE,
	FIELD_R_MESSAGE_ID,
	FIELD_COUNT
};

enum field_trait {
	FIELD_HAS_ADDRESSES = 1, /* parsed and rewritten */
	FIELD_HAS_RECIPIENTS = 2,
	FIELD_IS_RESENT = 4, /* makes the message a resent one */
	FIELD_IS_DELETED = 8
};

struct field_kind {
	const char *name;
	unsigned traits;
};

extern const struct field_kind field_kinds[FIELD_COUNT];

struct header_field {
	enum field_id id;
	size_t start, len; /* in bytes; with all its lines and the last LF */
};

struct header {
	struct buf bytes;
	struct header_field *fields; /* owned */
	size_t count, cap;
	bool has[FIELD_COUNT];
	bool is_resent;
	bool has_crlf;   /* the first line ends so: all ends become LF */
	struct buf body; /* read already: the body's first bytes */
};

/*
 * Reads up to the first empty line, which is dropped, or the first line that
 * is no field, which goes to body.  "From " lines become MBOX-Line fields.
 * 0, QE_SYS, QE_NOMEM, QE_LIMIT (a header too large).
 */
int header_read(struct source *in, struct header *out);
void header_free(struct header *h);
struct strv header_field_text(
    const struct header *h, const struct header_field *f);
/* Forgets all fields of a kind. */
void header_drop(struct header *h, enum field_id id);

#endif
