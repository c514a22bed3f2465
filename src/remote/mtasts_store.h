/* Writing the files of cache/remote/mtasts, and removing old ones. */
#ifndef REMOTE_MTASTS_STORE_H
#define REMOTE_MTASTS_STORE_H

#include "base/strv.h"

enum {
	MTASTS_FILES_MAX = 20000,
	MTASTS_KEEP_SECONDS = 400 * 86400, /* a policy lasts a year at most */
	MTASTS_KEEP_NONE_SECONDS = 2 * 86400, /* that there was none */
	MTASTS_KEEP_ASIDE_SECONDS = 3600      /* what a writer left half done */
};

struct mtasts_entry {
	int64_t checked, fetched; /* fetched 0: no policy */
	struct strv id, text;
};

/* At once or not at all: 0, QE_SYS, QE_NOMEM. */
int mtasts_store(const char *domain, const struct mtasts_entry *entry);
/*
 * Removes files that are of no use any more, and if more than files_max are
 * left, those of least use: first what says that there is no policy, then
 * policies, each with what was asked for longest ago in front.
 */
void mtasts_prune(int64_t now, size_t files_max);

#endif
