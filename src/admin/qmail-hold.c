/*
 * qmail-hold(8): lists, holds, releases and deletes messages in the queue,
 * chosen by number, sender, recipient, age or text, while qmail-send runs.
 *
 * User: root, or whoever owns the queue's files.  Changes modes and lists,
 * removes nothing but texts of bounces; the queue's programs do the rest.
 */
#include "admin/queued.h"
#include "admin/walk.h"
#include "base/clock.h"
#include "base/die.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/io.h"
#include "base/options.h"
#include "base/program.h"
#include "mail/date.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	OUTPUT_BUFFER = 8192,
	RECIPIENTS_SHOWN = 3,
	CHANGES_BURST = 500, /* then the trigger gets time to be read */
	CHANGES_PAUSE_MS = 20,
	AGE_MAX = 1000000000
};

static const char usage[] =
    "qmail-hold list|hold|release|delete [-ahn] [-s sender] [-r recipient] "
    "[-t text] [-o age] [-y age] [number ...]";

struct hold {
	const char *verb;
	/* How a message is changed; NULL: only shown. */
	int (*change)(const struct queue_layout *layout, struct queued *q);
	const char *done; /* what is said of it then */
	bool all, only_held, dry_run;
	const char *sender, *recipient, *text;
	int64_t older, younger; /* seconds; -1: any */
	struct queue_layout layout;
	struct queued message;
	int64_t now;
	uint64_t found, failed;
	struct sink out;
	struct buf line;
	char storage[OUTPUT_BUFFER];
};

static void
choose_verb(struct hold *h, const char *verb)
{
	static const struct {
		const char *name;
		int (*change)(const struct queue_layout *, struct queued *);
		const char *done;
	} verbs[] = {
		{"list",     NULL,           ""           },
		{ "hold",    queued_hold,    "is held"    },
		{ "release", queued_release, "is released"},
		{ "delete",  queued_delete,  "is deleted" },
	};

	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		if (strcmp(verb, verbs[i].name) == 0) {
			h->verb = verb;
			h->change = verbs[i].change;
			h->done = verbs[i].done;
			return;
		}
	die_usage(usage);
}

/* "90", "90s", "15m", "36h", "7d" */
static int64_t
age_of(const char *word)
{
	static const char units[] = "smhd";
	static const int64_t factors[] = { 1, 60, 3600, 86400 };
	struct strv text = strv_of(word);
	const char *unit =
	    text.len == 0 ? NULL : strchr(units, text.ptr[text.len - 1]);
	uint64_t n;

	if (unit != NULL)
		text = strv_head(text, text.len - 1);
	if (strv_to_u64(text, AGE_MAX, &n) != 0)
		die(EX_PERMANENT, "%s: not an age like 90, 15m, 36h or 7d",
		    word);
	return (int64_t)n * factors[unit == NULL ? 0 : unit - units];
}

static bool
matches(const char *pattern, struct buf *value)
{
	const char *text = buf_cstr(value);

	return text != NULL && fnmatch(pattern, text, FNM_CASEFOLD) == 0;
}

static bool
has_recipient(const struct hold *h)
{
	struct strv rest = buf_view(&h->message.recipients);

	while (rest.len > 0) {
		/* Each ends in a NUL and so is a C string, too. */
		struct strv one = strv_cut(&rest, '\0', NULL);

		if (fnmatch(h->recipient, one.ptr, FNM_CASEFOLD) == 0)
			return true;
	}
	return false;
}

static bool
has_text(struct hold *h)
{
	size_t n = strlen(h->text);

	if (queued_read_text(&h->layout, &h->message) != 0)
		return false;
	return memmem(h->message.text.data, h->message.text.len, h->text, n) !=
	       NULL;
}

static bool
is_chosen(struct hold *h)
{
	struct queued *q = &h->message;
	int64_t age = h->now - q->birth;

	return (!h->only_held || q->state == QUEUED_HELD) &&
	       (h->older < 0 || age >= h->older) &&
	       (h->younger < 0 || age < h->younger) &&
	       (h->sender == NULL || matches(h->sender, &q->sender)) &&
	       (h->recipient == NULL || has_recipient(h)) &&
	       (h->text == NULL || has_text(h));
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
put_line(struct hold *h)
{
	buf_add_char(&h->line, '\n');
	sink_put_view(&h->out, buf_view(&h->line));
	buf_reset(&h->line);
}

static void
show(struct hold *h)
{
	static const char *const states[] = { "new", "waits", "held" };
	struct queued *q = &h->message;
	struct strv rest = buf_view(&q->recipients);

	buf_addf(&h->line, "%" PRIu64 "\t%s\t", q->id, states[q->state]);
	date_add_822(&h->line, q->birth);
	buf_addf(&h->line, "\t%" PRIu64 "\t<", q->size);
	add_printable(&h->line, buf_view(&q->sender));
	buf_add_str(&h->line, ">\t");
	for (int i = 0; i < RECIPIENTS_SHOWN && rest.len > 0; i++) {
		if (i > 0)
			buf_add_char(&h->line, ' ');
		add_printable(&h->line, strv_cut(&rest, '\0', NULL));
	}
	if (rest.len > 0)
		buf_addf(
		    &h->line, " +%u", q->recipient_count - RECIPIENTS_SHOWN);
	put_line(h);
}

static void
fail(struct hold *h, uint64_t id, const char *why)
{
	h->failed++;
	sink_flush(&h->out);
	warn("#%" PRIu64 ": %s", id, why);
}

static void
change(struct hold *h)
{
	struct queued *q = &h->message;
	int r;

	if (h->change == queued_delete && q->state == QUEUED_NEW) {
		/* It has no lists yet, and may be on its way. */
		r = queued_hold(&h->layout, q);
		fail(h, q->id,
		    r == 0 ? "is new, and held now; delete it once it shows "
			     "as held, in half a minute"
			   : error_result_text(r));
		return;
	}
	r = h->change(&h->layout, q);
	if (r == QE_ABSENT)
		return; /* it has ended */
	if (r != 0) {
		fail(h, q->id, error_result_text(r));
		return;
	}
	buf_addf(&h->line, "%" PRIu64 " %s", q->id, h->done);
	put_line(h);
	if (h->found % CHANGES_BURST == 0)
		clock_sleep_ms(CHANGES_PAUSE_MS);
}

static int
visit(void *context, const char *path, uint64_t id)
{
	struct hold *h = context;
	int r = queued_read(&h->layout, id, &h->message);

	(void)path;
	if (r == QE_ABSENT)
		return 0;
	if (r != 0) {
		fail(h, id, error_result_text(r));
		return 0;
	}
	if (!is_chosen(h))
		return 0;
	h->found++;
	if (h->change == NULL || h->dry_run)
		show(h);
	else
		change(h);
	return h->out.err;
}

static void
visit_numbers(struct hold *h, char **words)
{
	for (; *words != NULL; words++) {
		uint64_t id;
		const char *word = **words == '#' ? *words + 1 : *words;
		uint64_t before = h->found + h->failed;

		if (queue_id_parse(strv_of(word), &id) != 0)
			die(EX_PERMANENT, "%s: not the number of a message",
			    *words);
		if (visit(h, "", id) != 0)
			return;
		if (h->found + h->failed == before)
			fail(h, id, "no such message, or not chosen");
	}
}

/* Returns the first word that is no option. */
static int
take_options(struct hold *h, int argc, char **argv)
{
	struct options o;
	int letter;

	options_init(&o, argc, argv, "ahns:r:t:o:y:");
	while ((letter = options_next(&o)) != -1)
		switch (letter) {
		case 'a':
			h->all = true;
			break;
		case 'h':
			h->only_held = true;
			break;
		case 'n':
			h->dry_run = true;
			break;
		case 's':
			h->sender = o.arg;
			break;
		case 'r':
			h->recipient = o.arg;
			break;
		case 't':
			h->text = o.arg;
			break;
		case 'o':
			h->older = age_of(o.arg);
			break;
		case 'y':
			h->younger = age_of(o.arg);
			break;
		default:
			die_usage(usage);
		}
	return o.index;
}

static void
work(struct hold *h, char **numbers)
{
	bool is_narrow = h->sender != NULL || h->recipient != NULL ||
			 h->text != NULL || h->older >= 0 || h->younger >= 0 ||
			 h->only_held;
	char failed[QUEUE_PATH_MAX];

	if (*numbers != NULL) {
		visit_numbers(h, numbers);
		return;
	}
	if (h->change != NULL && !is_narrow && !h->all)
		die(EX_PERMANENT, "which ones? -a stands for all messages");
	if (walk_area("mess", visit, h, failed) == QE_SYS && h->out.err == 0)
		die_errno(EX_TEMPORARY, "unable to read queue/%s", failed);
}

int
main(int argc, char **argv)
{
	static const struct program program = {
		.name = "qmail-hold", .flags = PROGRAM_HOME, .umask = 077
	};
	static struct hold h = { .older = -1, .younger = -1 };
	int first;

	program_begin(&program);
	if (argc < 2)
		die_usage(usage);
	choose_verb(&h, argv[1]);
	first = take_options(&h, argc - 1, argv + 1);
	if (chdir("queue") < 0 || queue_layout_read(&h.layout) != 0)
		die_errno(EX_TEMPORARY, "unable to enter the queue");
	queued_init(&h.message);
	h.line.max = OUTPUT_BUFFER;
	h.now = clock_wall();
	sink_init(&h.out, STDOUT_FILENO, h.storage, sizeof(h.storage));
	work(&h, argv + 1 + first);
	queued_free(&h.message);
	if (sink_flush(&h.out) != 0)
		die_errno(EX_TEMPORARY, "unable to write");
	return h.failed > 0 ? EX_TEMPORARY : EX_SUCCESS;
}
