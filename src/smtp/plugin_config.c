/*
 * Reads control/smtpplugins.  All of it is read and checked when a session
 * begins: a plugin that judges mail is not left out because of a typing
 * mistake.
 */
#include "smtp/plugin_config.h"
#include "base/error.h"
#include "base/spawn.h"
#include "conf/control_file.h"

#include <stdlib.h>
#include <string.h>

static const char stage_names[PLUGIN_STAGES][12] = {
	[PLUGIN_CONNECTION] = "connection",
	[PLUGIN_HELO] = "helo",
	[PLUGIN_MAIL] = "mail",
	[PLUGIN_RCPT] = "rcpt",
	[PLUGIN_DATA] = "data",
	[PLUGIN_CONTENT] = "content",
	[PLUGIN_AUTH] = "auth",
};

const char *
plugin_stage_name(enum plugin_stage stage)
{
	return stage_names[stage];
}

/* "[rcpt]": 0 and the stage, or QE_SYNTAX. */
static int
parse_section(struct strv line, enum plugin_stage *stage)
{
	struct strv name = strv_skip(strv_head(line, line.len - 1), 1);

	if (line.len < 2 || line.ptr[line.len - 1] != ']')
		return QE_SYNTAX;
	for (int i = 0; i < PLUGIN_STAGES; i++) {
		if (!strv_eq_nocase(name, strv_of(stage_names[i])))
			continue;
		*stage = (enum plugin_stage)i;
		return 0;
	}
	return QE_SYNTAX;
}

static int
make_argv(struct strv line, char ***argv)
{
	struct buf copy = BUF_LIMIT(PLUGIN_LINE_MAX);
	bool by_shell = line.ptr[0] == ':';
	int r;

	buf_add_view(&copy, by_shell ? strv_skip(line, 1) : line);
	if (buf_cstr(&copy) == NULL) {
		r = copy.err == 0 ? QE_NOMEM : copy.err;
	} else if (by_shell) {
		const char *const words[] = { "/bin/sh", "-c", copy.data,
			NULL };

		*argv = spawn_argv(words);
		r = *argv == NULL ? QE_NOMEM : 0;
	} else {
		r = spawn_argv_split(&copy, argv);
	}
	buf_free(&copy);
	return r;
}

static int
add_line(
    struct plugin_config *config, enum plugin_stage stage, struct strv line)
{
	struct plugin_line *item;
	int r;

	if (config->count == PLUGINS_MAX)
		return QE_LIMIT;
	if (config->items == NULL)
		config->items = calloc(PLUGINS_MAX, sizeof(*config->items));
	if (config->items == NULL)
		return QE_NOMEM;
	item = &config->items[config->count];
	r = make_argv(line, &item->argv);
	if (r != 0)
		return r;
	item->stage = stage;
	config->of_stage[stage]++;
	config->count++;
	return 0;
}

/* One line, *stage being that of the lines before. */
static int
take_line(struct plugin_config *config, struct strv line, int *stage,
    const char **why)
{
	enum plugin_stage next;
	int r;

	if (line.len == 0 || line.ptr[0] == '#')
		return 0;
	if (line.ptr[0] == '[') {
		*why = "no such section";
		r = parse_section(line, &next);
		if (r == 0)
			*stage = (int)next;
		return r;
	}
	*why = "not in a section";
	if (*stage < 0)
		return QE_SYNTAX;
	*why = "has a NUL byte";
	if (strv_find(line, '\0') != STRV_NPOS)
		return QE_SYNTAX;
	*why = "no command behind the colon";
	if (line.len == 1 && line.ptr[0] == ':')
		return QE_SYNTAX;
	r = add_line(config, (enum plugin_stage) * stage, line);
	*why = r == QE_LIMIT ? "too long, or too many" : "out of memory";
	return r;
}

int
plugin_config_parse(
    struct strv text, struct plugin_config *out, struct control_error *err)
{
	struct plugin_config config = { .items = NULL };
	const char *why = NULL;
	int stage = -1;
	int r = 0;

	for (unsigned line = 1; text.len > 0 && r == 0; line++) {
		struct strv here = strv_cut(&text, '\n', NULL);

		r = take_line(&config, strv_trim_blanks(strv_trim_end(here)),
		    &stage, &why);
		if (r != 0)
			control_error_set(
			    err, "control/smtpplugins", line, why);
	}
	if (r == 0)
		*out = config;
	else
		plugin_config_free(&config);
	return r;
}

int
plugin_config_load(struct plugin_config *out, struct control_error *err)
{
	struct buf text = BUF_LIMIT(CONTROL_VALUE_MAX);
	int r = control_file_read(CTL_SMTPPLUGINS, &text, err);

	if (r == 0)
		r = plugin_config_parse(buf_view(&text), out, err);
	buf_free(&text);
	return r;
}

void
plugin_config_free(struct plugin_config *config)
{
	for (size_t i = 0; i < config->count; i++)
		free(config->items[i].argv);
	free(config->items);
	*config = (struct plugin_config){ .items = NULL };
}
