/*
 * qmail-inject [-nNaAhH] [-f sender] [recip ...]: a message from a local user
 * or program, completed and handed to the queue.
 *
 * Runs as its caller, with the message on descriptor 0.  Reads the controls
 * defaulthost, defaultdomain, plusdomain and idhost.  Holds the header in
 * memory, at most HEADER_BYTES_MAX of it, and never the body.  Nothing is
 * queued unless everything could be read and understood.
 */
#include "base/die.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/log.h"
#include "base/options.h"
#include "base/program.h"
#include "inject/envelope.h"
#include "inject/newfields.h"
#include "mail/address.h"
#include "mail/header.h"
#include "spool/submit.h"

#include <errno.h>
#include <unistd.h>

enum {
	INJECT_BLOCK = 16 * 1024,
	INJECT_NEWFIELDS_MAX = 128 << 20,
	INJECT_SHOWN_MAX = 2000 /* bytes of a field in a message */
};

/* Where the message goes: the queue, or standard output. */
struct output {
	bool print;
	struct sink sink;
	struct submit submit;
	char last; /* byte */
	char block[INJECT_BLOCK];
};

static const char usage[] = "qmail-inject [ -nNaAhH ] [ -f sender ] "
			    "[ recip ... ]";

static void
parse_options(struct settings *s, int argc, char **argv)
{
	struct options o;
	int letter;

	options_init(&o, argc, argv, "nNaAhHf:");
	while ((letter = options_next(&o)) != -1) {
		switch (letter) {
		case 'n':
		case 'N':
			s->print = letter == 'n';
			break;
		case 'a':
			s->source = FROM_ARGUMENTS;
			break;
		case 'A':
			s->source = FROM_DEFAULT;
			break;
		case 'h':
			s->source = FROM_HEADER;
			break;
		case 'H':
			s->source = FROM_BOTH;
			break;
		case 'f':
			s->sender = o.arg;
			break;
		default:
			die_usage(usage);
		}
	}
	s->arguments = argv + o.index;
}

/* The field, line by line, with nothing that could move a cursor. */
static _Noreturn void
die_field(struct strv field)
{
	struct buf text = BUF_LIMIT(8 * INJECT_SHOWN_MAX);

	log_message(2, die_name(), STRV("fatal: unable to parse this line:"));
	field = strv_head(field, INJECT_SHOWN_MAX);
	while (field.len > 0) {
		log_add_escaped(&text, strv_cut(&field, '\n', NULL));
		buf_add_char(&text, '\n');
	}
	io_write_all(2, text.data, text.len);
	_exit(EX_PERMANENT);
}

static void
read_header(const struct settings *s, struct source *in, struct header *header)
{
	int r = header_read(in, header);

	if (r == QE_NOMEM)
		die_nomem();
	if (r == QE_LIMIT)
		die(EX_PERMANENT, "header too long");
	if (r != 0)
		die(EX_TEMPORARY, "read error");
	if (s->drop_return_path)
		header_drop(header, FIELD_RETURN_PATH);
	if (s->drop_from)
		header_drop(
		    header, header->is_resent ? FIELD_R_FROM : FIELD_FROM);
	if (s->drop_message_id)
		header_drop(header,
		    header->is_resent ? FIELD_R_MESSAGE_ID : FIELD_MESSAGE_ID);
}

static void
rewrite(const struct settings *s, const struct header *header,
    struct rewriting *rewriting)
{
	int r;

	rewriting->rules = &s->rules;
	rewriting->want_recipients = envelope_wants_header(s);
	if (s->has_followup_list && !header->is_resent &&
	    !header->has[FIELD_MAIL_FOLLOWUP_TO])
		rewriting->followup_list = &s->followup_list;
	r = rewrite_header(rewriting, header);
	if (r == QE_NOMEM)
		die_nomem();
	if (r != 0 && rewriting->culprit.len > 0)
		die_field(rewriting->culprit);
	if (r != 0)
		die(EX_PERMANENT, "header too long");
}

static void
output_put(struct output *out, struct strv bytes)
{
	if (bytes.len == 0)
		return;
	out->last = bytes.ptr[bytes.len - 1];
	if (!out->print)
		submit_message(&out->submit, bytes);
	else if (sink_put_view(&out->sink, bytes) != 0)
		die_errno(EX_TEMPORARY, "unable to write");
}

static void
output_open(struct output *out, const struct settings *s,
    const struct envelope *envelope)
{
	struct buf line = BUF_LIMIT(4 * ADDRLIST_ADDRESS_MAX);

	out->print = s->print;
	if (!s->print) {
		if (submit_open(&out->submit) != 0)
			die(EX_TEMPORARY, "unable to run qmail-queue");
		return;
	}
	sink_init(&out->sink, 1, out->block, sizeof out->block);
	buf_add_str(&line, "Return-Path: <");
	address_add_quoted(&line, buf_view(&envelope->sender));
	buf_add_str(&line, ">\n");
	output_put(out, buf_view(&line));
	buf_free(&line);
}

static void
put_header(struct output *out, const struct settings *s,
    const struct header *header, const struct rewriting *rewriting)
{
	struct buf fresh = BUF_LIMIT(INJECT_NEWFIELDS_MAX);
	int r = newfields_add(s, header, rewriting, &fresh);

	if (r != 0)
		envelope_die_address(r, strv_of(s->user));
	output_put(out, buf_view(&fresh));
	buf_free(&fresh);
	for (size_t i = 0; i < header->count; i++) {
		unsigned traits = field_kinds[header->fields[i].id].traits;

		if ((traits & FIELD_IS_DELETED) == 0)
			output_put(out, rewriting->fields[i]);
	}
	output_put(out, STRV("\n"));
}

/* CR LF becomes LF; a CR at the end of bytes waits in *pending. */
static void
put_without_cr(struct output *out, struct strv bytes, bool *pending)
{
	while (bytes.len > 0) {
		size_t cr;

		if (*pending && bytes.ptr[0] != '\n')
			output_put(out, STRV("\r"));
		*pending = false;
		cr = strv_find(bytes, '\r');
		output_put(out, strv_head(bytes, cr));
		*pending = cr != STRV_NPOS;
		bytes = strv_skip(bytes, *pending ? cr + 1 : bytes.len);
	}
}

static void
put_bytes(struct output *out, const struct header *header, struct strv bytes,
    bool *pending)
{
	if (header->has_crlf)
		put_without_cr(out, bytes, pending);
	else
		output_put(out, bytes);
}

static void
put_body(struct output *out, const struct header *header, struct source *in)
{
	bool pending = false;
	int r;

	put_bytes(out, header, buf_view(&header->body), &pending);
	while ((r = source_fill(in, IO_FOREVER)) == 0) {
		struct strv bytes = source_peek(in);

		put_bytes(out, header, bytes, &pending);
		source_take(in, bytes.len);
	}
	if (pending)
		output_put(out, STRV("\r"));
	if (r != QE_EOF) {
		if (!out->print)
			submit_abort(&out->submit);
		die(EX_TEMPORARY, "read error");
	}
	/* A last line without end could not be sent by SMTP. */
	if (out->last != '\n')
		output_put(out, STRV("\n"));
}

static _Noreturn void
finish(struct output *out, const struct envelope *envelope)
{
	struct strv all = buf_view(&envelope->recipients);
	struct submit_result result;

	if (out->print) {
		if (sink_flush(&out->sink) != 0)
			die_errno(EX_TEMPORARY, "unable to write");
		_exit(EX_SUCCESS);
	}
	submit_sender(&out->submit, buf_view(&envelope->sender));
	while (all.len > 0)
		submit_recipient(&out->submit, strv_cut(&all, '\0', NULL));
	submit_close(&out->submit, IO_FOREVER, &result);
	if (!result.ok)
		die(result.permanent ? EX_PERMANENT : EX_TEMPORARY, "%s",
		    result.text);
	_exit(EX_SUCCESS);
}

int
main(int argc, char **argv)
{
	static const struct program program = {
		.name = "qmail-inject",
		.flags = PROGRAM_FD0,
		.umask = 033,
	};
	char block[INJECT_BLOCK];
	struct settings settings = { .print = false };
	struct rewriting rewriting = { .rules = NULL };
	struct header header;
	struct envelope envelope;
	struct output output;
	struct source in;

	program_begin(&program);
	parse_options(&settings, argc, argv);
	settings_load(&settings);
	source_init(&in, 0, block, sizeof block);
	read_header(&settings, &in, &header);
	rewrite(&settings, &header, &rewriting);
	envelope_make(&settings, &rewriting, &envelope);
	output_open(&output, &settings, &envelope);
	put_header(&output, &settings, &header, &rewriting);
	put_body(&output, &header, &in);
	finish(&output, &envelope);
}
