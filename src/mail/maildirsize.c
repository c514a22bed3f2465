/*
 * The text of a maildirsize file (Maildir++; maildir(5)).  The owner of the
 * mailbox and other programs write it too, so nothing in it is taken on trust.
 */
#include "mail/maildirsize.h"
#include "base/error.h"

#include <inttypes.h>

/* "123S" or "45C"; other letters are for others.  0 or QE_SYNTAX. */
static int
parse_limit(struct strv item, struct maildirsize *out)
{
	uint64_t value;

	item = strv_trim_blanks(item);
	if (item.len < 2 || strv_to_u64(strv_head(item, item.len - 1),
				MAILDIRSIZE_NUMBER_MAX, &value) != 0)
		return QE_SYNTAX;
	switch (item.ptr[item.len - 1]) {
	case 'S':
		out->max_bytes = (int64_t)value;
		return 0;
	case 'C':
		out->max_messages = (int64_t)value;
		return 0;
	default:
		return ascii_is_alpha(item.ptr[item.len - 1]) ? 0 : QE_SYNTAX;
	}
}

static int
parse_quota(struct strv line, struct maildirsize *out)
{
	bool more = true;
	int r = line.len > MAILDIRSIZE_QUOTA_MAX ? QE_SYNTAX : 0;

	out->quota = line;
	while (r == 0 && more)
		r = parse_limit(strv_cut(&line, ',', &more), out);
	return r;
}

static int
parse_signed(struct strv text, int64_t *out)
{
	bool negative = text.len > 0 && text.ptr[0] == '-';
	uint64_t value;
	int r = strv_to_u64(
	    strv_skip(text, negative), MAILDIRSIZE_NUMBER_MAX, &value);

	if (r != 0)
		return QE_CORRUPT;
	*out = negative ? -(int64_t)value : (int64_t)value;
	return 0;
}

/* Sums are kept within bounds, so that adding the next cannot overflow. */
static int
add(int64_t *sum, int64_t value)
{
	*sum += value;
	return *sum > MAILDIRSIZE_NUMBER_MAX || *sum < -MAILDIRSIZE_NUMBER_MAX
		   ? QE_CORRUPT
		   : 0;
}

static int
parse_line(struct strv line, struct maildirsize *out)
{
	int64_t bytes, messages;
	struct strv first;
	int r;

	line = strv_trim_blanks(line);
	first = strv_cut(&line, ' ', NULL);
	r = parse_signed(first, &bytes);
	if (r == 0)
		r = parse_signed(strv_trim_blanks(line), &messages);
	if (r == 0)
		r = add(&out->bytes, bytes);
	return r == 0 ? add(&out->messages, messages) : r;
}

int
maildirsize_parse(struct strv text, struct maildirsize *out)
{
	struct maildirsize size = { .lines = 0 };
	bool ended;
	int r = parse_quota(strv_trim_end(strv_cut(&text, '\n', NULL)), &size);

	if (r != 0)
		return r;
	for (; r == 0 && text.len > 0; size.lines++) {
		struct strv line = strv_cut(&text, '\n', &ended);

		/* A torn last line is somebody's half-written number. */
		r = ended ? parse_line(line, &size) : QE_CORRUPT;
	}
	if (size.bytes < 0 || size.messages < 0)
		r = QE_CORRUPT;
	*out = size;
	return r;
}

bool
maildirsize_admits(
    const struct maildirsize *size, int64_t bytes, int64_t messages)
{
	if (size->max_bytes > 0 &&
	    (bytes > size->max_bytes || size->bytes > size->max_bytes - bytes))
		return false;
	return size->max_messages == 0 ||
	       (messages <= size->max_messages &&
		   size->messages <= size->max_messages - messages);
}

void
maildirsize_add_line(struct buf *out, int64_t bytes, int64_t messages)
{
	buf_addf(out, "%" PRId64 " %" PRId64 "\n", bytes, messages);
}

int64_t
maildirsize_of_name(struct strv name)
{
	uint64_t value;

	/* What readers add stands behind the colon. */
	name = strv_cut(&name, ':', NULL);
	strv_cut(&name, ',', NULL);
	while (name.len > 0) {
		struct strv item = strv_cut(&name, ',', NULL);

		if (strv_starts(item, STRV("S=")) &&
		    strv_to_u64(strv_skip(item, 2), MAILDIRSIZE_NUMBER_MAX,
			&value) == 0)
			return (int64_t)value;
	}
	return -1;
}

bool
maildirsize_counts(struct strv name)
{
	size_t colon = strv_rfind(name, ':');
	struct strv info =
	    colon == STRV_NPOS ? STRV_EMPTY : strv_skip(name, colon);

	return !strv_starts(info, STRV(":2,")) ||
	       strv_find(info, 'T') == STRV_NPOS;
}
