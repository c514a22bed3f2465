/* smtp/plugin_output: whatever a plugin prints. */
#include "base/error.h"
#include "fuzz.h"
#include "smtp/plugin_output.h"

static void
check(const struct plugin_command *c)
{
	struct reply reply;
	struct buf out = BUF_INIT;

	require(strv_find(c->argument, '\n') == STRV_NPOS);
	require(strv_find(c->argument, '\0') == STRV_NPOS);
	switch (c->verb) {
	case PLUGIN_ERROR:
	case PLUGIN_REJECT:
	case PLUGIN_PRINT:
	case PLUGIN_LATER:
		/* One line, whatever is in it. */
		require(plugin_reply_parse(c->argument, &reply) == 0);
		reply_add(&out, &reply);
		require(out.err == 0);
		require(strv_find(buf_view(&out), '\n') == out.len - 1);
		require(strv_find(buf_view(&out), '\r') == out.len - 2);
		break;
	case PLUGIN_HEADER:
		require(strv_find(c->argument, '\r') == STRV_NPOS);
		break;
	default:
		break;
	}
	buf_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strv in = fuzz_input(data, size);
	enum plugin_stage stage =
	    (enum plugin_stage)(fuzz_take(&in) % PLUGIN_STAGES);
	struct plugin_command command;
	struct strv line = STRV_EMPTY;
	size_t before = in.len + 1;
	int r;

	while ((r = plugin_command_next(&in, stage, &command, &line)) == 0) {
		require(in.len < before);
		before = in.len;
		check(&command);
	}
	require(r == QE_EOF || r == QE_SYNTAX);
	return 0;
}
