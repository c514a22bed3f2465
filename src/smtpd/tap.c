/* Who looks at the message under way, and hands it to each of them. */
#include "smtpd/tap.h"
#include "smtpd/fingerprint.h"
#include "smtpd/pipeline.h"
#include "smtpd/plugins.h"

#include <stddef.h>

const struct tap *const taps_list[] = { &tap_clamd, &plugins_tap,
	&fingerprint_tap, NULL };

void
taps_begin(
    struct session *s, const struct tap *const list[], struct strv fields)
{
	struct transaction *t = &s->tx;

	t->tap_count = 0;
	for (size_t i = 0; list[i] != NULL && t->tap_count < TAPS_MAX; i++) {
		const struct tap *tap = list[i];

		if (tap->check != NULL && !pipeline_wants(s, tap->check))
			continue;
		if (tap->begin(s, fields))
			t->taps[t->tap_count++] = tap;
	}
}

void
taps_feed(struct session *s, struct strv bytes, int64_t deadline_ms)
{
	for (size_t i = 0; i < s->tx.tap_count; i++)
		s->tx.taps[i]->feed(s, bytes, deadline_ms);
}

void
taps_end(struct session *s)
{
	for (size_t i = 0; i < s->tx.tap_count; i++)
		if (s->tx.taps[i]->end != NULL)
			s->tx.taps[i]->end(s);
}

void
taps_close(struct session *s)
{
	while (s->tx.tap_count > 0)
		s->tx.taps[--s->tx.tap_count]->close(s);
}
