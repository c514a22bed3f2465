/* Reading a header in bounded memory; see the header file. */
#include "inject/header.h"
#include "base/error.h"
#include "mail/header.h"

#include <stdlib.h>
#include <string.h>

enum {
	HEADER_NAME_MAX = 1000, /* bytes in which a field shows its colon */
	HEADER_FIRST = 32       /* fields of the first allocation */
};

#define RESENT       FIELD_IS_RESENT
#define DELETED      FIELD_IS_DELETED
#define SENDERS      FIELD_HAS_ADDRESSES
#define R_SENDERS    (SENDERS | RESENT)
#define RECIPIENTS   (FIELD_HAS_ADDRESSES | FIELD_HAS_RECIPIENTS)
#define R_RECIPIENTS (RECIPIENTS | RESENT)
#define HIDDEN       (RECIPIENTS | DELETED)
#define R_HIDDEN     (R_RECIPIENTS | DELETED)
#define TRACE        (SENDERS | DELETED)

const struct field_kind field_kinds[FIELD_COUNT] = {
	[FIELD_OTHER] = {"",                   0           },
	[FIELD_SENDER] = { "Sender",            SENDERS     },
	[FIELD_FROM] = { "From",              SENDERS     },
	[FIELD_REPLY_TO] = { "Reply-To",          SENDERS     },
	[FIELD_TO] = { "To",                RECIPIENTS  },
	[FIELD_CC] = { "Cc",                RECIPIENTS  },
	[FIELD_BCC] = { "Bcc",               HIDDEN      },
	[FIELD_DATE] = { "Date",              0           },
	[FIELD_MESSAGE_ID] = { "Message-ID",        0           },
	[FIELD_APPARENTLY_TO] = { "Apparently-To",     RECIPIENTS  },
	[FIELD_RETURN_RECEIPT_TO] = { "Return-Receipt-To", SENDERS     },
	[FIELD_ERRORS_TO] = { "Errors-To",         SENDERS     },
	[FIELD_RETURN_PATH] = { "Return-Path",       TRACE       },
	[FIELD_CONTENT_LENGTH] = { "Content-Length",    DELETED     },
	[FIELD_MAIL_FOLLOWUP_TO] = { "Mail-Followup-To",  0           },
	[FIELD_R_SENDER] = { "Resent-Sender",     R_SENDERS   },
	[FIELD_R_FROM] = { "Resent-From",       R_SENDERS   },
	[FIELD_R_REPLY_TO] = { "Resent-Reply-To",   R_SENDERS   },
	[FIELD_R_TO] = { "Resent-To",         R_RECIPIENTS},
	[FIELD_R_CC] = { "Resent-Cc",         R_RECIPIENTS},
	[FIELD_R_BCC] = { "Resent-Bcc",        R_HIDDEN    },
	[FIELD_R_DATE] = { "Resent-Date",       RESENT      },
	[FIELD_R_MESSAGE_ID] = { "Resent-Message-ID", RESENT      },
};

static enum field_id
field_identify(struct strv name)
{
	for (int id = FIELD_OTHER + 1; id < FIELD_COUNT; id++)
		if (strv_eq_nocase(name, strv_of(field_kinds[id].name)))
			return (enum field_id)id;
	return FIELD_OTHER;
}

void
header_free(struct header *h)
{
	buf_free(&h->bytes);
	buf_free(&h->body);
	free(h->fields);
	h->fields = NULL;
	h->count = h->cap = 0;
}

struct strv
header_field_text(const struct header *h, const struct header_field *f)
{
	return strv_from(h->bytes.data + f->start, f->len);
}

/* Room for one more field; more than HEADER_FIELDS_MAX are too many. */
static int
header_grow(struct header *h)
{
	size_t cap = h->cap == 0 ? HEADER_FIRST : h->cap * 2;
	struct header_field *bigger;

	if (h->count == HEADER_FIELDS_MAX)
		return QE_LIMIT;
	if (h->count < h->cap)
		return 0;
	bigger = reallocarray(h->fields, cap, sizeof *bigger);
	if (bigger == NULL)
		return QE_NOMEM;
	h->fields = bigger;
	h->cap = cap;
	return 0;
}

static int
header_begin_field(struct header *h, struct strv line, struct strv prefix)
{
	enum field_id id = field_identify(header_field_name(line));
	int r = header_grow(h);

	if (r != 0)
		return r;
	h->fields[h->count++] = (struct header_field){
		.id = id, .start = h->bytes.len, .len = prefix.len + line.len
	};
	h->has[id] = true;
	if ((field_kinds[id].traits & FIELD_IS_RESENT) != 0)
		h->is_resent = true;
	buf_add_view(&h->bytes, prefix);
	buf_add_view(&h->bytes, line);
	return h->bytes.err;
}

static int
header_continue_field(struct header *h, struct strv line)
{
	buf_add_view(&h->bytes, line);
	h->fields[h->count - 1].len += line.len;
	return h->bytes.err;
}

/* True if the line, or what is there of it, belongs to the header. */
static bool
header_wants(const struct header *h, struct strv line)
{
	if (line.len == 0)
		return false;
	if (line.ptr[0] == ' ' || line.ptr[0] == '\t')
		return h->count > 0;
	return header_field_name(strv_head(line, HEADER_NAME_MAX)).len > 0 ||
	       strv_starts(line, STRV("From "));
}

/*
 * Reads one line, with its LF if it has one.  A line that is plainly no field
 * is not read to its end: it may be the whole of a large body.
 */
static int
header_read_line(
    const struct header *h, struct source *in, struct buf *line, bool *ended)
{
	*ended = false;
	buf_reset(line);
	while (!*ended) {
		struct strv bytes;
		size_t end;
		int r = source_fill(in, IO_FOREVER);

		if (r == QE_EOF)
			return 0;
		if (r != 0)
			return r;
		bytes = source_peek(in);
		end = strv_find(bytes, '\n');
		*ended = end != STRV_NPOS;
		bytes = strv_head(bytes, *ended ? end + 1 : bytes.len);
		buf_add_view(line, bytes);
		source_take(in, bytes.len);
		if (line->err != 0)
			return line->err;
		if (line->len > HEADER_NAME_MAX &&
		    !header_wants(h, buf_view(line)))
			return 0;
	}
	return 0;
}

/*
 * Some callers write line ends as they stand on the wire; the first one tells
 * for all of them.
 */
static void
header_fix_end(struct header *h, struct buf *line)
{
	size_t len = line->len;

	if (len < 2 || line->data[len - 2] != '\r' ||
	    (h->count > 0 && !h->has_crlf))
		return;
	h->has_crlf = true;
	line->data[len - 2] = '\n';
	buf_truncate(line, len - 1);
}

static int
header_take_line(struct header *h, struct strv line)
{
	if (line.ptr[0] == ' ' || line.ptr[0] == '\t')
		return header_continue_field(h, line);
	if (header_field_name(line).len > 0)
		return header_begin_field(h, line, STRV_EMPTY);
	return header_begin_field(h, line, STRV("MBOX-Line: "));
}

static int
header_read_lines(struct source *in, struct header *h, struct buf *line)
{
	for (;;) {
		bool ended;
		int r = header_read_line(h, in, line, &ended);

		if (r != 0 || line->len == 0)
			return r;
		if (ended)
			header_fix_end(h, line);
		if (strv_eq(buf_view(line), STRV("\n")))
			return 0;
		if (!header_wants(h, buf_view(line))) {
			buf_add_view(&h->body, buf_view(line));
			return h->body.err;
		}
		if (!ended)
			buf_add_char(line, '\n');
		r = header_take_line(h, buf_view(line));
		if (r != 0)
			return r;
	}
}

int
header_read(struct source *in, struct header *out)
{
	struct header h = { .bytes = BUF_LIMIT(HEADER_BYTES_MAX),
		.body = BUF_LIMIT(HEADER_BYTES_MAX) };
	struct buf line = BUF_LIMIT(HEADER_BYTES_MAX);
	int r = header_read_lines(in, &h, &line);

	buf_free(&line);
	if (r != 0)
		header_free(&h);
	else
		*out = h;
	return r;
}

void
header_drop(struct header *h, enum field_id id)
{
	size_t kept = 0;

	for (size_t i = 0; i < h->count; i++)
		if (h->fields[i].id != id)
			h->fields[kept++] = h->fields[i];
	h->count = kept;
	h->has[id] = false;
}
