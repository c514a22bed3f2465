/*
 * New messages: the envelope in todo/ is read, every recipient resolved, and
 * the message handed over to qmail-send; a small one as it is, any other with
 * its records on disk.
 *
 * An id may come from anybody who can write to the trigger, and a file may
 * hold anything: what does not parse stays where it is.
 */
#include "send/intake.h"
#include "base/error.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	ENVELOPE_IN_MEMORY = 1 << 16 /* larger ones are mapped */
};

/* A message in work. */
struct arrival {
	uint64_t id;
	bool replace; /* records of an earlier life may exist */
	uint64_t size;
	bool is_held; /* qmail-hold(8): no first attempt from memory */
	struct strv bytes;
	void *mapping; /* NULL: bytes are in t->envelope */
	struct envelope envelope;
};

void
intake_release(struct intake *t, uint64_t id)
{
	if (idset_remove(&t->fresh, id))
		t->credit++;
	idset_remove(&t->queued, id);
	if (idset_remove(&t->again, id) && !t->stopped &&
	    id_fifo_add(&t->announced, id) != 0)
		t->search_again = true;
}

static bool
is_known(const struct intake *t, uint64_t id)
{
	return idset_has(&t->fresh, id) || idset_has(&t->queued, id);
}

/* Most envelopes are small: one read is all they need. */
static void
map_file(struct intake *t, struct arrival *a, int fd, size_t size)
{
	char *to;

	if (size > ENVELOPE_IN_MEMORY) {
		void *p = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);

		if (p == MAP_FAILED)
			return;
		a->mapping = p;
		a->bytes = strv_from(p, size);
		return;
	}
	buf_reset(&t->envelope);
	to = buf_reserve(&t->envelope, size);
	if (to != NULL && io_read(fd, to, size) == (ssize_t)size) {
		t->envelope.len = size;
		a->bytes = buf_view(&t->envelope);
	}
}

static void
unmap_file(struct arrival *a)
{
	if (a->mapping != NULL)
		munmap(a->mapping, a->bytes.len);
	a->mapping = NULL;
}

/* 0; QE_ABSENT (nothing there: no word about it); QE_TEMP, said. */
static int
read_envelope(struct intake *t, struct arrival *a)
{
	char path[QUEUE_PATH_MAX];
	struct stat st;
	int fd;

	queue_path(&t->layout, QUEUE_TODO, a->id, path);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT)
		return QE_ABSENT;
	if (fd < 0) {
		intake_note_file(t, "unable to open", path, "");
		return QE_TEMP;
	}
	a->bytes = strv_from(NULL, 0);
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size >= 0)
		map_file(t, a, fd, (size_t)st.st_size);
	io_close(&fd);
	if (a->bytes.ptr == NULL) {
		intake_note_file(t, "trouble reading", path, "");
		return QE_TEMP;
	}
	t->scratch.max = a->bytes.len + 1;
	buf_reset(&t->scratch);
	if (envelope_parse(a->bytes, &t->scratch, &a->envelope) == 0)
		return 0;
	intake_note_file(t, "unknown record type in", path, "");
	return QE_TEMP;
}

static int
stat_message(struct intake *t, struct arrival *a)
{
	char path[QUEUE_PATH_MAX];
	struct stat st;

	queue_path(&t->layout, QUEUE_MESS, a->id, path);
	if (stat(path, &st) < 0) {
		intake_note_file(t, "unable to stat", path, "");
		return QE_TEMP;
	}
	a->size = (uint64_t)st.st_size;
	a->is_held = (st.st_mode & S_ISVTX) != 0;
	return 0;
}

/* Records of this id, from before a crash: state S4 with leftovers. */
static bool
has_records(const struct intake *t, uint64_t id)
{
	static const enum queue_area areas[] = { QUEUE_INFO, QUEUE_LOCAL,
		QUEUE_REMOTE };

	for (size_t i = 0; i < sizeof(areas) / sizeof(*areas); i++) {
		char path[QUEUE_PATH_MAX];
		struct stat st;

		queue_path(&t->layout, areas[i], id, path);
		if (lstat(path, &st) == 0 || errno != ENOENT)
			return true;
	}
	return false;
}

static bool
is_small(const struct arrival *a)
{
	struct strv rest = a->envelope.recipients, text;
	size_t count = 0;
	char letter;

	if (a->replace || a->is_held || a->bytes.len > INTAKE_FRESH_BYTES)
		return false;
	while (record_next(&rest, &letter, &text) == 0)
		count++;
	return count <= LINK_RECIPIENTS_MAX;
}

static void
describe(
    const struct intake *t, const struct arrival *a, struct link_message *out)
{
	out->id = a->id;
	out->size = a->size;
	out->uid = a->envelope.uid;
	out->qp = a->envelope.pid;
	out->birth = t->now;
	out->text = a->envelope.sender;
}

/* True if qmail-send has it now. */
static bool
hand_over(struct intake *t, const struct arrival *a)
{
	struct link_message l = { .type = LINK_FRESH };
	struct strv rest = a->envelope.recipients, text;
	size_t ends[LINK_RECIPIENTS_MAX], start = 0;
	char letter;

	describe(t, a, &l);
	buf_reset(&t->routed);
	while (record_next(&rest, &letter, &text) == 0) {
		l.recipients[l.recipient_count].channel =
		    resolver_route(t->resolver, text, &t->routed);
		l.recipients[l.recipient_count].done = false;
		ends[l.recipient_count++] = t->routed.len;
	}
	if (t->routed.err != 0 || idset_add(&t->fresh, a->id) != 0)
		return false;
	for (size_t i = 0; i < l.recipient_count; i++) {
		l.recipients[i].address = strv_head(
		    strv_skip(buf_view(&t->routed), start), ends[i] - start);
		start = ends[i];
	}
	if (!intake_tell(t, &l)) {
		idset_remove(&t->fresh, a->id);
		return false;
	}
	t->credit--;
	return true;
}

/* No records for this one; it stays in todo/. */
static void
refuse(struct intake *t, struct batch_job *job)
{
	job->is_flawed = true;
	job->record.problem = "trouble reading";
	queue_path(&t->layout, QUEUE_TODO, job->record.id, job->record.path);
}

static void
write_recipients(
    struct intake *t, struct batch_job *job, const struct envelope *envelope)
{
	struct record *r = &job->record;
	struct strv rest = envelope->recipients, text;
	char letter;

	while (r->problem == NULL && record_next(&rest, &letter, &text) == 0) {
		enum channel c;

		buf_reset(&t->routed);
		c = resolver_route(t->resolver, text, &t->routed);
		if (t->routed.err != 0 || t->routed.len > INTAKE_ADDRESS_MAX)
			refuse(t, job);
		else
			record_add_recipient(r, c, 'T', buf_view(&t->routed));
	}
}

static void
write_records(struct intake *t, const struct arrival *a)
{
	struct link_message l = { .type = LINK_QUEUED };
	struct batch_job *job = batch_add(t);
	struct record *r = &job->record;

	record_begin(r, &t->layout, a->id, a->replace);
	if (idset_add(&t->queued, a->id) != 0 ||
	    a->envelope.sender.len > INTAKE_ADDRESS_MAX)
		refuse(t, job);
	else
		write_recipients(t, job, &a->envelope);
	record_end(r, a->envelope.sender, t->now);
	describe(t, a, &l);
	l.count = record_channels(r);
	link_encode(&job->reply, &l);
	if (job->reply.err != 0)
		refuse(t, job);
}

void
intake_write(struct intake *t, const struct link_message *message)
{
	struct link_message l = {
		.type = LINK_WRITTEN, .id = message->id, .count = 1
	};
	struct batch_job *job = batch_add(t);
	bool is_needed[CHANNEL_COUNT] = { false };

	job->is_answer = true;
	record_begin(&job->record, &t->layout, message->id, false);
	for (size_t i = 0; i < message->recipient_count; i++)
		if (!message->recipients[i].done)
			is_needed[message->recipients[i].channel] = true;
	for (size_t i = 0; i < message->recipient_count; i++) {
		const struct link_recipient *r = &message->recipients[i];

		if (is_needed[r->channel])
			record_add_recipient(&job->record, r->channel,
			    r->done ? 'D' : 'T', r->address);
	}
	record_end(&job->record, message->text, message->birth);
	link_encode(&job->reply, &l);
}

/*
 * Anybody can write to the trigger.  That an old message is due now is
 * believed if its file says so, which only its owner can make it do.
 */
static void
look_again(struct intake *t, uint64_t id)
{
	const struct link_message l = { .type = LINK_LOOK, .id = id };
	char path[QUEUE_PATH_MAX];
	struct stat st;

	queue_path(&t->layout, QUEUE_INFO, id, path);
	if (lstat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	    (st.st_mode & S_ISGID) != 0 && intake_tell(t, &l) &&
	    chmod(path, st.st_mode & 07777 & ~(mode_t)S_ISGID) < 0)
		intake_note_file(t, "unable to change the mode of", path, "");
}

/* False if it must wait for credit, and all others behind it. */
static bool
take_in(struct intake *t, uint64_t id, bool is_found)
{
	struct arrival a = { .id = id };
	bool must_wait = false;
	int r;

	if (is_known(t, id)) {
		/* Perhaps a new message with the number of an old one. */
		if (!is_found && idset_add(&t->again, id) != 0)
			t->search_again = true;
		return true;
	}
	r = read_envelope(t, &a);
	if (r == QE_ABSENT)
		look_again(t, id);
	if (r != 0 || stat_message(t, &a) != 0) {
		unmap_file(&a);
		return true;
	}
	a.replace = is_found && has_records(t, id);
	if (!is_small(&a) || t->credit == 0 || !hand_over(t, &a)) {
		if (t->now >= t->disk_full_until)
			write_records(t, &a);
		else
			must_wait = is_small(&a);
	}
	unmap_file(&a);
	return !must_wait;
}

static bool
can_work(const struct intake *t)
{
	return !t->stopped && outpipe_load(&t->out) < INTAKE_OUT_FULL &&
	       t->queued.count < INTAKE_QUEUED_MAX;
}

/* The next id: what is announced goes before what is found. */
static bool
next_id(struct intake *t, uint64_t *id, bool *is_found)
{
	*is_found = false;
	if (t->held != 0) {
		if (t->credit == 0 && t->now < t->disk_full_until)
			return false;
		*id = t->held;
		t->held = 0;
		*is_found = true;
		return true;
	}
	if (id_fifo_take(&t->announced, id))
		return true;
	*is_found = true;
	return id_fifo_take(&t->found, id);
}

bool
intake_turn(struct intake *t)
{
	uint64_t id;
	bool is_found;

	for (int i = 0; i < INTAKE_PER_TURN; i++) {
		if (!can_work(t) || !next_id(t, &id, &is_found))
			return false;
		if (!take_in(t, id, is_found))
			t->held = id;
	}
	return true;
}
