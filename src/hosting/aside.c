/* Setting directories aside, never over one that was set aside before. */
#include "hosting/aside.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>

enum { ASIDE_TRIES = 100 };

int
aside_move(
    const char *path, const char *front, struct strv name, struct buf *aside)
{
	for (int i = 0; i < ASIDE_TRIES; i++) {
		buf_reset(aside);
		buf_addf(aside, "%s.removed-" STRV_FMT "-%" PRId64, front,
		    STRV_ARG(name), clock_wall());
		if (i > 0)
			buf_addf(aside, ".%d", i);
		if (buf_cstr(aside) == NULL)
			return aside->err;
		if (file_rename_new_at(AT_FDCWD, path, AT_FDCWD, aside->data) ==
		    0)
			return 0;
		if (errno != EEXIST)
			return errno == ENOENT ? QE_ABSENT : QE_SYS;
	}
	return QE_SYS;
}
