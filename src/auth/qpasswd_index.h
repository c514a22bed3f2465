/*
 * The users of a qpasswd file in order, for who looks up many of them: the
 * same answers as qpasswd_find() gives, without reading the whole each time.
 */
#ifndef AUTH_QPASSWD_INDEX_H
#define AUTH_QPASSWD_INDEX_H

#include "auth/qpasswd_file.h"

/* The place that a user has drawn. */
struct qpasswd_place {
	uint64_t place;
	const struct qpasswd_line *line;
};

struct qpasswd_index {
	struct qpasswd_line *lines; /* owned; sorted by user, then number */
	size_t count;
	struct qpasswd_place *places; /* of all lines; owned, sorted */
	struct lot lot;
	struct qpasswd_line first; /* of the file, if count > 0 */
};

/* text is lent, and lives as long.  0; QE_SYNTAX with *line; QE_NOMEM. */
int qpasswd_index_make(struct strv text, const struct lot *lot,
    struct qpasswd_index *out, unsigned *line);
/* As qpasswd_find(). */
int qpasswd_index_find(const struct qpasswd_index *index, struct strv login,
    struct qpasswd_user *out, unsigned *line);
void qpasswd_index_free(struct qpasswd_index *index);

#endif
