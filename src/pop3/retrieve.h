/* RETR and TOP: a message on its way to a POP3 client. */
#ifndef POP3_RETRIEVE_H
#define POP3_RETRIEVE_H

#include "base/io.h"

#include <stdint.h>

#define RETRIEVE_ALL UINT64_MAX

/*
 * Sends the message at fd, dots stuffed, then the empty line and the dot that
 * end it.  size is the file's; one that has grown meanwhile is sent as it is.
 * Of the body only the first body_lines lines.  0, QE_SYS (also if
 * the file cannot be read: the client must not take a part for the whole, so
 * the session ends), QE_TIMEOUT, QE_NOMEM.
 */
int retrieve_send(struct sink *out, int fd, uint64_t size, uint64_t body_lines);

#endif
