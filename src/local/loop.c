/*
 * Loop detection: a header line byte-identical to the Delivered-To line that
 * this delivery would add.  Lines of any length; nothing of them is kept.
 */
#include "local/loop.h"
#include "base/error.h"

#include <errno.h>
#include <unistd.h>

enum { LOOP_BLOCK = 16384 /* most headers fit: one read */ };

/* How much of the present header line is the line we look for. */
struct matcher {
	struct strv wanted;
	size_t column;
	bool same;
};

enum verdict { GO_ON, FOUND, HEADER_ENDED };

static enum verdict
feed(struct matcher *m, struct strv block)
{
	for (size_t i = 0; i < block.len; i++) {
		char c = block.ptr[i];

		m->same = m->same && m->column < m->wanted.len &&
			  m->wanted.ptr[m->column] == c;
		if (c != '\n') {
			m->column++;
			continue;
		}
		if (m->same && m->column + 1 == m->wanted.len)
			return FOUND;
		if (m->column == 0)
			return HEADER_ENDED;
		m->column = 0;
		m->same = true;
	}
	return GO_ON;
}

int
loop_find(int fd, struct strv line, bool *found)
{
	struct matcher m = { .wanted = line, .same = true };
	enum verdict verdict = GO_ON;
	char block[LOOP_BLOCK];
	off_t offset = 0;

	while (verdict == GO_ON) {
		ssize_t got;

		do
			got = pread(fd, block, sizeof(block), offset);
		while (got < 0 && errno == EINTR);
		if (got < 0)
			return QE_SYS;
		if (got == 0)
			break;
		verdict = feed(&m, strv_from(block, (size_t)got));
		offset += got;
	}
	*found = verdict == FOUND;
	return 0;
}
