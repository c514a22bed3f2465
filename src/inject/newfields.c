/* Date, Message-ID, From and the like; see the header. */
#include "inject/newfields.h"
#include "mail/address.h"
#include "mail/date.h"

#include <string.h>
#include <unistd.h>

/* Which fields are looked for, and what the new ones are called. */
struct field_set {
	enum field_id date, message_id, from, to, cc;
};

static const struct field_set normal_fields = { FIELD_DATE, FIELD_MESSAGE_ID,
	FIELD_FROM, FIELD_TO, FIELD_CC };
static const struct field_set resent_fields = { FIELD_R_DATE,
	FIELD_R_MESSAGE_ID, FIELD_R_FROM, FIELD_R_TO, FIELD_R_CC };

static void
add_name(struct buf *out, enum field_id id)
{
	buf_add_str(out, field_kinds[id].name);
	buf_add_str(out, ": ");
}

static void
add_date(const struct settings *s, enum field_id id, struct buf *out)
{
	add_name(out, id);
	date_add_822(out, s->now);
	buf_add_char(out, '\n');
}

static void
add_message_id(const struct settings *s, enum field_id id, struct buf *out)
{
	add_name(out, id);
	buf_add_char(out, '<');
	date_add_compact(out, s->now);
	buf_addf(out, ".%ld.qmail@", (long)getpid());
	buf_add_view(out, buf_view(&s->id_host));
	buf_add_str(out, ">\n");
}

/* A name from the environment, between quotes or parentheses. */
static void
add_escaped(struct buf *out, const char *text, const char *special)
{
	for (; *text != '\0'; text++) {
		bool control = (unsigned char)*text < ' ' || *text == 127;

		if (strchr(special, *text) != NULL)
			buf_add_char(out, '\\');
		buf_add_char(out, control ? ' ' : *text);
	}
}

static int
add_from(const struct settings *s, enum field_id id, struct buf *out)
{
	struct buf address = BUF_LIMIT(ADDRLIST_ADDRESS_MAX);
	int r = envelope_own_address(s, s->user, s->host, &address);
	bool quoted_name = s->full_name != NULL && !s->name_in_comment;

	add_name(out, id);
	if (quoted_name) {
		buf_add_char(out, '"');
		add_escaped(out, s->full_name, "\"\\");
		buf_add_str(out, "\" <");
	}
	address_add_quoted(out, buf_view(&address));
	if (quoted_name) {
		buf_add_char(out, '>');
	} else if (s->full_name != NULL) {
		buf_add_str(out, " (");
		add_escaped(out, s->full_name, "()\\");
		buf_add_char(out, ')');
	}
	buf_add_char(out, '\n');
	buf_free(&address);
	return r;
}

int
newfields_add(const struct settings *s, const struct header *h,
    const struct rewriting *r, struct buf *out)
{
	const struct field_set *set =
	    h->is_resent ? &resent_fields : &normal_fields;
	int result = 0;

	if (!h->has[set->date])
		add_date(s, set->date, out);
	if (!h->has[set->message_id])
		add_message_id(s, set->message_id, out);
	if (!h->has[set->from])
		result = add_from(s, set->from, out);
	if (!h->has[set->to] && !h->has[set->cc]) {
		add_name(out, set->cc);
		buf_add_str(out, "recipient list not shown: ;\n");
	}
	if (!h->is_resent && r->followup_matches &&
	    !h->has[FIELD_MAIL_FOLLOWUP_TO]) {
		add_name(out, FIELD_MAIL_FOLLOWUP_TO);
		buf_add_view(out, buf_view(&r->followup));
		buf_add_char(out, '\n');
	}
	return result != 0 ? result : out->err;
}
