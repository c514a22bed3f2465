/* smtp/spamd: whatever a spam filter answers. */
#include "fuzz.h"
#include "smtp/spamd.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf tests = BUF_LIMIT(SPAMD_TESTS_MAX);
	struct buf out = BUF_INIT;
	struct spamd_result result;
	int score;

	if (spamd_parse(fuzz_input(data, size), &result, &tests) == 0) {
		require(result.score <= SPAMD_SCORE_MAX + 1000);
		require(result.score >= -SPAMD_SCORE_MAX - 1000);
		spamd_add_score(&out, result.score);
		require(out.err == 0 && tests.err == 0);
		for (size_t i = 0; i < tests.len; i++)
			require(tests.data[i] > ' ' && tests.data[i] < 127);
	}
	(void)spamd_parse_score(fuzz_input(data, size), &score);
	buf_free(&tests);
	buf_free(&out);
	return 0;
}
