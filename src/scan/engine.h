/* libclamav, as far as qmail-scand needs it.  No other file includes it. */
#ifndef SCAN_ENGINE_H
#define SCAN_ENGINE_H

#include "base/buf.h"
#include "scan/settings.h"

struct engine;

/* Once, before anything is given up: it may load parts of itself.  0 or
 * QE_CORRUPT. */
int engine_begin(void);
/* "ClamAV 1.4.6": of the library. */
const char *engine_library(void);

/*
 * Loads the database, with the limits of the settings: 0, *out, and about
 * becomes "signatures/version/date"; QE_CORRUPT, and about says why.
 */
int engine_load(const struct scan_settings *settings, struct buf *about,
    struct engine **out);

enum engine_verdict { ENGINE_CLEAN, ENGINE_FOUND, ENGINE_FAILED };

/* about becomes the name of what was found, or says why it failed. */
enum engine_verdict engine_scan(
    struct engine *engine, int fd, struct buf *about);

#endif
