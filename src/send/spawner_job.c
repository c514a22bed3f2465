/*
 * One delivery of a spawner: its child, what that says, and the report.
 */
#include "send/spawner_job.h"
#include "base/error.h"
#include "base/io.h"

#include <errno.h>
#include <unistd.h>

enum {
	READ_BYTES = 8192,
	DRAIN_READS = 128 /* of a child that has ended; a pipe holds 1 MiB */
};

void
spawner_add_number(struct spawner *s, unsigned number)
{
	for (unsigned i = 0; i < s->request.number_bytes; i++) {
		buf_add_char(&s->reports, (char)(unsigned char)(number & 255));
		number >>= 8;
	}
}

void
spawner_add_report(struct spawner *s, unsigned number, const char *report)
{
	spawner_add_number(s, number);
	buf_add_str(&s->reports, report);
	buf_add_char(&s->reports, '\0');
}

static unsigned
job_number(const struct spawner *s, const struct spawner_job *job)
{
	return (unsigned)(job - s->jobs);
}

static void
release(struct spawner *s, struct spawner_job *job)
{
	if (s->role->released != NULL)
		s->role->released(s, job);
	if (job->state == JOB_RUNNING)
		s->running--;
	io_close(&job->message_fd);
	io_close(&job->output_fd);
	buf_reset(&job->output);
	job->pid = 0;
	job->output_cut = false;
	job->state = JOB_FREE;
	s->busy--;
}

void
spawner_finish(struct spawner *s, struct spawner_job *job, const char *report)
{
	spawner_add_report(s, job_number(s, job), report);
	release(s, job);
}

void
spawner_finish_output(
    struct spawner *s, struct spawner_job *job, struct strv output)
{
	const struct spawner_child child = { .output = output };

	spawner_add_number(s, job_number(s, job));
	s->role->report(&child, &s->reports);
	buf_add_char(&s->reports, '\0');
	release(s, job);
}

void
spawner_finish_code(struct spawner *s, struct spawner_job *job, int exit_code)
{
	const struct spawner_child child = { .exit_code = exit_code,
		.output = buf_view(&job->output),
		.cut = job->output_cut };

	spawner_add_number(s, job_number(s, job));
	s->role->report(&child, &s->reports);
	buf_add_char(&s->reports, '\0');
	release(s, job);
}

void
spawner_run(struct spawner *s, struct spawner_job *job, struct spawn *how)
{
	int ends[2];

	if (io_pipe(ends) != 0) {
		spawner_finish(
		    s, job, "Zqmail-spawn unable to create pipe. (#4.3.0)\n");
		return;
	}
	how->fds[0] = job->message_fd;
	how->fds[1] = how->fds[2] = ends[1];
	how->fd_count = 3;
	job->output_fd = ends[0];
	if (io_set_nonblocking(ends[0], true) != 0 ||
	    spawn_program(how, &job->pid) != 0) {
		spawner_finish(
		    s, job, "Zqmail-spawn unable to fork. (#4.3.0)\n");
	} else {
		job->state = JOB_RUNNING;
		s->running++;
		io_close(&job->message_fd);
	}
	io_close(&ends[1]);
}

/* Reads what a child says; false when there is nothing at the moment. */
bool
spawner_take_output(struct spawner *s, struct spawner_job *job)
{
	char block[READ_BYTES];
	ssize_t got = io_read(job->output_fd, block, sizeof(block));
	size_t room = s->role->output_max - job->output.len;

	if (got < 0 && errno == EAGAIN)
		return false;
	if (got <= 0) {
		io_close(&job->output_fd);
		return false;
	}
	job->output_cut = job->output_cut || (size_t)got > room;
	buf_add_view(
	    &job->output, strv_head(strv_from(block, (size_t)got), room));
	return true;
}

void
spawner_job_ended(struct spawner *s, struct spawner_job *job, int status)
{
	for (int i = 0; i < DRAIN_READS && job->output_fd >= 0; i++)
		if (!spawner_take_output(s, job))
			break;
	/* Half a report could be taken for a verdict. */
	if (job->output.err != 0)
		spawner_finish(
		    s, job, "Zqmail-spawn out of memory. (#4.3.0)\n");
	else
		spawner_finish_code(s, job, spawn_exit_code(status));
}
