/* How many deliveries a spawner offers. */
#ifndef SEND_SPAWNER_SLOTS_H
#define SEND_SPAWNER_SLOTS_H

#include "conf/control.h"

/*
 * How many deliveries to announce: what the control file asks for.  Up to the
 * classic number that one is announced, in the classic way.
 */
unsigned spawner_slots_wanted(enum ctl concurrency);

#endif
