/*
 * Control files with one value: a line, a number or a text.
 *
 * The value of the environment override comes first, then the file, then the
 * default of controls.def.  An absent file costs one open(2).  Lists and maps
 * are in control_set.c.
 */
#include "conf/control.h"
#include "base/env.h"
#include "base/error.h"
#include "base/file.h"
#include "conf/control_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	ME_SUFFIX_AT = 2, /* "me", and what follows it in a default */
	ORIGIN_MAX = 64,  /* bytes */
	TEXT_MAX = 24,    /* bytes of a variable or a default, and a NUL */
	VALUE_USUAL = 256 /* bytes of a file that needs no malloc(3) */
};

#define PREFIX "control/"

const struct control control_table[CTL_COUNT] = {
#define CONTROL(id, file, env, kind, def, min, max, programs, doc)             \
	[CTL_##id] = { kind, programs, min, max },
#include "conf/controls.def"
#undef CONTROL
};

/* Arrays and not pointers, which would be relocated at each start. */
static const struct {
	char path[CONTROL_PATH_MAX];
	char variable[TEXT_MAX], fallback[TEXT_MAX];
} texts[CTL_COUNT] = {
#define CONTROL(id, file, env, kind, def, min, max, programs, doc)             \
	[CTL_##id] = { PREFIX file, env, def },
#include "conf/controls.def"
#undef CONTROL
};

/* The language lets an array be filled to its end, without a NUL. */
#define CONTROL(id, file, env, kind, def, min, max, programs, doc)             \
	_Static_assert(sizeof(PREFIX file) <= CONTROL_PATH_MAX &&              \
			   sizeof(env) <= TEXT_MAX && sizeof(def) <= TEXT_MAX, \
	    "no room for the texts of " file);
#include "conf/controls.def"
#undef CONTROL

const char *
control_path(enum ctl id)
{
	return texts[id].path;
}

const char *
control_name(enum ctl id)
{
	return texts[id].path + strlen(PREFIX);
}

const char *
control_variable(enum ctl id)
{
	return texts[id].variable[0] == '\0' ? NULL : texts[id].variable;
}

const char *
control_fallback(enum ctl id)
{
	const char *fallback = texts[id].fallback;

	return fallback[0] == NO_DEFAULT[0] ? NULL : fallback;
}

void
control_error_set(
    struct control_error *err, const char *name, unsigned line, const char *why)
{
	if (line != 0)
		snprintf(err->text, sizeof(err->text), "%s line %u: %s", name,
		    line, why);
	else
		snprintf(err->text, sizeof(err->text), "%s: %s", name, why);
}

int
control_file_read(enum ctl id, struct buf *out, struct control_error *err)
{
	const char *path = control_path(id);
	size_t before = out->len;
	int r = file_read(path, out);

	if (r == 0)
		return control_check_bytes(
		    strv_skip(buf_view(out), before), path, err);
	if (r != QE_ABSENT)
		control_error_set(err, path, 0,
		    r == QE_LIMIT ? "file too big" : error_result_text(r));
	return r;
}

static int
fail_absent(enum ctl id, struct control_error *err)
{
	control_error_set(err, control_path(id), 0, "file does not exist");
	return QE_ABSENT;
}

int
control_check_bytes(
    struct strv text, const char *name, struct control_error *err)
{
	size_t at = strv_find(text, '\0');
	unsigned line = 1;

	if (at == STRV_NPOS)
		return 0;
	for (size_t i = 0; i < at; i++)
		line += text.ptr[i] == '\n';
	control_error_set(err, name, line, "NUL byte");
	return QE_SYNTAX;
}

/* Where a value came from, for the sentence about what is wrong with it. */
struct origin {
	const char *name;
	bool is_file;
	char variable[ORIGIN_MAX]; /* "$" and its name, where it is one */
};

static int
fail_value(struct control_error *err, const struct origin *origin,
    const char *why, int result)
{
	control_error_set(err, origin->name, origin->is_file ? 1 : 0, why);
	return result;
}

/* Override or file: 0, QE_ABSENT, of which err does not tell, or an error. */
static int
fetch(enum ctl id, struct buf *out, struct origin *origin,
    struct control_error *err)
{
	const char *variable = control_variable(id);
	const char *value = variable == NULL ? NULL : env_get(variable);

	if (value == NULL) {
		origin->is_file = true;
		origin->name = control_path(id);
		return control_file_read(id, out, err);
	}
	origin->is_file = false;
	snprintf(origin->variable, sizeof(origin->variable), "$%s", variable);
	origin->name = origin->variable;
	buf_add_str(out, value);
	return out->err == 0 ? 0
			     : fail_value(err, origin, "too long", out->err);
}

/* Appends all of v or, on failure, nothing. */
static int
append(
    struct buf *out, struct strv v, const char *name, struct control_error *err)
{
	buf_add_view(out, v);
	if (out->err == 0)
		return 0;
	control_error_set(err, name, 0,
	    out->err == QE_LIMIT ? "too long" : error_result_text(out->err));
	return out->err;
}

static int
first_line(struct strv text, const struct origin *origin, struct buf *out,
    struct control_error *err)
{
	struct strv line = strv_trim_end(strv_cut(&text, '\n', NULL));

	if (line.len > 0 && line.ptr[line.len - 1] == '\r')
		return fail_value(
		    err, origin, "carriage return at the end", QE_SYNTAX);
	return append(out, line, origin->name, err);
}

/* control/me and nothing else; no override, no default.  As fetch(). */
static int
fetch_me(struct buf *out, struct control_error *err)
{
	char usual[VALUE_USUAL];
	struct buf text = BUF_IN(usual, CONTROL_VALUE_MAX);
	struct origin origin = { .name = control_path(CTL_ME),
		.is_file = true };
	int r;

	r = control_file_read(CTL_ME, &text, err);
	if (r == 0)
		r = first_line(buf_view(&text), &origin, out, err);
	buf_free(&text);
	return r;
}

static bool
wants_me(const char *fallback)
{
	return fallback[0] == 'm' && fallback[1] == 'e' &&
	       (fallback[2] == '\0' || fallback[2] == '!' ||
		   fallback[2] == ' ');
}

static int
use_fallback(enum ctl id, struct buf *out, struct control_error *err)
{
	const char *fallback = control_fallback(id);
	size_t before = out->len;
	int r;

	if (fallback == NULL)
		return fail_absent(id, err);
	if (!wants_me(fallback))
		return append(out, strv_of(fallback), control_name(id), err);
	r = fetch_me(out, err);
	if (r == QE_ABSENT && fallback[ME_SUFFIX_AT] == '\0')
		return append(
		    out, strv_of(control_name(id)), control_name(id), err);
	if (r == 0 && fallback[ME_SUFFIX_AT] == ' ')
		r = append(out, strv_of(fallback + ME_SUFFIX_AT),
		    control_name(id), err);
	if (r != 0)
		out->len = before;
	return r == QE_ABSENT ? fail_absent(CTL_ME, err) : r;
}

int
control_line(enum ctl id, struct buf *out, struct control_error *err)
{
	char usual[VALUE_USUAL];
	struct buf text = BUF_IN(usual, CONTROL_VALUE_MAX);
	struct origin origin;
	int r = fetch(id, &text, &origin, err);

	if (r == 0)
		r = first_line(buf_view(&text), &origin, out, err);
	else if (r == QE_ABSENT)
		r = use_fallback(id, out, err);
	buf_free(&text);
	return r;
}

int
control_text(enum ctl id, struct buf *out, struct control_error *err)
{
	char usual[VALUE_USUAL];
	struct buf text = BUF_IN(usual, CONTROL_VALUE_MAX);
	struct origin origin;
	int r = fetch(id, &text, &origin, err);

	if (r == 0)
		r = append(
		    out, strv_trim_end(buf_view(&text)), origin.name, err);
	else if (r == QE_ABSENT)
		r = use_fallback(id, out, err);
	buf_free(&text);
	return r;
}

/* Digits, then nothing but blanks and a comment. */
static int
parse_int(struct strv text, const struct control *control,
    const struct origin *origin, int64_t *out, struct control_error *err)
{
	struct strv line = strv_cut(&text, '\n', NULL);
	char why[96];
	uint64_t value;
	int r = strv_to_u64(
	    strv_trim_blanks(strv_cut(&line, '#', NULL)), INT64_MAX, &value);

	if (r == QE_SYNTAX)
		return fail_value(err, origin, "not a number", r);
	if (r == 0 && (int64_t)value >= control->min &&
	    (int64_t)value <= control->max) {
		*out = (int64_t)value;
		return 0;
	}
	snprintf(why, sizeof(why), "out of range (%" PRId64 " to %" PRId64 ")",
	    control->min, control->max);
	return fail_value(err, origin, why, QE_LIMIT);
}

int
control_int(enum ctl id, int64_t *out, struct control_error *err)
{
	const struct control *control = &control_table[id];
	char usual[VALUE_USUAL];
	struct buf text = BUF_IN(usual, CONTROL_VALUE_MAX);
	struct origin origin;
	struct strv all;
	int r = fetch(id, &text, &origin, err);

	if (r != 0 && r != QE_ABSENT) {
		buf_free(&text);
		return r;
	}
	all = strv_trim_end(buf_view(&text));
	if (r == QE_ABSENT || all.len == 0)
		all = strv_of(control_fallback(id));
	if (all.len > 0)
		r = parse_int(all, control, &origin, out, err);
	else if (r == QE_ABSENT)
		r = fail_absent(id, err);
	else
		r = fail_value(err, &origin, "empty", QE_ABSENT);
	buf_free(&text);
	return r;
}

bool
control_exists(enum ctl id)
{
	const char *path = control_path(id);

	return access(path, F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR);
}
