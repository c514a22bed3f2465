/* The clocks. */
#include "base/clock.h"

#include <errno.h>
#include <time.h>

/*
 * Not time(2), which lags behind by up to a tick: a file written just now
 * could seem to come from the next second.
 */
int64_t
clock_wall(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec;
}

int64_t
clock_mono_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t
clock_deadline(int64_t seconds)
{
	return clock_mono_ms() + seconds * 1000;
}

void
clock_sleep_ms(int64_t ms)
{
	struct timespec t = { .tv_sec = ms / 1000,
		.tv_nsec = (ms % 1000) * 1000000 };

	while (nanosleep(&t, &t) < 0 && errno == EINTR)
		continue;
}
