/*
 * How qmail-popup learns that a login was right: the server behind the
 * checker says so through a descriptor that $POP3NOTE names.
 *
 * A checker becomes its server without a word, so nobody else could tell
 * one that hangs from a session that lasts.
 */
#ifndef POP3_NOTE_H
#define POP3_NOTE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * For the caller of a checker: a pair of descriptors, fds[1] of which it
 * inherits.  wait: the server waits for note_answer(), else it goes on at
 * once.  0 or QE_SYS, QE_NOMEM.
 */
int note_open(int fds[2], bool wait);
/*
 * 0 when the server has said so; QE_EOF if nobody is left who could;
 * QE_TIMEOUT, QE_SYS.
 */
int note_wait(int fd, int64_t deadline_ms);
void note_answer(int fd);

/*
 * For the server: says so, and waits for the answer if there is to be one.
 * True also if nobody asks; false if the caller has ended.
 */
bool note_login(void);

#endif
