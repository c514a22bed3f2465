/*
 * Lists of expressions: which file, what is wrong with it, what it holds.  A
 * line that is none is logged and ignored, as the rest must stay in force; a
 * file that cannot be read refuses for now, as nobody knows what it says.
 */
#include "smtpd/bmcheck.h"
#include "base/env.h"
#include "base/error.h"
#include "base/file.h"
#include "base/pattern.h"
#include "smtpd/log.h"
#include "smtpd/pipeline.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct listener {
	const struct session *session;
	struct bmcheck *check;
};

static void
hear(void *arg, unsigned line, const char *why)
{
	const struct listener *listener = arg;
	struct bmcheck *check = listener->check;
	char text[256];

	if (++check->reports > BMCHECK_REPORTS_MAX)
		return;
	if (line == 0)
		snprintf(text, sizeof(text), "%s: %s", check->path, why);
	else
		snprintf(text, sizeof(text), "%s line %u: %s", check->path,
		    line, why);
	log_trouble(listener->session, text);
}

/* Reads and parses check->path. */
static int
load(const struct session *s, struct bmcheck *check, bool may_be_absent)
{
	struct listener listener = { s, check };
	const struct pattern_reporter reporter = { hear, &listener };
	struct buf text = BUF_LIMIT(PATTERN_FILE_MAX);
	int r = file_read(check->path, &text);

	if (r == 0)
		r = pattern_list_parse(
		    buf_view(&text), &reporter, &check->patterns);
	if (r == QE_ABSENT && !may_be_absent) {
		errno = ENOENT;
		r = QE_SYS;
	}
	if (r == QE_LIMIT)
		hear(&listener, 0, "too large");
	else if (r != 0 && r != QE_ABSENT)
		hear(&listener, 0, error_result_text(r));
	buf_free(&text);
	return r;
}

static struct bmcheck *
list_open(const struct session *s, struct notes *notes,
    const struct bmcheck_kind *kind)
{
	const char *other = env_get(kind->variable);
	bool is_moved = other != NULL && *other != '\0';
	struct bmcheck *check = &notes->bmchecks[kind->list];

	if (check->is_open)
		return check;
	*check = (struct bmcheck){
		.is_open = true, .result = QE_ABSENT, .path = kind->file
	};
	/* A copy: a plugin may change the variable meanwhile. */
	if (is_moved)
		check->path = check->moved = strdup(other);
	if (check->path == NULL) {
		check->path = kind->file;
		check->result = QE_NOMEM;
	} else if (env_get(kind->off) == NULL) {
		check->result = load(s, check, !is_moved);
	}
	return check;
}

/* The line that matches: 0; QE_ABSENT; or why that is not known. */
static int
find(const struct session *s, struct bmcheck *check, struct strv subject,
    unsigned *line)
{
	struct listener listener = { s, check };
	const struct pattern_reporter reporter = { hear, &listener };

	if (check->result != 0)
		return check->result;
	return pattern_list_match(check->patterns, subject, &reporter, line);
}

struct verdict
bmcheck_run(const struct session *s, struct notes *notes,
    const struct bmcheck_kind *kind, struct strv subject,
    const struct verdict *hit)
{
	struct bmcheck *check = list_open(s, notes, kind);
	char where[256];
	unsigned line = 0;
	int r = find(s, check, subject, &line);

	if (r == QE_ABSENT)
		return verdict_pass();
	if (r != 0)
		return verdict_reject(451, "4.3.0", "unable to read controls");
	if (s->settings.log.bmchecks) {
		snprintf(where, sizeof(where), "%s line %u", check->path, line);
		log_envelope_about(s, kind->tag, where);
	}
	return *hit;
}

void
bmchecks_free(struct notes *notes)
{
	for (int i = 0; i < BMCHECK_COUNT; i++) {
		pattern_list_free(&notes->bmchecks[i].patterns);
		free(notes->bmchecks[i].moved);
		notes->bmchecks[i].moved = NULL;
		notes->bmchecks[i].is_open = false;
	}
}
