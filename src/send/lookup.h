/*
 * The resident look-up process of qmail-lspawn: asks the password database
 * under an account without rights, so that a slow or broken name service
 * neither stops deliveries nor runs its code as root.
 *
 * One question at a time; the answer arrives when fd polls readable.
 */
#ifndef SEND_LOOKUP_H
#define SEND_LOOKUP_H

#include "conf/users.h"

#include <stdbool.h>
#include <sys/types.h>

struct lookup {
	bool drop_rights; /* become uid and gid */
	uid_t uid;
	gid_t gid;
	pid_t pid; /* 0: there is no process */
	int fd;    /* -1: there is none */
};

void lookup_init(struct lookup *l);
/*
 * At the start of a program: finds out whom the process is to run as, or ends
 * the program with a message.
 */
void lookup_require_ids(struct lookup *l);
/* 0 or QE_SYS.  Closes every descriptor above 2 in the new process. */
int lookup_start(struct lookup *l);
/* Ends the process, however stuck it is. */
void lookup_stop(struct lookup *l);
/* Starts the process if there is none.  0, QE_SYS. */
int lookup_ask(struct lookup *l, struct strv local);
/*
 * The answer: *code is 0 and out is filled in, or *code is one of enum
 * local_exit.  0; QE_EOF if the process is gone; QE_SYNTAX if it babbles.
 */
int lookup_answer(struct lookup *l, int *code, struct user_entry *out);

/* The wire form: one byte for the code, then the entry as in users/cdb. */
void lookup_encode(
    int code, const struct user_entry *entry, struct buf *answer);
/* 0, QE_SYNTAX, QE_NOMEM. */
int lookup_decode(struct strv answer, int *code, struct user_entry *out);

#endif
