/* smtp/plugin_config: whatever stands in control/smtpplugins. */
#include "base/error.h"
#include "fuzz.h"
#include "smtp/plugin_config.h"

#include <string.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct plugin_config config = { .items = NULL };
	struct control_error err = { .text = "" };
	size_t sum = 0;
	int r = plugin_config_parse(fuzz_input(data, size), &config, &err);

	require(
	    r == 0 || strncmp(err.text, "control/smtpplugins line ", 25) == 0);
	require(r == 0 || config.count == 0);
	require(config.count <= PLUGINS_MAX);
	for (size_t i = 0; i < config.count; i++) {
		require(config.items[i].argv[0] != NULL);
		require(config.items[i].argv[0][0] != '\0');
		require(config.items[i].stage < PLUGIN_STAGES);
	}
	for (int i = 0; i < PLUGIN_STAGES; i++)
		sum += config.of_stage[i];
	require(sum == config.count);
	plugin_config_free(&config);
	return 0;
}
