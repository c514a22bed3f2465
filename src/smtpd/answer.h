/* From what qmail-queue says to what the client hears. */
#ifndef SMTPD_ANSWER_H
#define SMTPD_ANSWER_H

#include "smtp/reply.h"
#include "spool/submit.h"

/*
 * "qq timeout (#4.3.0)" becomes "451 4.3.0 qq timeout".  A code that is
 * missing, malformed or of the wrong class is replaced by 4.3.0 or 5.3.0.
 */
struct reply answer_of_queue(const struct submit_result *result);

#endif
