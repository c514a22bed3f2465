/* When the client's bytes came; see the header. */
#include "smtpd/arrival.h"
#include "base/clock.h"

#include <sys/ioctl.h>

void
arrival_init(struct arrival *a)
{
	*a = (struct arrival){ .ahead = 0 };
	a->oldest_ms = a->seen_ms = clock_mono_ms();
}

void
arrival_before(struct arrival *a, const struct source *in)
{
	int unread = 0;

	/* Nothing is going to be read, or what was known still holds. */
	if (source_peek(in).len > 0 || a->ahead > 0)
		return;
	a->oldest_ms = a->seen_ms;
	a->seen_ms = clock_mono_ms();
	if (ioctl(in->fd, FIONREAD, &unread) == 0 && unread > 0)
		a->ahead = (size_t)unread;
}

void
arrival_after(struct arrival *a, const struct source *in)
{
	size_t got = source_peek(in).len;

	if (in->pos > 0) /* read before, looked at again */
		return;
	if (a->ahead == 0) /* there was nothing: it has just come */
		a->oldest_ms = a->seen_ms = clock_mono_ms();
	a->ahead -= got < a->ahead ? got : a->ahead;
}
