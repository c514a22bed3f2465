/*
 * Records on their way to the disk: written one message after the other,
 * flushed together, and announced only then.
 */
#include "base/clock.h"
#include "base/error.h"
#include "send/intake.h"

enum { NOMEM_SLEEP_MS = 10000 };

struct batch_job *
batch_add(struct intake *t)
{
	struct batch_job *job;

	if (t->batch.count == BATCH_MAX)
		batch_commit(t);
	job = &t->batch.jobs[t->batch.count++];
	buf_reset(&job->reply);
	job->is_answer = job->is_flawed = false;
	return job;
}

/* todo/ is untouched: a new message is taken up again, later. */
static void
job_failed(struct intake *t, struct batch_job *job)
{
	struct link_message answer = { .type = LINK_WRITTEN,
		.id = job->record.id };

	intake_note_file(t, job->record.problem, job->record.path, "");
	if (!job->is_flawed) {
		t->disk_full_until = t->now + INTAKE_RETRY;
		if (t->next_search > t->disk_full_until)
			t->next_search = t->disk_full_until;
	}
	if (!job->is_answer) {
		idset_remove(&t->queued, job->record.id);
		return;
	}
	buf_reset(&job->reply);
	link_encode(&job->reply, &answer);
}

/* qmail-send counts on it, so it waits for memory. */
static void
reply(struct intake *t, const struct batch_job *job)
{
	for (;;) {
		size_t mark = t->out.data.len;

		buf_add_view(&t->out.data, buf_view(&job->reply));
		if (outpipe_keep(&t->out, mark))
			return;
		clock_sleep_ms(NOMEM_SLEEP_MS);
	}
}

void
batch_commit(struct intake *t)
{
	for (unsigned i = 0; t->batch.count > 1 && i < t->batch.count; i++)
		record_hurry(&t->batch.jobs[i].record);
	for (unsigned i = 0; i < t->batch.count; i++) {
		struct batch_job *job = &t->batch.jobs[i];
		int r = record_commit(&job->record);

		if (r != 0)
			job_failed(t, job);
		if (r == 0 || job->is_answer)
			reply(t, job);
	}
	t->batch.count = 0;
}
