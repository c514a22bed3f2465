/* Time: wall clock for stamps, monotonic clock for deadlines. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

int64_t clock_wall(void);                /* seconds since 1970 */
int64_t clock_mono_ms(void);             /* milliseconds, never jumps */
int64_t clock_deadline(int64_t seconds); /* clock_mono_ms() + seconds */
void clock_sleep_ms(int64_t ms);

#endif
