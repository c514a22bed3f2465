/*
 * control-table: the control files of one program, or of all, as an mdoc(7)
 * list for its manual page; `list' prints their bare names.  A tool of the
 * build: the pages tell what the code obeys, because both expand the same
 * controls.def.
 */
#include "base/buf.h"
#include "base/die.h"
#include "base/exitcode.h"
#include "base/io.h"
#include "conf/control.h"

#include <inttypes.h>
#include <string.h>

static const struct {
	unsigned bit;
	const char *name;
} programs[] = {
	{P_SEND,      "qmail-send"  },
	{ P_INJECT,   "qmail-inject"},
	{ P_SMTPD,    "qmail-smtpd" },
	{ P_REMOTE,   "qmail-remote"},
	{ P_QMTPD,    "qmail-qmtpd" },
	{ P_NEWMRH,   "qmail-newmrh"},
	{ P_QMQPC,    "qmail-qmqpc" },
	{ P_POPUP,    "qmail-popup" },
	{ P_QUEUE,    "qmail-queue" },
	{ P_NEWVRT,   "qmail-newvrt"},
	{ P_RBLSMTPD, "rblsmtpd"    },
	{ P_RSPAWN,   "qmail-rspawn"},
	{ P_TLS,      "qmail-tls"   },
	{ P_SCAND,    "qmail-scand" },
};

/* Which no other program needs. */
static const char *const docs[CTL_COUNT] = {
#define CONTROL(id, file, env, kind, def, min, max, programs, doc)             \
	[CTL_##id] = doc,
#include "conf/controls.def"
#undef CONTROL
};

enum { PROGRAM_COUNT = sizeof(programs) / sizeof(*programs) };

/* Words of running text: each sentence on a line, no line a request. */
static void
add_text(struct buf *out, const char *text)
{
	if (*text == '.' || *text == '\'')
		buf_add_str(out, "\\&");
	while (*text != '\0') {
		if (strncmp(text, ".  ", 3) == 0) {
			buf_add_str(out, ".\n");
			text += 3;
			continue;
		}
		if (*text == '\\')
			buf_add_str(out, "\\e");
		else
			buf_add_char(out, *text);
		text++;
	}
	buf_add_char(out, '\n');
}

static void
add_default(struct buf *out, enum ctl id)
{
	const struct control *control = &control_table[id];
	const char *fallback = control_fallback(id);

	if (fallback == NULL || *fallback == '\0') {
		buf_add_str(out, "Default: none.\n");
	} else if (strcmp(fallback, "me") == 0 ||
		   strcmp(fallback, "me!") == 0) {
		buf_add_str(out, "Default: the content of\n.Pa control/me .\n");
	} else if (strncmp(fallback, "me ", 3) == 0) {
		buf_add_str(out, "Default: the content of\n.Pa control/me\n"
				 "and\n");
		buf_addf(out, ".Ql %s .\n", fallback + 3);
	} else if (control->kind == CT_INT) {
		buf_addf(out, "Default: %s.\n", fallback);
	} else {
		buf_addf(out, "Default:\n.Ql %s .\n", fallback);
	}
	if (control->kind == CT_INT)
		buf_addf(out, "Range: %" PRId64 " to %" PRId64 ".\n",
		    control->min, control->max);
	if (control_variable(id) != NULL)
		buf_addf(
		    out, "Overridden by\n.Ev %s .\n", control_variable(id));
}

static void
add_readers(struct buf *out, const struct control *control)
{
	unsigned left = control->programs;
	bool first = true;

	if ((left & P_ALL) != 0) {
		buf_add_str(out, "Read by all programs.\n");
		return;
	}
	for (size_t i = 0; i < PROGRAM_COUNT; i++) {
		if ((left & programs[i].bit) == 0)
			continue;
		left &= ~programs[i].bit;
		buf_add_str(out, first ? "Read by\n" : "");
		buf_addf(out, ".Xr %s 8 %s\n", programs[i].name,
		    (left & ~(unsigned)P_START) != 0 ? "," : ".");
		first = false;
	}
	if ((left & P_START) != 0)
		buf_add_str(out, "Read by the run files of the services.\n");
}

static void
add_table(struct buf *out, unsigned wanted, bool with_readers)
{
	bool any = false;

	for (enum ctl id = 0; id < CTL_COUNT; id++) {
		const struct control *control = &control_table[id];

		if ((control->programs & wanted) == 0)
			continue;
		if (!any)
			buf_add_str(out, ".Bl -tag -width Ds\n");
		any = true;
		buf_addf(out, ".It Pa %s\n", control_path(id));
		add_text(out, docs[id]);
		add_default(out, id);
		if (with_readers)
			add_readers(out, control);
	}
	buf_add_str(out, any ? ".El\n" : "None.\n");
}

static void
add_list(struct buf *out)
{
	for (enum ctl id = 0; id < CTL_COUNT; id++)
		buf_addf(out, "%s\n", control_name(id));
}

static unsigned
program_bit(const char *name)
{
	for (size_t i = 0; i < PROGRAM_COUNT; i++)
		if (strcmp(programs[i].name, name) == 0)
			return programs[i].bit;
	return 0;
}

int
main(int argc, char **argv)
{
	struct buf out = BUF_INIT;

	die_set_name("control-table");
	if (argc != 2)
		die_usage("control-table program|all|list");
	if (strcmp(argv[1], "list") == 0)
		add_list(&out);
	else if (strcmp(argv[1], "all") == 0)
		add_table(&out, ~0U, true);
	else if (program_bit(argv[1]) != 0)
		add_table(&out, program_bit(argv[1]) | P_ALL, false);
	else
		die(EX_PERMANENT, "%s reads no control file", argv[1]);
	if (out.err != 0)
		die_nomem();
	if (io_write_all(1, out.data, out.len) != 0)
		die_errno(EX_TEMPORARY, "unable to write");
	buf_free(&out);
	return EX_SUCCESS;
}
