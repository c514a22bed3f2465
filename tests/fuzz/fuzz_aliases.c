/* mail/aliases: a file that packages and people write. */
#include "base/error.h"
#include "fuzz.h"
#include "mail/aliases.h"

static void
take_values(struct strv rest)
{
	struct buf text = BUF_INIT;
	enum alias_kind kind;

	for (;;) {
		size_t before = rest.len;
		int r = aliases_value(&rest, &kind, &text);

		if (r == QE_EOF || r == QE_NOMEM)
			break;
		require(rest.len < before);
		if (r != 0)
			continue;
		require(text.len > 0 && text.len <= ALIASES_VALUE_MAX);
		require(strv_find(buf_view(&text), '\n') == STRV_NPOS);
	}
	buf_free(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strv in = fuzz_input(data, size);
	struct aliases a;
	size_t line = 0;
	int r;

	take_values(in);
	aliases_init(&a, in);
	while ((r = aliases_next(&a)) == 0) {
		require(a.line > line);
		line = a.line;
		require(a.name.len > 0 && a.name.len <= ALIASES_NAME_MAX);
		require(strv_find(buf_view(&a.values), '\n') == STRV_NPOS);
		take_values(buf_view(&a.values));
	}
	require(r == QE_EOF || r == QE_SYNTAX || r == QE_NOMEM);
	aliases_free(&a);
	return 0;
}
