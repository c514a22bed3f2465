/*
 * Typed access to the control files below control/ of the home.
 *
 * controls.def names each file once, with its environment override, kind,
 * default and range; the reader, qmail-showctl and the manual expand it.  All
 * paths are relative to the working directory, which is the home.  A value
 * that does not parse is an error that names file and line, never a default.
 */
#ifndef CONF_CONTROL_H
#define CONF_CONTROL_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

enum control_kind {
	CT_LINE, /* first line, trailing blanks removed */
	CT_TEXT, /* several lines */
	CT_INT,
	CT_LIST, /* one entry a line; '#' comments and empty lines ignored */
	CT_MAP,  /* list of key:value, split at the first colon */
	CT_PATTERNS, /* expressions, one a line (base/pattern.h) */
	CT_CDB,      /* made by a tool from a list; only named here */
	CT_FILE      /* of a form of its own, may be secret; only named here */
};

/* Programs that read a control, for the manual: bits. */
enum control_program {
	P_SEND = 1,
	P_INJECT = 2,
	P_SMTPD = 4,
	P_REMOTE = 8,
	P_QMTPD = 16,
	P_NEWMRH = 32,
	P_QMQPC = 64,
	P_POPUP = 128,
	P_START = 256, /* read by run files, by no program */
	P_ALL = 512,
	P_QUEUE = 1024,
	P_NEWVRT = 2048,
	P_RBLSMTPD = 1 << 16,
	P_RSPAWN = 1 << 17,
	P_TLS = 1 << 18,
	P_SCAND = 1 << 19
};

enum ctl {
#define CONTROL(id, file, env, kind, def, min, max, programs, doc) CTL_##id,
#include "conf/controls.def"
#undef CONTROL
	CTL_COUNT
};

/* As no value of a control could be; for the table. */
#define NO_DEFAULT "\n"

struct control {
	enum control_kind kind;
	unsigned programs; /* enum control_program bits */
	int64_t min, max;  /* of a CT_INT */
};

extern const struct control control_table[CTL_COUNT];

enum { CONTROL_PATH_MAX = 40 }; /* bytes of the longest path, and a NUL */

const char *control_path(enum ctl id); /* from the home: "control/me" */
const char *control_name(enum ctl id); /* below control/: "me" */
/* The environment variable that overrides it, or NULL. */
const char *control_variable(enum ctl id);
/*
 * Its default.  For CT_INT a number.  "me": the content of control/me, or
 * this control's own name where that is missing; "me!": the same and
 * QE_ABSENT without it; "me text": with the text behind it; NULL: none.
 */
const char *control_fallback(enum ctl id);

/* What went wrong, for one sentence to a person. */
struct control_error {
	char text[256]; /* "control/databytes line 1: not a number" */
};

/*
 * 0; QE_ABSENT if there is neither file, override nor default; QE_SYNTAX,
 * QE_LIMIT, QE_SYS, QE_NOMEM; err is filled in for each (and may not be
 * NULL).  Values are appended to out, which is as it was after a failure.
 *
 * control_int: digits, then only blanks or a '#' comment; an empty file means
 * the default.
 */
int control_line(enum ctl id, struct buf *out, struct control_error *err);
int control_int(enum ctl id, int64_t *out, struct control_error *err);
int control_text(enum ctl id, struct buf *out, struct control_error *err);

/* True if the file exists (an unreadable one does exist). */
bool control_exists(enum ctl id);

/*
 * A list or map in memory: one block of bytes and an index sorted without
 * regard to case.  A later duplicate key overrides an earlier one.
 */
struct control_set {
	struct buf bytes;
	struct control_entry *entries; /* owned; sorted by key */
	size_t count;
	bool present; /* the file existed */
	/* Of a map: the first line without a colon, which is skipped; or 0. */
	unsigned skipped;
};

struct control_entry {
	struct strv key;   /* of a list: the whole line */
	struct strv value; /* of a map: behind the colon */
	unsigned line;     /* in the file, from 1 */
};

enum { CONTROL_FILE_MAX = 64 << 20 }; /* bytes of one list file */

/* An absent file gives an empty set with present false, and 0. */
int control_set_load(
    enum ctl id, struct control_set *out, struct control_error *err);
/*
 * The same for a map that protects: a line whose name cannot be told (without
 * a colon, with a star, with blanks around the name) is QE_SYNTAX.
 */
int control_map_load(
    enum ctl id, struct control_set *out, struct control_error *err);
/* From text in memory; name is used in errors. */
int control_set_parse(struct strv text, enum control_kind kind,
    const char *name, struct control_set *out, struct control_error *err);
void control_set_free(struct control_set *set);
/* Keys match without regard to case; NULL if there is none. */
const struct control_entry *control_set_find(
    const struct control_set *set, struct strv key);

#endif
