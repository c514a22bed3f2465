/* Has this message been here before? */
#ifndef LOCAL_LOOP_H
#define LOCAL_LOOP_H

#include "base/strv.h"

/*
 * Looks for line (with its LF) among the header lines of the message, up to
 * the first empty one; *found tells.  Reads by offset: the position of fd
 * stays.  0 or QE_SYS (ESPIPE: fd cannot be rewound).
 */
int loop_find(int fd, struct strv line, bool *found);

#endif
