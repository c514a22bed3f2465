/*
 * The message under way.  What a stranger can make it hold is bounded twice:
 * by the number of recipients and by the bytes of their addresses.
 */
#include "smtpd/transaction.h"
#include "base/error.h"

enum { TRANSACTION_KEEP = 16384 }; /* bytes kept for the next message */

void
transaction_init(struct transaction *t)
{
	*t = (struct transaction){
		.sender = BUF_LIMIT(ADDRESS_BYTES_MAX),
		.recipients = BUF_LIMIT(RECIPIENTS_BYTES_MAX),
		.candidate = BUF_LIMIT(ADDRESS_BYTES_MAX),
		.fields = BUF_LIMIT(FIELDS_BYTES_MAX),
	};
}

void
transaction_reset(struct transaction *t)
{
	t->open = false;
	t->is_spam = false;
	t->recipient_count = 0;
	t->announced_size = 0;
	t->tap_count = 0;
	t->dot_deadline_ms = 0;
	buf_reset(&t->sender);
	buf_reset(&t->candidate);
	if (t->recipients.cap > TRANSACTION_KEEP)
		buf_free(&t->recipients);
	buf_reset(&t->recipients);
	buf_free(&t->fields);
}

void
transaction_free(struct transaction *t)
{
	buf_free(&t->sender);
	buf_free(&t->recipients);
	buf_free(&t->candidate);
	buf_free(&t->fields);
}

int
transaction_add(struct transaction *t, struct strv recipient)
{
	size_t before = t->recipients.len;
	int err;

	if (t->recipient_count >= RECIPIENTS_MAX)
		return QE_LIMIT;
	buf_add_view(&t->recipients, recipient);
	buf_add_char(&t->recipients, '\0');
	err = t->recipients.err;
	if (err != 0) {
		/* Those before stay good: nothing of this one is left. */
		t->recipients.err = 0;
		buf_truncate(&t->recipients, before);
		return err;
	}
	t->recipient_count++;
	return 0;
}

bool
transaction_next_recipient(struct strv *rest, struct strv *recipient)
{
	bool found;

	if (rest->len == 0)
		return false;
	*recipient = strv_cut(rest, '\0', &found);
	return found;
}
