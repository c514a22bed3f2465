/*
 * Fingerprints of messages: a keyed hash of the envelope, the Message-ID and
 * the body, which are what a second attempt has in common with the first.
 * Without a Message-ID two messages may well be the same and meant so.
 *
 * What goes wrong with the table costs the protection and nothing else.
 */
#include "smtpd/fingerprint.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/hashfile.h"
#include "mail/header.h"
#include "smtpd/log.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

enum { FIELD_MAX = 998 }; /* bytes of a header line that count */

struct fingerprint {
	int64_t seconds; /* 0: off */
	struct hashfile table;
	bool has_table;
	/* Of the message under way. */
	struct siphash hash;
	struct buf line; /* of the header */
	bool in_body, in_id, has_id, is_whole;
	unsigned char key[SIPHASH_SIZE];
	/* Of the last one that was queued. */
	bool is_kept;  /* until the client has heard of it */
	bool is_ahead; /* its next command was there before the reply */
	unsigned char kept_key[SIPHASH_SIZE];
};

/* Read at the first message of a session. */
static struct fingerprint *
open_once(struct session *s)
{
	struct control_error err;
	struct fingerprint *f = s->fingerprint;
	int r;

	if (f != NULL)
		return f;
	f = s->fingerprint = calloc(1, sizeof(*f));
	if (f == NULL)
		return NULL;
	f->line.max = FIELD_MAX;
	r = control_int(CTL_HANGUPMEMORY, &f->seconds, &err);
	if (r != 0) {
		log_trouble(s, err.text);
		return f;
	}
	if (f->seconds > 0) {
		r = hashfile_open(
		    FINGERPRINT_TABLE, FINGERPRINT_BUCKETS, &f->table);
		f->has_table = r == 0;
		if (r != 0)
			log_event(s, "hangupmemory: " FINGERPRINT_TABLE ": %s",
			    error_result_text(r));
	}
	return f;
}

static bool
begin(struct session *s, struct strv fields)
{
	struct fingerprint *f = open_once(s);

	(void)fields;
	if (f == NULL || !f->has_table)
		return false;
	siphash_init(&f->hash, f->table.secret);
	siphash_feed(&f->hash, buf_view(&s->tx.sender));
	siphash_feed(&f->hash, STRV("\0"));
	siphash_feed(&f->hash, buf_view(&s->tx.recipients));
	siphash_feed(&f->hash, STRV("\0"));
	/* Where it goes instead. */
	siphash_feed(&f->hash, s->fixed_to);
	siphash_feed(&f->hash, STRV("\0"));
	buf_reset(&f->line);
	f->in_body = f->in_id = f->has_id = f->is_whole = false;
	return true;
}

/* A line of the header, or its first bytes: an empty one is the last. */
static void
take_line(struct fingerprint *f)
{
	struct strv line = buf_view(&f->line);
	bool continues =
	    line.len > 0 && (line.ptr[0] == ' ' || line.ptr[0] == '\t');

	f->in_body = line.len == 0;
	if (!continues)
		f->in_id =
		    !f->has_id && header_field_is(line, STRV("Message-ID"));
	if (f->in_id) {
		struct strv id = continues ? line : header_field_value(line);

		f->has_id = true;
		siphash_feed(&f->hash, strv_trim_blanks(id));
	}
	if (f->in_body)
		siphash_feed(&f->hash, STRV("\n"));
	buf_reset(&f->line);
}

static void
feed(struct session *s, struct strv bytes, int64_t deadline_ms)
{
	struct fingerprint *f = s->fingerprint;

	(void)deadline_ms;
	while (!f->in_body && bytes.len > 0) {
		if (bytes.ptr[0] == '\n')
			take_line(f);
		else if (f->line.len < FIELD_MAX)
			buf_add_char(&f->line, bytes.ptr[0]);
		bytes = strv_skip(bytes, 1);
	}
	siphash_feed(&f->hash, bytes);
}

static void
end(struct session *s)
{
	struct fingerprint *f = s->fingerprint;

	siphash_end(&f->hash, f->key);
	f->is_whole = f->has_id && f->line.err == 0;
}

static void
finish(struct session *s)
{
	s->fingerprint->is_whole = false;
}

const struct tap fingerprint_tap = {
	.begin = begin,
	.feed = feed,
	.end = end,
	.close = finish,
};

static void
update(struct session *s, const unsigned char *key,
    bool (*change)(struct hashfile_record *, bool, void *), void *context)
{
	int r = hashfile_update(&s->fingerprint->table, key, change, context);

	if (r != 0)
		log_event(s, "hangupmemory: " FINGERPRINT_TABLE ": %s",
		    error_result_text(r));
}

struct question {
	int64_t now, seconds;
	int64_t qp; /* 0: not known */
};

/* first: the qp; last: when it was queued. */
static bool
look(struct hashfile_record *record, bool found, void *context)
{
	struct question *q = context;

	if (found && record->last <= q->now &&
	    q->now - record->last < q->seconds)
		q->qp = record->first;
	return false;
}

static bool
note(struct hashfile_record *record, bool found, void *context)
{
	const struct question *q = context;

	(void)found;
	record->first = q->qp;
	record->last = q->now;
	return true;
}

static bool
forget(struct hashfile_record *record, bool found, void *context)
{
	(void)context;
	record->first = record->last = 0;
	return found;
}

/* Until the client's next command, if that is not there already. */
static void
wait_for_client(struct session *s)
{
	struct fingerprint *f = s->fingerprint;

	memcpy(f->kept_key, f->key, sizeof(f->kept_key));
	f->is_kept = true;
	f->is_ahead = source_peek(&s->in).len > 0 ||
		      io_wait(s->in.fd, POLLIN, clock_mono_ms()) == 0;
}

bool
fingerprint_is_known(struct session *s, int64_t *qp)
{
	struct fingerprint *f = s->fingerprint;
	struct question question = { .now = clock_wall() };

	if (f == NULL || !f->is_whole)
		return false;
	question.seconds = f->seconds;
	update(s, f->key, look, &question);
	if (question.qp == 0)
		return false;
	*qp = question.qp;
	log_event(s, "hangupmemory: queued before as qp %lld, not again",
	    (long long)*qp);
	wait_for_client(s);
	return true;
}

void
fingerprint_keep(struct session *s, int64_t qp)
{
	struct fingerprint *f = s->fingerprint;
	struct question question = { .now = clock_wall(), .qp = qp };

	if (f == NULL || !f->is_whole)
		return;
	update(s, f->key, note, &question);
	wait_for_client(s);
}

void
fingerprint_heard(struct session *s)
{
	struct fingerprint *f = s->fingerprint;

	if (f == NULL || !f->is_kept)
		return;
	/* What it sent ahead says nothing of what it has heard. */
	if (!f->is_ahead)
		update(s, f->kept_key, forget, NULL);
	f->is_kept = false;
}

void
fingerprint_free(struct fingerprint **fingerprint)
{
	struct fingerprint *f = *fingerprint;

	if (f == NULL)
		return;
	if (f->has_table)
		hashfile_close(&f->table);
	buf_free(&f->line);
	free(f);
	*fingerprint = NULL;
}
