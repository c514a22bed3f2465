/*
 * The MTA-STS policy of a domain, from the files that qmail-mtasts(8) keeps:
 * qmail-remote itself never speaks HTTP.
 */
#ifndef REMOTE_MTASTS_H
#define REMOTE_MTASTS_H

#include "base/buf.h"
#include "smtp/sts_policy.h"

enum {
	MTASTS_CHECK_SECONDS = 3600, /* then the DNS is asked again */
	MTASTS_WAIT_MS = 65000       /* for qmail-mtasts to find out */
};

#define MTASTS_DIRECTORY "cache/remote/mtasts"

/*
 * Reads cache/remote/mtasts/DOMAIN.  0; QE_ABSENT (none, or damaged);
 * QE_SYNTAX (not a name of a host); QE_NOMEM, QE_SYS.  The file's views are
 * into bytes, which the caller frees.
 */
int mtasts_read(struct strv domain, struct buf *bytes, struct sts_file *out);
/*
 * The same, after qmail-mtasts has looked if it is time to, with log_fd as its
 * descriptor 2 unless 0.  0 and a policy that holds, or QE_ABSENT.
 */
int mtasts_find(
    struct strv domain, int log_fd, struct buf *bytes, struct sts_file *out);

#endif
