/* Forwarding, for forward and condredirect. */
#ifndef LOCAL_TOOL_FORWARD_H
#define LOCAL_TOOL_FORWARD_H

#include "base/strv.h"

/*
 * Sends $DTLINE and the rest of descriptor 0 to the addresses (NULL at the
 * end) and says "<prog>: qp <n>"; ends the program if that fails.
 */
void tool_forward(struct strv sender, char *const *addresses);

#endif
