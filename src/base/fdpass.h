/*
 * Packets over a local socket (SOCK_SEQPACKET), with at most one descriptor
 * each.
 */
#ifndef BASE_FDPASS_H
#define BASE_FDPASS_H

#include <stddef.h>
#include <sys/uio.h>

/*
 * Sends the parts as one packet, with a descriptor unless it is -1; never
 * waits if the socket does not.  0 or QE_SYS.
 */
int fdpass_send(int channel, struct iovec *parts, unsigned short count, int fd);
/*
 * Receives one packet into the parts; *len tells how much of them is filled.
 * 0; QE_EOF; QE_SYS (also EAGAIN); QE_SYNTAX: the packet was larger, or came
 * with more than one descriptor.  *fd is -1 or, after 0, the caller's to close,
 * close-on-exec; with fd NULL none is taken from anybody.
 */
int fdpass_receive(int channel, struct iovec *parts, unsigned short count,
    size_t *len, int *fd);

#endif
