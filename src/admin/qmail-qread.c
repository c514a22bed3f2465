/*
 * qmail-qread: the messages that have been preprocessed, and what is left to
 * do for each recipient.
 *
 * Reads the queue of a running qmail-send and changes nothing.  Everything,
 * trouble included, goes to standard output, as its readers expect.
 */
#include "admin/walk.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/file.h"
#include "base/io.h"
#include "base/program.h"
#include "mail/date.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	OUTPUT_BUFFER = 8192,
	RECORDS_MAX = 256 << 20, /* bytes of one list of recipients */
	ZONE_LEN = 5             /* of "-0000" */
};

struct report {
	struct sink out;
	struct buf line;
	char storage[OUTPUT_BUFFER];
};

static void
put_line(struct report *report)
{
	if (report->line.err == 0)
		sink_put(&report->out, report->line.data, report->line.len);
	buf_reset(&report->line);
}

/* Bytes that a terminal might obey become underscores. */
static void
add_printable(struct buf *out, struct strv text)
{
	for (size_t i = 0; i < text.len; i++)
		buf_add_char(out, text.ptr[i] >= ' ' && text.ptr[i] <= '~'
				      ? text.ptr[i]
				      : '_');
}

static void
put_trouble(struct report *report, uint64_t id, int result)
{
	buf_reset(&report->line);
	buf_addf(&report->line, "warning: trouble with #%" PRIu64 ": %s\n", id,
	    error_result_text(result));
	put_line(report);
}

static _Noreturn void
end_fatal(struct report *report, const char *what)
{
	const char *reason = error_text(errno);

	buf_reset(&report->line);
	buf_addf(&report->line, "fatal: %s: %s\n", what, reason);
	put_line(report);
	sink_flush(&report->out);
	exit(EX_TEMPORARY);
}

/* The recipients of one channel; most messages have but one of the two. */
static void
put_recipients(
    struct report *report, uint64_t id, const char *split, const char *channel)
{
	struct buf bytes = BUF_LIMIT(RECORDS_MAX);
	char path[QUEUE_PATH_MAX];
	struct strv rest, text;
	char letter;
	int r;

	snprintf(path, sizeof(path), "%s/%s", channel, split);
	r = file_read(path, &bytes);
	rest = buf_view(&bytes);
	while (r == 0 && (r = record_next(&rest, &letter, &text)) == 0) {
		if (letter != 'T' && letter != 'D') {
			r = QE_SYNTAX;
			break;
		}
		buf_addf(&report->line, "%s\t%s\t",
		    letter == 'D' ? "  done" : "", channel);
		add_printable(&report->line, text);
		buf_add_char(&report->line, '\n');
		put_line(report);
	}
	buf_free(&bytes);
	if (r != QE_EOF && r != QE_ABSENT)
		put_trouble(report, id, r);
}

/* The first line of a message: 0 or what is wrong. */
static int
add_head(struct report *report, uint64_t id, const char *split,
    struct strv info, time_t birth)
{
	char path[QUEUE_PATH_MAX];
	struct strv sender;
	struct stat mess;
	char letter;
	int r = record_next(&info, &letter, &sender);

	if (r != 0 || letter != 'F')
		return r == 0 ? QE_SYNTAX : r;
	snprintf(path, sizeof(path), "mess/%s", split);
	if (stat(path, &mess) < 0)
		return QE_SYS;
	date_add_822(&report->line, birth);
	buf_truncate(&report->line, report->line.len - ZONE_LEN);
	buf_addf(&report->line, "GMT  #%" PRIu64 "  %" PRId64 "  <", id,
	    (int64_t)mess.st_size);
	add_printable(&report->line, sender);
	buf_add_str(&report->line, "> ");
	snprintf(path, sizeof(path), "bounce/%" PRIu64, id);
	if (access(path, F_OK) == 0)
		buf_add_str(&report->line, " bouncing");
	buf_add_char(&report->line, '\n');
	return 0;
}

static int
put_message(void *context, const char *path, uint64_t id)
{
	struct report *report = context;
	const char *split = strchr(path, '/') + 1; /* behind "info/" */
	struct buf info = BUF_INIT;
	struct stat st;
	int r = stat(path, &st) < 0 ? QE_SYS : file_read(path, &info);

	if (r == QE_ABSENT || (r == QE_SYS && errno == ENOENT)) {
		buf_free(&info);
		return 0; /* finished since we saw its name */
	}
	if (r == 0)
		r = add_head(report, id, split, buf_view(&info), st.st_mtime);
	buf_free(&info);
	if (r != 0) {
		put_trouble(report, id, r);
		return 0;
	}
	put_line(report);
	put_recipients(report, id, split, "local");
	put_recipients(report, id, split, "remote");
	return report->out.err;
}

int
main(void)
{
	static const struct program program = { "qmail-qread", 0, 077 };
	static struct report report;
	char failed[QUEUE_PATH_MAX], what[QUEUE_PATH_MAX + 32];
	int r;

	program_begin(&program);
	sink_init(&report.out, 1, report.storage, sizeof(report.storage));
	if (chdir(program_home()) < 0 || chdir("queue") < 0)
		end_fatal(&report, "unable to chdir to queue");
	r = walk_area("info", put_message, &report, failed);
	if (r != 0 && report.out.err == 0) {
		snprintf(what, sizeof(what), "unable to opendir %s", failed);
		end_fatal(&report, what);
	}
	r = sink_flush(&report.out);
	buf_free(&report.line);
	return r == 0 ? EX_SUCCESS : EX_TEMPORARY;
}
