/* Rewriting of address fields; see the header. */
#include "inject/rewrite.h"
#include "base/error.h"
#include "mail/address.h"
#include "mail/header.h"

#include <stdlib.h>

enum { REWRITE_BYTES_MAX = 2 * ADDRLIST_BYTES_MAX };

void
rewriting_free(struct rewriting *r)
{
	buf_free(&r->text);
	buf_free(&r->recipients);
	buf_free(&r->return_path);
	buf_free(&r->followup);
	free(r->fields);
	r->fields = NULL;
}

/* Cuts the last "address\0" off *all. */
static struct strv
cut_last(struct strv *all)
{
	struct strv rest = strv_head(*all, all->len - 1);
	size_t end = strv_rfind(rest, '\0');
	struct strv last = end == STRV_NPOS ? rest : strv_skip(rest, end + 1);

	*all = strv_head(*all, all->len - 1 - last.len);
	return last;
}

void
addresses_add_reversed(const struct addrlist *list, struct buf *out)
{
	struct strv all = buf_view(&list->addresses);

	while (all.len > 0) {
		struct strv address = cut_last(&all);

		if (address.len == 0)
			continue;
		buf_add_view(out, address);
		buf_add_char(out, '\0');
	}
}

static bool
is_recipient_field(const struct header *h, enum field_id id)
{
	unsigned traits = field_kinds[id].traits;
	bool resent = (traits & FIELD_IS_RESENT) != 0;

	return (traits & FIELD_HAS_RECIPIENTS) != 0 && resent == h->is_resent;
}

static void
note_return_path(struct rewriting *r, const struct addrlist *list)
{
	struct strv all = buf_view(&list->addresses);

	if (r->has_return_path || list->count == 0)
		return;
	buf_add_view(&r->return_path, strv_cut(&all, '\0', NULL));
	r->has_return_path = true;
}

static void
note_followup(struct rewriting *r, const struct addrlist *list)
{
	struct strv all = buf_view(&list->addresses);

	while (all.len > 0) {
		struct strv address = strv_cut(&all, '\0', NULL);

		if (address.len == 0)
			continue;
		if (r->followup.len > 0)
			buf_add_str(&r->followup, ",\n  ");
		address_add_quoted(&r->followup, address);
		if (control_set_find(r->followup_list, address) != NULL)
			r->followup_matches = true;
	}
}

static void
note_list(struct rewriting *r, const struct header *h, enum field_id id,
    const struct addrlist *list)
{
	if (r->want_recipients && is_recipient_field(h, id))
		addresses_add_reversed(list, &r->recipients);
	if (id == FIELD_RETURN_PATH)
		note_return_path(r, list);
	if (r->followup_list != NULL && (id == FIELD_TO || id == FIELD_CC))
		note_followup(r, list);
}

/* "Name: list" LF; the view counts bytes as long as text may still move. */
static struct strv
add_field(struct rewriting *r, struct strv name, const struct addrlist *list)
{
	size_t start = r->text.len;

	buf_add_view(&r->text, name);
	buf_add_str(&r->text, ": ");
	buf_add_view(&r->text, buf_view(&list->printed));
	buf_add_char(&r->text, '\n');
	return strv_from(NULL, r->text.len - start);
}

static int
rewrite_field(
    struct rewriting *r, const struct header *h, enum field_id id, size_t index)
{
	struct addrlist list = ADDRLIST_INIT;
	struct strv text = header_field_text(h, &h->fields[index]);
	struct strv name = header_field_name(text);
	int result = addrlist_parse(
	    header_field_value(text), r->rules, name.len + 2, &list);

	if (result == 0) {
		note_list(r, h, id, &list);
		if (list.printed.len > 0)
			r->fields[index] = add_field(r, name, &list);
	}
	addrlist_free(&list);
	return result;
}

static bool
may_stay_unparsed(
    const struct rewriting *r, const struct header *h, enum field_id id)
{
	if ((field_kinds[id].traits & FIELD_HAS_RECIPIENTS) == 0)
		return false;
	return !r->want_recipients || !is_recipient_field(h, id);
}

/* Lengths become views, now that the text does not move any more. */
static void
settle_views(struct rewriting *r, const struct header *h)
{
	size_t at = 0;

	for (size_t i = 0; i < h->count; i++) {
		size_t len = r->fields[i].len;

		r->fields[i] = len == 0 ? header_field_text(h, &h->fields[i])
					: strv_from(r->text.data + at, len);
		at += len;
	}
}

static int
first_error(const struct rewriting *r)
{
	return r->text.err != 0          ? r->text.err
	       : r->recipients.err != 0  ? r->recipients.err
	       : r->return_path.err != 0 ? r->return_path.err
					 : r->followup.err;
}

int
rewrite_header(struct rewriting *r, const struct header *h)
{
	r->text.max = r->recipients.max = r->followup.max = REWRITE_BYTES_MAX;
	r->fields = calloc(h->count + 1, sizeof *r->fields);
	if (r->fields == NULL)
		return QE_NOMEM;
	for (size_t i = 0; i < h->count; i++) {
		enum field_id id = h->fields[i].id;
		int result;

		if ((field_kinds[id].traits & FIELD_HAS_ADDRESSES) == 0)
			continue;
		result = rewrite_field(r, h, id, i);
		if (result == QE_NOMEM ||
		    (result != 0 && !may_stay_unparsed(r, h, id))) {
			r->culprit = header_field_text(h, &h->fields[i]);
			return result;
		}
	}
	settle_views(r, h);
	return first_error(r);
}
