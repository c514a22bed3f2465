/* Forwarding, for forward and condredirect. */
#include "local/tool_forward.h"
#include "base/die.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "local/forwarding.h"
#include "local/tool.h"

#include <stdio.h>
#include <string.h>

enum { RECIPIENT_BYTES_MAX = 4 << 20 };

void
tool_forward(struct strv sender, char *const *addresses)
{
	struct buf recipients = BUF_LIMIT(RECIPIENT_BYTES_MAX);
	struct forwarding f = { .delivered = tool_variable("DTLINE"),
		.sender = sender };
	struct forwarding_outcome out;
	int r;

	for (; *addresses != NULL; addresses++)
		buf_add(&recipients, *addresses, strlen(*addresses) + 1);
	if (recipients.err != 0)
		die_nomem();
	f.recipients = buf_view(&recipients);
	r = forwarding_send(&f, 0, &out);
	if (r == QE_SYS)
		die_errno(EX_TEMPORARY, "unable to fork");
	if (r != 0)
		die_errno(EX_TEMPORARY, "unable to read message");
	if (!out.result.ok)
		die(out.result.permanent ? EX_PERMANENT : EX_TEMPORARY, "%s",
		    out.result.text);
	dprintf(2, "%s: qp %ld\n", die_name(), (long)out.pid);
	buf_free(&recipients);
}
