/* A sorted array; of two lines for a login the first one counts. */
#include "auth/qpasswd_index.h"
#include "base/error.h"

#include <stdlib.h>
#include <string.h>

enum { INDEX_FIRST = 64 /* lines of the first allocation */ };

static int
compare_names(struct strv a, struct strv b)
{
	size_t shorter = a.len < b.len ? a.len : b.len;
	int order = shorter == 0 ? 0 : memcmp(a.ptr, b.ptr, shorter);

	if (order != 0)
		return order;
	return a.len < b.len ? -1 : a.len > b.len;
}

static int
compare_lines(const void *left, const void *right)
{
	const struct qpasswd_line *a = left, *b = right;
	int order = compare_names(a->user, b->user);

	if (order != 0)
		return order;
	return a->number < b->number ? -1 : a->number > b->number;
}

static int
keep(struct qpasswd_index *index, size_t *room, const struct qpasswd_line *line)
{
	if (index->count == *room) {
		size_t more = *room == 0 ? INDEX_FIRST : 2 * *room;
		struct qpasswd_line *lines =
		    reallocarray(index->lines, more, sizeof(*lines));

		if (lines == NULL)
			return QE_NOMEM;
		index->lines = lines;
		*room = more;
	}
	if (index->count == 0)
		index->first = *line;
	index->lines[index->count++] = *line;
	return 0;
}

static int
compare_places(const void *left, const void *right)
{
	const struct qpasswd_place *a = left, *b = right;

	if (a->place != b->place)
		return a->place < b->place ? -1 : 1;
	return a->line->number < b->line->number
		   ? -1
		   : a->line->number > b->line->number;
}

static int
draw(struct qpasswd_index *index)
{
	index->places = calloc(index->count, sizeof(*index->places));
	if (index->places == NULL)
		return QE_NOMEM;
	for (size_t i = 0; i < index->count; i++)
		index->places[i] = (struct qpasswd_place){
			lot_draw(&index->lot, index->lines[i].user),
			&index->lines[i]
		};
	qsort(index->places, index->count, sizeof(*index->places),
	    compare_places);
	return 0;
}

static int
read_lines(struct strv text, struct qpasswd_index *out, unsigned *line)
{
	struct qpasswd_reader r;
	size_t room = 0;
	int result;

	qpasswd_reader_init(&r, text);
	while ((result = qpasswd_next(&r)) == 0)
		if (r.line.user.len > 0 &&
		    (result = keep(out, &room, &r.line)) != 0)
			break;
	*line = r.line.number;
	return result == QE_EOF ? 0 : result;
}

int
qpasswd_index_make(struct strv text, const struct lot *lot,
    struct qpasswd_index *out, unsigned *line)
{
	int r;

	*out = (struct qpasswd_index){ .lot = *lot };
	r = read_lines(text, out, line);
	if (r == 0 && out->count > 0) {
		qsort(
		    out->lines, out->count, sizeof(*out->lines), compare_lines);
		r = draw(out);
	}
	if (r != 0)
		qpasswd_index_free(out);
	return r;
}

/* Who stands in for a login: the next one on the circle. */
static const struct qpasswd_line *
next_to(const struct qpasswd_index *index, struct strv login)
{
	uint64_t place = lot_draw(&index->lot, login);
	size_t low = 0, high = index->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (index->places[middle].place < place)
			low = middle + 1;
		else
			high = middle;
	}
	return index->places[low == index->count ? 0 : low].line;
}

/* The first line of that user, or NULL. */
static const struct qpasswd_line *
search(const struct qpasswd_index *index, struct strv login)
{
	size_t low = 0, high = index->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_names(index->lines[middle].user, login) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == index->count || !strv_eq(index->lines[low].user, login))
		return NULL;
	return &index->lines[low];
}

int
qpasswd_index_find(const struct qpasswd_index *index, struct strv login,
    struct qpasswd_user *out, unsigned *line)
{
	const struct qpasswd_line *hit, *next;

	if (index->count == 0)
		return QE_ABSENT;
	hit = search(index, login);
	next = next_to(index, login);
	*line = hit == NULL ? next->number : hit->number;
	return qpasswd_set_user(hit == NULL ? next : hit, hit != NULL, out);
}

void
qpasswd_index_free(struct qpasswd_index *index)
{
	free(index->lines);
	free(index->places);
	index->lines = NULL;
	index->places = NULL;
	index->count = 0;
}
