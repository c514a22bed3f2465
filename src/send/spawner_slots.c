/*
 * How many deliveries a spawner offers: the classic number unless a control
 * file asks for more.  (Apart from the loop, which needs other headers.)
 */
#include "send/spawner_slots.h"
#include "send/spawner.h"

unsigned
spawner_slots_wanted(enum ctl concurrency)
{
	struct control_error error;
	int64_t wanted;

	/* A bad value is qmail-send's to complain about. */
	if (control_int(concurrency, &wanted, &error) != 0 ||
	    wanted <= SPAWNER_SLOTS_CLASSIC)
		return SPAWNER_SLOTS_CLASSIC;
	return wanted < SPAWNER_SLOTS_MAX ? (unsigned)wanted
					  : SPAWNER_SLOTS_MAX;
}
