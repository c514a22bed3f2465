/* smtp/verb: command lines and parameters; every step makes progress. */
#include "base/error.h"
#include "fuzz.h"
#include "smtp/verb.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strv in = fuzz_input(data, size);
	struct verb_line v = verb_split(in);
	struct strv rest = v.argument;
	struct strv key, value;

	require(v.verb.len + v.argument.len <= in.len);
	for (;;) {
		size_t before = rest.len;
		int r = esmtp_parameter_next(&rest, &key, &value);

		if (r != 0) {
			require(r == QE_EOF || r == QE_SYNTAX);
			require(rest.len == before);
			return 0;
		}
		require(rest.len < before && key.len > 0);
		require(key.len + value.len <= before);
	}
}
