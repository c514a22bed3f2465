/*
 * What control files say, in the sentences that readers of qmail-showctl's
 * output know.  Controls that have none of their own get plain ones.
 * Passwords are not shown.
 */
#include "admin/sentence.h"
#include "base/error.h"
#include "conf/control_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct sentence {
	const char *file;
	const char *before, *after; /* around the value or each entry */
	const char *absent;         /* of a list */
};

static const struct sentence sentences[] = {
#define SENTENCE(file, before, after, absent) { file, before, after, absent },
#include "admin/sentences.def"
#undef SENTENCE
};

static const struct sentence plain = { NULL, "Value is ", ".", "No entries." };

/* Of entries of smtprelays all behind the first bar is secret. */
static bool
has_secrets(const struct sentence *sentence)
{
	return sentence->file != NULL &&
	       strcmp(sentence->file, "smtprelays") == 0;
}

static const struct sentence *
sentence_find(const char *file)
{
	for (size_t i = 0; i < sizeof(sentences) / sizeof(*sentences); i++)
		if (strcmp(sentences[i].file, file) == 0)
			return &sentences[i];
	return &plain;
}

void
sentence_add_printable(struct buf *out, struct strv text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		buf_add_char(out, c < ' ' || c == 127 ? '_' : text.ptr[i]);
	}
}

static void
add_value(struct buf *out, const struct sentence *sentence, struct strv value)
{
	size_t bar = strv_find(value, '|');

	if (sentence == &plain && value.len == 0) {
		buf_add_str(out, "No value.\n");
		return;
	}
	buf_add_str(out, sentence->before);
	if (has_secrets(sentence) && bar != STRV_NPOS)
		value = strv_head(value, bar);
	sentence_add_printable(out, value);
	if (has_secrets(sentence) && bar != STRV_NPOS)
		buf_add_str(out, "|...");
	buf_add_str(out, sentence->after);
	buf_add_char(out, '\n');
}

static void
add_oops(struct buf *out, const struct control_error *err)
{
	buf_addf(out, "Oops! %s.\n", err->text);
}

static void
add_single(enum ctl id, const struct sentence *sentence, struct buf *out)
{
	struct buf value = BUF_INIT;
	struct control_error err;
	int64_t number = 0;
	int r;

	if (control_table[id].kind == CT_INT) {
		r = control_int(id, &number, &err);
		buf_addf(&value, "%" PRId64, number);
	} else if (control_table[id].kind == CT_TEXT) {
		r = control_text(id, &value, &err);
	} else {
		r = control_line(id, &value, &err);
	}
	if (r == 0)
		add_value(out, sentence, buf_view(&value));
	else if (r == QE_ABSENT)
		buf_add_str(out, "Undefined.\n");
	else
		add_oops(out, &err);
	buf_free(&value);
}

/* Entries in the order of the file, as qmail-send and others see them. */
static void
add_entries(enum ctl id, const struct sentence *sentence, struct strv text,
    struct buf *out)
{
	buf_add_char(out, '\n');
	while (text.len > 0) {
		struct strv line = strv_trim_end(strv_cut(&text, '\n', NULL));

		if (line.len == 0 || line.ptr[0] == '#' ||
		    (control_table[id].kind == CT_MAP &&
			strv_find(line, ':') == STRV_NPOS))
			continue;
		add_value(out, sentence, line);
	}
}

static void
add_list(enum ctl id, const struct sentence *sentence, struct buf *out)
{
	struct control_set set;
	struct control_error err;

	if (control_set_load(id, &set, &err) != 0) {
		add_oops(out, &err);
		return;
	}
	if (set.present)
		add_entries(id, sentence, buf_view(&set.bytes), out);
	else
		buf_addf(out, "%s\n",
		    sentence->absent == NULL ? plain.absent : sentence->absent);
	control_set_free(&set);
}

/* Whether a path below the home is that of a control file of ours. */
static bool
is_control(const char *path)
{
	for (enum ctl id = 0; id < CTL_COUNT; id++)
		if (strcmp(control_path(id), path) == 0)
			return true;
	return false;
}

/* Whether what a tool made is newer than what it was made from. */
static void
add_made(enum ctl id, const struct sentence *sentence, struct buf *out)
{
	char path[CONTROL_PATH_MAX];
	struct stat made, source;
	char *suffix;

	snprintf(path, sizeof(path), "%s", control_path(id));
	if (stat(path, &made) < 0) {
		buf_addf(out, "%s\n",
		    sentence->absent == NULL ? plain.absent : sentence->absent);
		return;
	}
	suffix = strrchr(path, '.');
	if (suffix != NULL)
		*suffix = '\0';
	if (!is_control(path))
		buf_add_str(out, "Present; made from a text of your own.\n");
	else if (stat(path, &source) < 0)
		buf_addf(out, "Oops! There is no %s.\n", path);
	else if (source.st_mtime > made.st_mtime)
		buf_addf(out, "Oops! %s is newer.\n", path);
	else
		buf_add_str(
		    out, "Modified recently enough; hopefully up to date.\n");
}

void
sentence_add(enum ctl id, struct buf *out)
{
	const struct control *control = &control_table[id];
	const struct sentence *sentence = sentence_find(control_name(id));

	buf_addf(out, "%s: ", control_name(id));
	if (!control_exists(id))
		buf_add_str(out, "(Default.) ");
	switch (control->kind) {
	case CT_LINE:
	case CT_TEXT:
	case CT_INT:
		add_single(id, sentence, out);
		break;
	case CT_LIST:
	case CT_MAP:
	case CT_PATTERNS:
		add_list(id, sentence, out);
		break;
	case CT_CDB:
		add_made(id, sentence, out);
		break;
	case CT_FILE:
		buf_add_str(out, control_exists(id) ? "Present.\n" : "None.\n");
		break;
	}
}
