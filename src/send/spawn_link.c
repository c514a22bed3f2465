/*
 * Codec of the spawners' pipes.  Reports come from programs that talk to
 * strangers: any byte can be a delivery number, and no length is believed.
 */
#include "send/spawn_link.h"
#include "base/error.h"
#include "base/io.h"

#include <string.h>

static int
read_byte(int fd, unsigned *out)
{
	unsigned char byte;

	if (io_read(fd, &byte, 1) != 1)
		return QE_EOF;
	*out = byte;
	return 0;
}

int
spawn_link_greeting(int fd, struct spawn_limit *out)
{
	unsigned first, low, high;

	if (read_byte(fd, &first) != 0)
		return QE_EOF;
	if (first != 0) {
		*out = (struct spawn_limit){ first, 1 };
		return 0;
	}
	if (read_byte(fd, &low) != 0 || read_byte(fd, &high) != 0)
		return QE_EOF;
	*out = (struct spawn_limit){ high << 8 | low, 2 };
	return out->limit == 0 || out->limit > SPAWN_LIMIT_MAX ? QE_SYNTAX : 0;
}

void
spawn_link_add_request(struct buf *out, unsigned number_bytes, unsigned number,
    const char *messid, struct strv sender, struct strv recipient)
{
	buf_add_char(out, (char)(number & 0xff));
	if (number_bytes > 1)
		buf_add_char(out, (char)(number >> 8 & 0xff));
	buf_add_str(out, messid);
	buf_add_char(out, '\0');
	spawn_link_add_sender(out, sender, recipient);
	buf_add_char(out, '\0');
	buf_add_view(out, recipient);
	buf_add_char(out, '\0');
}

void
spawn_report_reset(struct spawn_report *report)
{
	report->number_have = report->number = 0;
	report->len = 0;
}

size_t
spawn_report_feed(
    struct spawn_report *report, struct strv bytes, bool *complete)
{
	size_t at = 0, end, n, room;
	struct strv rest;

	*complete = false;
	while (report->number_have < report->number_bytes && at < bytes.len)
		report->number |= (unsigned)(unsigned char)bytes.ptr[at++]
				  << (8 * report->number_have++);
	rest = strv_skip(bytes, at);
	end = strv_find(rest, '\0');
	n = end == STRV_NPOS ? rest.len : end;
	room = sizeof(report->text) - report->number_bytes - report->len;
	if (n > 0)
		memcpy(
		    report->text + report->len, rest.ptr, n < room ? n : room);
	report->len += n < room ? n : room;
	*complete = end != STRV_NPOS;
	return at + n + (*complete ? 1 : 0);
}

void
spawn_link_add_sender(
    struct buf *out, struct strv sender, struct strv recipient)
{
	struct strv stem = strv_head(sender, sender.len - 4);
	size_t sender_at, recipient_at;

	if (!strv_ends_nocase(sender, STRV("-@[]"))) {
		buf_add_view(out, sender);
		return;
	}
	sender_at = strv_rfind(stem, '@');
	recipient_at = strv_rfind(recipient, '@');
	if (sender_at == STRV_NPOS || recipient_at == STRV_NPOS) {
		buf_add_view(out, sender);
		return;
	}
	buf_add_view(out, strv_head(stem, sender_at));
	buf_add_view(out, strv_head(recipient, recipient_at));
	buf_add_char(out, '=');
	buf_add_view(out, strv_skip(recipient, recipient_at + 1));
	buf_add_char(out, '@');
	buf_add_view(out, strv_skip(stem, sender_at + 1));
}
