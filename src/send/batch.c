/*
 * Records on their way to the disk: written one message after the other,
 * flushed together, and announced only then.
 */
#include "base/error.h"
#include "send/intake.h"

struct batch_job *
batch_add(struct intake *t)
{
	struct batch_job *job;

	if (t->batch.count == BATCH_MAX)
		batch_commit(t);
	job = &t->batch.jobs[t->batch.count++];
	buf_reset(&job->reply);
	return job;
}

/* todo/ is untouched: a new message is taken up again, later. */
static void
job_failed(struct intake *t, struct batch_job *job)
{
	struct link_message answer = { .type = LINK_WRITTEN,
		.id = job->record.id };

	intake_note_file(t, job->record.problem, job->record.path, "");
	t->disk_full_until = t->now + INTAKE_RETRY;
	if (t->next_search > t->disk_full_until)
		t->next_search = t->disk_full_until;
	if (!job->is_answer) {
		idset_remove(&t->queued, job->record.id);
		return;
	}
	buf_reset(&job->reply);
	link_encode(&job->reply, &answer);
}

void
batch_commit(struct intake *t)
{
	for (unsigned i = 0; t->batch.count > 1 && i < t->batch.count; i++)
		record_hurry(&t->batch.jobs[i].record);
	for (unsigned i = 0; i < t->batch.count; i++) {
		struct batch_job *job = &t->batch.jobs[i];
		size_t mark = t->out.data.len;
		int r = record_commit(&job->record);

		if (r != 0)
			job_failed(t, job);
		if (r != 0 && !job->is_answer)
			continue;
		buf_add_view(&t->out.data, buf_view(&job->reply));
		/* Unanswered, qmail-send asks again after its next start. */
		if (!outpipe_keep(&t->out, mark))
			intake_note(t, "alert: out of memory, sleeping...");
	}
	t->batch.count = 0;
}
