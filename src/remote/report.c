/*
 * Collects what became of a message and its recipients, and writes it in one
 * piece at the end, so that a later exchanger can still change it.
 */
#include "remote/report.h"

#include "base/error.h"
#include "base/io.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { SENTENCE_MAX = 1024 }; /* bytes of our own words in a record */

int
report_init(struct report *report, char *const *addresses, size_t count)
{
	*report = (struct report){ .text = BUF_LIMIT(REPORT_TEXT_MAX) };
	report->recipients =
	    calloc(count == 0 ? 1 : count, sizeof(*report->recipients));
	if (report->recipients == NULL)
		return QE_NOMEM;
	report->count = count;
	for (size_t i = 0; i < count; i++) {
		report->recipients[i].address = strv_of(addresses[i]);
		report->recipients[i].text.max = REPORT_TEXT_MAX;
	}
	return 0;
}

void
report_free(struct report *report)
{
	for (size_t i = 0; i < report->count; i++)
		buf_free(&report->recipients[i].text);
	free(report->recipients);
	buf_free(&report->text);
	report->recipients = NULL;
	report->count = 0;
}

static void
set_text(struct buf *text, const char *format, va_list args)
{
	char sentence[SENTENCE_MAX];

	vsnprintf(sentence, sizeof(sentence), format, args);
	buf_reset(text);
	buf_add_str(text, sentence);
	buf_add_char(text, '\n');
}

size_t
report_pending_from(const struct report *report, size_t i)
{
	while (i < report->count &&
	       report->recipients[i].state == RECIPIENT_REJECTED)
		i++;
	return i;
}

void
report_set(struct report *report, char letter, const char *format, ...)
{
	va_list args;

	report->letter = letter;
	va_start(args, format);
	set_text(&report->text, format, args);
	va_end(args);
}

void
report_set_recipient(struct recipient *recipient, enum recipient_state state,
    const char *format, ...)
{
	va_list args;

	recipient->state = state;
	va_start(args, format);
	set_text(&recipient->text, format, args);
	va_end(args);
}

static int
rank(char letter)
{
	return letter == 'K' ? 3 : letter == 'Z' ? 2 : letter == 'D' ? 1 : 0;
}

void
report_merge(struct report *whole, struct recipient *recipient,
    const struct report *alone)
{
	bool told = recipient->state == RECIPIENT_REJECTED ||
		    recipient->state == RECIPIENT_DEFERRED;

	if (alone->letter != 'K' && !told) {
		recipient->state = alone->letter == 'D' ? RECIPIENT_REJECTED
							: RECIPIENT_DEFERRED;
		buf_reset(&recipient->text);
		buf_add_view(&recipient->text, buf_view(&alone->text));
	}
	if (rank(alone->letter) <= rank(whole->letter))
		return;
	whole->letter = alone->letter;
	buf_reset(&whole->text);
	buf_add_view(&whole->text, buf_view(&alone->text));
}

void
report_add_said(struct buf *text, struct strv said)
{
	if (said.len == 0)
		return;
	said = strv_head(said, REPORT_SAID_MAX - 1);
	buf_add_str(text, "Remote host said: ");
	buf_add_view(text, said);
	if (said.ptr[said.len - 1] != '\n')
		buf_add_char(text, '\n');
}

/* A NUL inside a record would end it early. */
static void
add_record(struct buf *out, char letter, const struct buf *text)
{
	struct strv rest = buf_view(text);
	bool has_nul;

	buf_add_char(out, letter);
	do {
		buf_add_view(out, strv_cut(&rest, '\0', &has_nul));
		if (has_nul)
			buf_add_char(out, '?');
	} while (has_nul);
	buf_add_char(out, '\0');
}

void
report_add_single(const struct report *report, size_t index, struct buf *out)
{
	static const char unasked[] = "sOut of memory. (#4.3.0)\n";
	const struct recipient *recipient = &report->recipients[index];

	if (recipient->state != RECIPIENT_UNASKED)
		add_record(out, (char)recipient->state, &recipient->text);
	/* Others have the message; whoever was not asked for has not. */
	else if (report->letter == 'K')
		buf_add(out, unasked, sizeof(unasked));
	add_record(out, report->letter, &report->text);
}

int
report_write(const struct report *report, int fd)
{
	struct buf out = BUF_LIMIT((report->count + 1) * (REPORT_TEXT_MAX + 2));
	int r;

	for (size_t i = 0; i < report->count; i++) {
		const struct recipient *recipient = &report->recipients[i];

		if (recipient->state == RECIPIENT_UNASKED)
			break;
		add_record(&out, (char)recipient->state, &recipient->text);
	}
	add_record(&out, report->letter, &report->text);
	r = out.err;
	if (r == 0)
		r = io_write_all(fd, out.data, out.len);
	buf_free(&out);
	return r;
}
