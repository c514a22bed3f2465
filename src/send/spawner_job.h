/* Between the spawners' loop and its deliveries; nobody else's. */
#ifndef SEND_SPAWNER_JOB_H
#define SEND_SPAWNER_JOB_H

#include "send/spawner.h"

/* A delivery's number as qmail-send knows it, in front of its report. */
void spawner_add_number(struct spawner *s, unsigned number);
/* A whole report for a number that has no job. */
void spawner_add_report(struct spawner *s, unsigned number, const char *report);
/* Reads what a child says; false when there is nothing at the moment. */
bool spawner_take_output(struct spawner *s, struct spawner_job *job);
/* The child has ended: takes its last words, reports, frees the slot. */
void spawner_job_ended(struct spawner *s, struct spawner_job *job, int status);

#endif
