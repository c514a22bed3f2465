/*
 * qmail-qstat: how many messages are in the queue.
 *
 * Counts the files in mess/ and todo/, split or not; reads none of them.
 */
#include "admin/walk.h"
#include "base/die.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/io.h"
#include "base/program.h"

#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

static int
count_file(void *context, const char *path, uint64_t id)
{
	uint64_t *count = context;

	(void)path;
	(void)id;
	++*count;
	return 0;
}

static uint64_t
count_area(const char *area)
{
	char failed[QUEUE_PATH_MAX];
	uint64_t count = 0;

	if (walk_area(area, count_file, &count, failed) != 0)
		die_errno(EX_TEMPORARY, "unable to opendir %s", failed);
	return count;
}

int
main(void)
{
	static const struct program program = { "qmail-qstat", PROGRAM_HOME,
		077 };
	struct buf out = BUF_INIT;

	program_begin(&program);
	if (chdir("queue") < 0)
		die_errno(EX_TEMPORARY, "unable to switch to queue directory");
	buf_addf(&out, "messages in queue: %" PRIu64 "\n", count_area("mess"));
	buf_addf(&out,
	    "messages in queue but not yet preprocessed: %" PRIu64 "\n",
	    count_area("todo"));
	if (out.err != 0)
		die_nomem();
	if (io_write_all(1, out.data, out.len) != 0)
		die_errno(EX_TEMPORARY, "unable to write");
	buf_free(&out);
	return EX_SUCCESS;
}
