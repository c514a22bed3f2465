/*
 * A table on disk of fixed size that forgets: records of two numbers under
 * keys that are hashes.
 *
 * The file is sparse, needs no cleaning and cannot grow.  A key belongs to one
 * bucket; when that is full, the record with the smallest `last', and among
 * those the smallest `first', makes room.  Each change is one write of one
 * record under a lock on its bucket.  For caches: nothing is flushed.
 */
#ifndef BASE_HASHFILE_H
#define BASE_HASHFILE_H

#include "base/siphash.h"

#include <stdbool.h>

enum {
	HASHFILE_RECORDS = 8, /* of a bucket */
	HASHFILE_BUCKETS_MAX = 1 << 20
};

struct hashfile_record {
	unsigned char key[SIPHASH_SIZE];
	int64_t first, last; /* both 0: free */
};

struct hashfile {
	int fd;
	uint64_t buckets;
	unsigned char secret[SIPHASH_KEY]; /* of this file, random */
};

/*
 * Opens the file, or makes it, mode 0600.  0; QE_CORRUPT (another kind of
 * file, or another number of buckets: remove it), QE_SYS, QE_TIMEOUT.
 */
int hashfile_open(const char *path, uint64_t buckets, struct hashfile *out);
void hashfile_close(struct hashfile *file);

/*
 * Shows change() the record of the key, or where there is none a free one or
 * the one to be overwritten, cleared but for its key.  If change() returns
 * true the record is written back; one that is all 0 is free then.  0,
 * QE_TIMEOUT (somebody keeps the lock), QE_SYS, QE_CORRUPT.
 */
int hashfile_update(struct hashfile *file, const unsigned char *key,
    bool (*change)(struct hashfile_record *record, bool found, void *context),
    void *context);

#endif
