/*
 * Asks the plugins of a stage in turn.  A plugin that cannot be asked, or
 * whose answer is none, judges nothing and lets nothing through: the client
 * is told to come again.
 */
#include "smtpd/plugins.h"
#include "base/clock.h"
#include "base/env.h"
#include "base/error.h"
#include "base/io.h"
#include "base/spawn.h"
#include "smtpd/auth.h"
#include "smtpd/log.h"
#include "smtpd/pipeline.h"
#include "smtpd/plugin_child.h"
#include "smtpd/plugins_state.h"
#include "smtpd/trust.h"

#include <stdlib.h>

enum {
	VARIABLES_MAX = 9,
	VARIABLE_BYTES = 131072,
	CONTENT_MARGIN_MS = 2000 /* of control/dottimeout */
};

/* Variables under construction: their bytes, and where each begins. */
struct variables {
	struct buf bytes;
	size_t at[VARIABLES_MAX];
	size_t count;
	char *list[VARIABLES_MAX + 1];
};

int
plugins_open(struct session *s, struct control_error *err)
{
	struct plugin_config config;
	struct plugins *p;
	int r;

	if (env_get("NOSPP") != NULL || s->notes.plugins_mode == CHECK_OFF)
		return 0;
	r = plugin_config_load(&config, err);
	if (r == QE_ABSENT || (r == 0 && config.count == 0))
		return 0;
	if (r != 0)
		return r;
	p = calloc(1, sizeof(*p));
	if (p == NULL) {
		plugin_config_free(&config);
		return QE_NOMEM;
	}
	p->config = config;
	p->content_fd = -1;
	p->connection_fields.max = p->helo_fields.max = PLUGINS_FIELDS_MAX;
	p->content_fields.max = FIELDS_BYTES_MAX;
	s->plugins = p;
	return control_int(CTL_SMTPPLUGINTIME, &p->seconds, err);
}

void
plugins_free(struct plugins **plugins)
{
	struct plugins *p = *plugins;

	if (p == NULL)
		return;
	plugin_config_free(&p->config);
	buf_free(&p->connection_fields);
	buf_free(&p->helo_fields);
	buf_free(&p->content_fields);
	free(p);
	*plugins = NULL;
}

bool
plugins_changed_environment(const struct session *s)
{
	return s->plugins != NULL && s->plugins->changed_environment;
}

void
plugins_reset(struct session *s)
{
	struct plugins *p = s->plugins;

	if (p == NULL)
		return;
	p->recipients_named = 0;
	buf_free(&p->content_fields);
	for (int i = PLUGIN_MAIL; i <= PLUGIN_DATA; i++)
		if (p->later[i].set_at >= PLUGIN_MAIL)
			p->later[i].pending = false;
}

static void
add_variable(struct variables *v, const char *name, struct strv value)
{
	v->at[v->count++] = v->bytes.len;
	buf_add_str(&v->bytes, name);
	buf_add_char(&v->bytes, '=');
	buf_add_view(&v->bytes, value);
	buf_add_char(&v->bytes, '\0');
}

static void
add_number(struct variables *v, const char *name, size_t n)
{
	v->at[v->count++] = v->bytes.len;
	buf_addf(&v->bytes, "%s=%zu", name, n);
	buf_add_char(&v->bytes, '\0');
}

/* What there is to tell at this stage: 0 or QE_NOMEM. */
static int
collect(const struct session *s, enum plugin_stage stage, struct variables *v)
{
	const struct plugins *p = s->plugins;
	bool in_mail = stage >= PLUGIN_MAIL && stage <= PLUGIN_CONTENT;

	*v = (struct variables){ .bytes = BUF_LIMIT(VARIABLE_BYTES) };
	if (stage != PLUGIN_CONNECTION)
		add_variable(v, "SMTPHELOHOST", buf_view(&s->helo));
	if (in_mail) {
		add_variable(v, "SMTPMAILFROM", buf_view(&s->tx.sender));
		add_number(v, "SMTPRCPTCOUNT", s->tx.recipient_count);
		add_number(v, "SMTPRCPTCOUNTALL", p->recipients_named);
	}
	if (in_mail && stage != PLUGIN_MAIL)
		add_variable(v, "SMTPRCPTTO", buf_view(&s->tx.candidate));
	if (stage == PLUGIN_RCPT)
		add_number(v, "SMTPRCPTHOSTSOK", p->recipient_allowed ? 1 : 0);
	if (auth_is_done(s)) {
		add_variable(v, "SMTPAUTHUSER", auth_user(s));
		v->at[v->count++] = v->bytes.len;
		buf_add_str(&v->bytes, "SMTPAUTHMETHOD=");
		buf_add_lower(&v->bytes, auth_method(s));
		buf_add_char(&v->bytes, '\0');
	}
	if (v->bytes.err != 0)
		return v->bytes.err;
	for (size_t i = 0; i < v->count; i++)
		v->list[i] = v->bytes.data + v->at[i];
	return 0;
}

static struct plugins_verdict
trouble(enum plugin_stage stage)
{
	const char *text = "unable to ask a plugin, try again later";

	if (stage == PLUGIN_CONNECTION)
		return (struct plugins_verdict){ PLUGINS_ANSWER,
			session_farewell(421, "4.3.0", text) };
	return (struct plugins_verdict){ PLUGINS_ANSWER,
		reply_make(451, "4.3.0", text) };
}

/* At [content] there has to be time left to hand the message over. */
static int64_t
deadline_of(const struct session *s, enum plugin_stage stage)
{
	int64_t deadline = session_deadline(s, s->plugins->seconds);
	int64_t margin = s->settings.dot_timeout * (1000 / 4);

	if (margin > CONTENT_MARGIN_MS)
		margin = CONTENT_MARGIN_MS;
	if (stage == PLUGIN_CONTENT &&
	    s->tx.dot_deadline_ms - margin < deadline)
		deadline = s->tx.dot_deadline_ms - margin;
	return deadline;
}

/* What it would have done; trouble has been logged already. */
static void
log_watched(struct session *s, const struct plugin_child *child,
    enum plugin_stage stage, struct strv output)
{
	while (output.len > 0) {
		struct strv line = strv_cut(&output, '\n', NULL);

		if (line.len > 0)
			log_event(s, "WATCH: plugin %s: [%s] " STRV_FMT,
			    child->argv[0], plugin_stage_name(stage),
			    STRV_ARG(line));
	}
}

/* One plugin: false if the verdict is final. */
static bool
ask_one(struct session *s, const struct plugin_child *child,
    enum plugin_stage stage, struct plugins_verdict *verdict)
{
	struct buf output = BUF_LIMIT(PLUGIN_OUTPUT_MAX);
	struct buf why = BUF_LIMIT(512);
	bool ends = false;
	int r = plugin_child_run(s, child, &output);

	if (s->notes.plugins_mode == CHECK_WATCH) {
		log_watched(s, child, stage, buf_view(&output));
		buf_free(&output);
		return true;
	}
	if (r == 0 &&
	    !plugins_apply(s, stage, buf_view(&output), verdict, &ends, &why)) {
		log_event(s, "plugin %s: not a command at [%s]: " STRV_FMT,
		    child->argv[0], plugin_stage_name(stage),
		    STRV_ARG(buf_view(&why)));
		r = QE_SYNTAX;
	}
	if (r != 0)
		*verdict = trouble(stage);
	buf_free(&output);
	buf_free(&why);
	return r == 0 && !ends;
}

static struct plugins_verdict
ask_all(struct session *s, enum plugin_stage stage)
{
	struct plugins *p = s->plugins;
	struct plugins_verdict verdict = { PLUGINS_PASS, { .code = 0 } };
	size_t input = 0;
	bool more = true;

	for (size_t i = 0; i < p->config.count && more; i++) {
		const struct plugin_line *line = &p->config.items[i];
		struct plugin_child child = { .argv = line->argv,
			.input_fd = SPAWN_FD_NULL,
			.deadline_ms = deadline_of(s, stage) };
		struct variables variables;

		if (line->stage != stage)
			continue;
		if (stage == PLUGIN_CONTENT)
			child.input_fd = p->inputs[input++];
		/* Anew for each: the one before may have changed something. */
		if (collect(s, stage, &variables) != 0)
			verdict = trouble(stage);
		child.variables = variables.list;
		more = verdict.kind != PLUGINS_ANSWER &&
		       ask_one(s, &child, stage, &verdict);
		buf_free(&variables.bytes);
	}
	return verdict;
}

/* The fields that were asked for before there was a message. */
static void
begin_transaction(struct session *s)
{
	buf_add_view(&s->tx.fields, buf_view(&s->plugins->connection_fields));
	buf_add_view(&s->tx.fields, buf_view(&s->plugins->helo_fields));
}

/* A new name: what plugins wanted because of the last one is forgotten. */
static void
begin_helo(struct plugins *p)
{
	buf_reset(&p->helo_fields);
	for (int i = PLUGIN_MAIL; i <= PLUGIN_DATA; i++)
		if (p->later[i].set_at >= PLUGIN_HELO)
			p->later[i].pending = false;
}

void
plugins_restart(struct session *s)
{
	if (s->plugins == NULL)
		return;
	plugins_reset(s);
	begin_helo(s->plugins);
	s->plugins->off = s->plugins->off_anyway;
}

static void
begin_stage(struct session *s, enum plugin_stage stage)
{
	if (stage == PLUGIN_MAIL)
		begin_transaction(s);
	if (stage == PLUGIN_HELO)
		begin_helo(s->plugins);
	if (stage == PLUGIN_RCPT)
		s->plugins->recipients_named++;
}

struct plugins_verdict
plugins_run(struct session *s, enum plugin_stage stage)
{
	struct plugins *p = s->plugins;
	const struct plugins_verdict pass = { .kind = PLUGINS_PASS };

	/* Of a known spammer nothing is asked: its mail is wanted. */
	if (p == NULL || trust_is_spammer(s))
		return pass;
	begin_stage(s, stage);
	if (p->off)
		return pass;
	if (stage >= PLUGIN_MAIL && stage <= PLUGIN_DATA &&
	    p->later[stage].pending)
		return (struct plugins_verdict){ PLUGINS_ANSWER,
			p->later[stage].reply };
	if (p->config.of_stage[stage] == 0)
		return pass;
	if (stage == PLUGIN_CONTENT && p->content_failed)
		return trouble(stage);
	if (stage == PLUGIN_RCPT)
		p->recipient_allowed =
		    pipeline_run(s, STAGE_RELAY).kind == VERDICT_ACCEPT;
	return ask_all(s, stage);
}
