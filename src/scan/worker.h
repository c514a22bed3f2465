/*
 * A worker scans one message after the other, alone with it: it has neither
 * files nor connections of others, and cannot get any.
 */
#ifndef SCAN_WORKER_H
#define SCAN_WORKER_H

#include "scan/engine.h"
#include "scan/settings.h"

/* Answers WIRE_JOB on the channel until that ends. */
_Noreturn void worker_run(
    int channel, struct engine *engine, const struct scan_settings *settings);

#endif
