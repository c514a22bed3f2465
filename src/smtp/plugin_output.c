/*
 * The commands of plugins.  A line that is none is no plugin's intention but
 * an accident on its standard output, and who knows what else is missing: so
 * nothing of such an output counts.
 */
#include "smtp/plugin_output.h"
#include "base/error.h"
#include "mail/address.h"
#include "mail/header.h"

enum { REPLY_CODE_DIGITS = 3 };

int
plugin_reply_parse(struct strv text, struct reply *out)
{
	uint64_t code = 0;
	struct strv rest = strv_skip(text, REPLY_CODE_DIGITS);

	if (strv_to_u64(strv_head(text, REPLY_CODE_DIGITS), 599, &code) != 0 ||
	    code < 200 || (code >= 300 && code < 400))
		return QE_SYNTAX;
	if (rest.len > 0 && rest.ptr[0] != ' ' && rest.ptr[0] != '-')
		return QE_SYNTAX;
	*out = reply_makef((int)code, NULL, STRV_FMT,
	    STRV_ARG(strv_trim_blanks(strv_skip(rest, 1))));
	out->close = code == 421;
	return 0;
}

struct strv
plugin_variable(struct strv argument, struct strv *value)
{
	bool found;

	*value = argument;
	return strv_cut(value, '=', &found);
}

/* What a shell takes for the name of a variable. */
static bool
is_name(struct strv name)
{
	if (name.len == 0 || ascii_is_digit(name.ptr[0]))
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (!ascii_is_alpha(name.ptr[i]) &&
		    !ascii_is_digit(name.ptr[i]) && name.ptr[i] != '_')
			return false;
	return true;
}

static bool
is_assignment(struct strv argument)
{
	struct strv value;

	return strv_find(argument, '=') != STRV_NPOS &&
	       argument.len <= PLUGIN_VARIABLE_MAX &&
	       is_name(plugin_variable(argument, &value));
}

/* A field of a header, with nothing in it that another host might mend. */
static bool
is_header(struct strv field)
{
	if (field.len > PLUGIN_HEADER_MAX || header_field_name(field).len == 0)
		return false;
	for (size_t i = 0; i < field.len; i++) {
		unsigned char c = (unsigned char)field.ptr[i];

		if ((c < ' ' && c != '\t') || c == 127)
			return false;
	}
	return true;
}

static bool
is_later(const struct plugin_command *c)
{
	struct reply reply;

	return plugin_reply_parse(c->argument, &reply) == 0 &&
	       reply.code >= 400;
}

/* Is that an argument for the verb? */
static bool
fits(const struct plugin_command *c, enum plugin_stage stage)
{
	struct reply reply;

	switch (c->verb) {
	case PLUGIN_ACCEPT:
	case PLUGIN_NEXT:
	case PLUGIN_OK:
	case PLUGIN_DROP:
		return c->argument.len == 0;
	case PLUGIN_ERROR:
	case PLUGIN_REJECT:
	case PLUGIN_PRINT:
		return plugin_reply_parse(c->argument, &reply) == 0;
	case PLUGIN_LATER:
		return is_later(c);
	case PLUGIN_SET:
		return is_assignment(c->argument);
	case PLUGIN_UNSET:
		return is_name(c->argument);
	case PLUGIN_HEADER:
		return is_header(c->argument);
	case PLUGIN_CHANGE:
		return (stage == PLUGIN_MAIL || stage == PLUGIN_RCPT) &&
		       c->argument.len <= PLUGIN_ADDRESS_MAX &&
		       (c->argument.len > 0 || stage == PLUGIN_MAIL) &&
		       !address_is_poisoned(c->argument);
	}
	return false;
}

/* The letter of the line, and for L the second one: false if it is none. */
static bool
take_verb(struct strv line, struct plugin_command *out)
{
	static const char verbs[] = "ANOELRDSUHCP";

	if (strv_find(STRV(verbs), line.ptr[0]) == STRV_NPOS)
		return false;
	out->verb = (enum plugin_verb)line.ptr[0];
	out->argument = strv_skip(line, 1);
	if (out->verb != PLUGIN_LATER)
		return true;
	if (out->argument.len == 0)
		return false;
	switch (out->argument.ptr[0]) {
	case 'M':
		out->until = PLUGIN_MAIL;
		break;
	case 'R':
		out->until = PLUGIN_RCPT;
		break;
	case 'D':
		out->until = PLUGIN_DATA;
		break;
	default:
		return false;
	}
	out->argument = strv_skip(out->argument, 1);
	return true;
}

int
plugin_command_next(struct strv *rest, enum plugin_stage stage,
    struct plugin_command *out, struct strv *line)
{
	bool ended;

	do {
		if (rest->len == 0)
			return QE_EOF;
		*line = strv_cut(rest, '\n', &ended);
		if (line->len > 0 && line->ptr[line->len - 1] == '\r')
			line->len--;
	} while (line->len == 0 && ended);
	*out = (struct plugin_command){ .until = stage };
	/* Without its end it may be half of what the plugin meant. */
	if (!ended || strv_find(*line, '\0') != STRV_NPOS ||
	    !take_verb(*line, out) || !fits(out, stage))
		return QE_SYNTAX;
	return 0;
}
