/*
 * A keeper has loaded the database and does nothing with it but fork: its
 * workers share the memory that it fills.  It never reads a message.  A new
 * database is a new keeper.
 */
#ifndef SCAN_KEEPER_H
#define SCAN_KEEPER_H

#include "scan/settings.h"

/* Where workers have their directories, below the home. */
#define SCAN_DIRECTORY "cache/scan"

/*
 * The life of a keeper, in a process of its own: it says WIRE_READY or
 * WIRE_FAILED on the channel, makes a worker for each WIRE_WORKER in place of
 * the one that the slot had, and ends with the channel.
 */
_Noreturn void keeper_run(int channel, const struct scan_settings *settings);

/* A worker's own directory; it begins with that of all of its keeper. */
#define WORKER_PREFIX    "w"
#define WORKER_OF_KEEPER WORKER_PREFIX "%ld."
#define WORKER_DIRECTORY WORKER_OF_KEEPER "%ld."

/* Removes what workers have left behind, by the start of their names. */
void keeper_clean(const char *prefix);

#endif
