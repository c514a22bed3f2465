/* Constant databases (cdb). */
#ifndef BASE_CDB_H
#define BASE_CDB_H

#include "base/strv.h"

struct cdb_reader; /* opaque */

/* 0, QE_ABSENT (no such file), QE_SYS, QE_CORRUPT, QE_NOMEM. */
int cdb_reader_open(const char *path, struct cdb_reader **out);
/*
 * 0 and a view that lives until the next call with this reader; QE_ABSENT;
 * QE_CORRUPT if the file does not hold together or was changed in place since
 * it was opened (never a wrong value); QE_SYS, QE_NOMEM.
 */
int cdb_reader_find(
    struct cdb_reader *reader, struct strv key, struct strv *value);
/*
 * The same without looking whether the file has changed in place: for several
 * look-ups that belong together, with one cdb_reader_check after the last.
 */
int cdb_reader_seek(
    struct cdb_reader *reader, struct strv key, struct strv *value);
int cdb_reader_check(const struct cdb_reader *reader); /* 0, CORRUPT, SYS */
/*
 * As cdb_reader_seek for the one key that is asked for every time: read once,
 * and the view lives as long as the reader.
 */
int cdb_reader_keep(
    struct cdb_reader *reader, struct strv key, struct strv *value);
/* True if path now names another file or content than was opened. */
bool cdb_reader_is_stale(const struct cdb_reader *reader, const char *path);
void cdb_reader_free(struct cdb_reader **reader);

struct cdb_writer; /* opaque */

/*
 * Creates tmp (mode); nothing shows under the final name before commit.  Waits
 * while another process writes the same tmp.
 */
int cdb_writer_open(const char *tmp, unsigned mode, struct cdb_writer **out);
int cdb_writer_add(struct cdb_writer *writer, struct strv key, struct strv val);
/* Writes the tables and fsyncs; optional, tells this from the rename. */
int cdb_writer_finish(struct cdb_writer *writer);
/*
 * Finishes, fsyncs, renames tmp to final, fsyncs the directory.  Afterwards
 * *writer is NULL; after a failure tmp is gone too.
 */
int cdb_writer_commit(struct cdb_writer **writer, const char *final_path);
void cdb_writer_abort(struct cdb_writer **writer);

#endif
