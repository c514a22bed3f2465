/*
 * What single instructions do.  All return 0, EX_SKIP_REST (a program said
 * so), or a failure as delivery_run does.
 */
#ifndef LOCAL_INSTRUCTION_H
#define LOCAL_INSTRUCTION_H

#include "local/deliver.h"

enum {
	INSTRUCTION_NO = 1,
	INSTRUCTION_FILE_SECONDS = 86400 /* for one Maildir or mbox */
};

int instruction_maildir(struct delivery *d, struct strv path);
int instruction_mbox(struct delivery *d, struct strv path);
int instruction_program(struct delivery *d, struct strv command);
/* "!lmtp:": hands the message to a server that stores it. */
int instruction_lmtp(struct delivery *d, struct strv text);
/* "?command": also INSTRUCTION_NO, skip the next instruction. */
int instruction_condition(struct delivery *d, struct strv command);
/* Sends what was collected, as one message, and adds its number. */
int instruction_forward_all(struct delivery *d);

/* What the exit code of a program means: 0, 99, 100 or 111. */
int instruction_program_verdict(int exit_code);

#endif
