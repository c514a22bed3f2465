/* conf/control: lists and maps; every entry is found by its key. */
#include "base/error.h"
#include "conf/control.h"
#include "fuzz.h"

#include <string.h>

static void
check_kind(struct strv in, enum control_kind kind)
{
	struct control_set set;
	struct control_error err = { "" };
	int r = control_set_parse(in, kind, "control/fuzz", &set, &err);

	if (r != 0) {
		require(err.text[0] != '\0');
		require(memchr(err.text, '\0', sizeof(err.text)) != NULL);
		return;
	}
	for (size_t i = 0; i < set.count; i++) {
		const struct control_entry *e = &set.entries[i];

		require(control_set_find(&set, e->key) == e);
		require(kind == CT_MAP || e->key.len > 0);
		require(e->line > 0);
	}
	control_set_free(&set);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strv in = fuzz_input(data, size);

	check_kind(in, CT_LIST);
	check_kind(in, CT_MAP);
	return 0;
}
