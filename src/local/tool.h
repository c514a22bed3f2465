/*
 * What the small programs for .qmail lines share.  They are main-level code:
 * these functions end the program when something is wrong.
 */
#ifndef LOCAL_TOOL_H
#define LOCAL_TOOL_H

#include "base/strv.h"

/* The variable qmail-local sets; without it exit 100, "<name> not set". */
struct strv tool_variable(const char *name);

/*
 * Runs a program with our descriptors and returns its exit code.  A program
 * that cannot be started, or that crashes, ends us with 111.
 */
int tool_run(char *const *argv);

/*
 * Asks a program: true if it exits 0.  If it exits 111, so do we; anything
 * else is no.
 */
bool tool_condition(char *const *argv);

#endif
