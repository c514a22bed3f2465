/*
 * Work in a domain's directory, done with the rights of its owner: whatever
 * lies there, root follows no link of it and overwrites nothing else.
 */
#ifndef HOSTING_OWNER_H
#define HOSTING_OWNER_H

#include "hosting/site.h"

/*
 * Runs work(d, arg) in a child that has become the domain's user, in the
 * domain's directory, umask 077.  The child's exit code is what work returns;
 * if that is not 0, this program ends with it: work has said why (die()).
 */
void owner_run(const struct domain *d,
    int (*work)(const struct domain *d, const void *arg), const void *arg);

#endif
