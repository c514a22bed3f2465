/*
 * Control files that are lists or maps: one block of bytes, an index of views
 * sorted without regard to case, and binary search.
 *
 * The index carries the first bytes of each key as a number while it is being
 * sorted, so that a hundred thousand domains compare without touching them.
 */
#include "base/error.h"
#include "conf/control.h"
#include "conf/control_file.h"

#include <stdlib.h>
#include <string.h>

static int
compare_keys(struct strv a, struct strv b)
{
	size_t n = a.len < b.len ? a.len : b.len;

	for (size_t i = 0; i < n; i++) {
		unsigned char x = (unsigned char)ascii_lower(a.ptr[i]);
		unsigned char y = (unsigned char)ascii_lower(b.ptr[i]);

		if (x != y)
			return x < y ? -1 : 1;
	}
	return a.len == b.len ? 0 : a.len < b.len ? -1 : 1;
}

struct ranked {
	uint64_t head; /* first eight bytes of the key, lower case */
	const struct control_entry *entry;
};

static uint64_t
key_head(struct strv key)
{
	uint64_t head = 0;

	for (size_t i = 0; i < sizeof(head); i++)
		head =
		    head << 8 |
		    (i < key.len ? (unsigned char)ascii_lower(key.ptr[i]) : 0);
	return head;
}

/* Equal keys stay in the order of the file. */
static int
compare_ranked(const void *left, const void *right)
{
	const struct ranked *a = left, *b = right;
	int order;

	if (a->head != b->head)
		return a->head < b->head ? -1 : 1;
	order = compare_keys(a->entry->key, b->entry->key);
	if (order != 0)
		return order;
	return a->entry->line < b->entry->line ? -1 : 1;
}

static bool
is_sorted(const struct control_set *set)
{
	for (size_t i = 1; i < set->count; i++)
		if (compare_keys(
			set->entries[i - 1].key, set->entries[i].key) >= 0)
			return false;
	return true;
}

/* Sorts the index and leaves of equal keys the last one. */
static int
sort_entries(struct control_set *set)
{
	struct control_entry *sorted;
	struct ranked *ranked;
	size_t kept = 0;

	if (is_sorted(set))
		return 0;
	sorted = calloc(set->count, sizeof(*sorted));
	ranked = calloc(set->count, sizeof(*ranked));
	if (sorted == NULL || ranked == NULL) {
		free(sorted);
		free(ranked);
		return QE_NOMEM;
	}
	for (size_t i = 0; i < set->count; i++)
		ranked[i] = (struct ranked){ key_head(set->entries[i].key),
			&set->entries[i] };
	qsort(ranked, set->count, sizeof(*ranked), compare_ranked);
	for (size_t i = 0; i < set->count; i++) {
		if (kept > 0 && compare_keys(sorted[kept - 1].key,
				    ranked[i].entry->key) == 0)
			kept--;
		sorted[kept++] = *ranked[i].entry;
	}
	free(ranked);
	free(set->entries);
	set->entries = sorted;
	set->count = kept;
	return 0;
}

static size_t
count_lines(struct strv text)
{
	size_t lines = 0;

	while (text.len > 0) {
		strv_cut(&text, '\n', NULL);
		lines++;
	}
	return lines;
}

/* One line; what is no entry leaves the count as it is. */
static int
add_line(struct control_set *set, struct strv line, unsigned number,
    enum control_kind kind, const char *name, struct control_error *err)
{
	struct control_entry entry = { .value = STRV_EMPTY, .line = number };
	bool colon = false;

	line = strv_trim_end(line);
	if (line.len == 0 || line.ptr[0] == '#')
		return 0;
	if (line.ptr[line.len - 1] == '\r') {
		control_error_set(
		    err, name, number, "carriage return at the end");
		return QE_SYNTAX;
	}
	entry.key = line;
	if (kind == CT_MAP) {
		entry.value = line;
		entry.key = strv_cut(&entry.value, ':', &colon);
		if (!colon) {
			if (set->skipped == 0)
				set->skipped = number;
			return 0;
		}
	}
	set->entries[set->count++] = entry;
	return 0;
}

/* Indexes set->bytes, which have been checked for NUL. */
static int
build_index(struct control_set *set, enum control_kind kind, const char *name,
    struct control_error *err)
{
	struct strv rest = buf_view(&set->bytes);
	size_t lines = count_lines(rest);
	unsigned number = 0;
	int r = 0;

	if (lines == 0)
		return 0;
	set->entries = calloc(lines, sizeof(*set->entries));
	if (set->entries == NULL)
		r = QE_NOMEM;
	while (r == 0 && rest.len > 0)
		r = add_line(set, strv_cut(&rest, '\n', NULL), ++number, kind,
		    name, err);
	if (r == 0)
		r = sort_entries(set);
	if (r == QE_NOMEM)
		control_error_set(err, name, 0, error_result_text(r));
	return r;
}

/* Gives the new set away, or takes it back. */
static int
finish(struct control_set *set, int result, struct control_set *out)
{
	if (result == 0)
		*out = *set;
	else
		control_set_free(set);
	return result;
}

int
control_set_load(
    enum ctl id, struct control_set *out, struct control_error *err)
{
	struct control_set set = { .bytes = BUF_LIMIT(CONTROL_FILE_MAX) };
	const struct control *control = &control_table[id];
	int r = control_file_read(id, &set.bytes, err);

	if (r == QE_ABSENT)
		return finish(&set, 0, out);
	set.present = true;
	if (r == 0)
		r = build_index(&set, control->kind, control_path(id), err);
	return finish(&set, r, out);
}

/* A name that no host has; such a line was meant for some host, though. */
static bool
is_no_name(struct strv key)
{
	return key.len != strv_trim_blanks(key).len ||
	       strv_find(key, '*') != STRV_NPOS;
}

int
control_map_load(
    enum ctl id, struct control_set *out, struct control_error *err)
{
	int r = control_set_load(id, out, err);
	unsigned bad;

	if (r != 0)
		return r;
	bad = out->skipped;
	for (size_t i = 0; bad == 0 && i < out->count; i++)
		if (is_no_name(out->entries[i].key))
			bad = out->entries[i].line;
	if (bad == 0)
		return 0;
	control_error_set(
	    err, control_path(id), bad, "no name and colon in front");
	control_set_free(out);
	return QE_SYNTAX;
}

int
control_set_parse(struct strv text, enum control_kind kind, const char *name,
    struct control_set *out, struct control_error *err)
{
	struct control_set set = { .bytes = BUF_LIMIT(CONTROL_FILE_MAX),
		.present = true };
	int r = control_check_bytes(text, name, err);

	if (r == 0) {
		buf_add_view(&set.bytes, text);
		r = set.bytes.err;
		if (r != 0)
			control_error_set(err, name, 0, error_result_text(r));
	}
	if (r == 0)
		r = build_index(&set, kind, name, err);
	return finish(&set, r, out);
}

void
control_set_free(struct control_set *set)
{
	buf_free(&set->bytes);
	free(set->entries);
	*set = (struct control_set){ .bytes = BUF_LIMIT(CONTROL_FILE_MAX) };
}

const struct control_entry *
control_set_find(const struct control_set *set, struct strv key)
{
	size_t low = 0, high = set->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = compare_keys(key, set->entries[middle].key);

		if (order == 0)
			return &set->entries[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}
