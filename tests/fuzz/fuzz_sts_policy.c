/* smtp/sts_policy: policies, records and files that strangers wrote. */
#include "fuzz.h"
#include "smtp/sts_policy.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strv in = fuzz_input(data, size);
	struct sts_policy policy;
	struct sts_file file;
	struct strv id;

	if (sts_policy_parse(in, &policy) == 0) {
		require(policy.max_age >= 0 && policy.max_age <= STS_AGE_MAX);
		require(policy.mode == STS_NONE || policy.mx_count > 0);
		require(!sts_policy_allows(&policy, STRV_EMPTY));
		for (size_t i = 0; i < policy.mx_count; i++)
			require(policy.mx[i].ptr[0] == '*' ||
				sts_policy_allows(&policy, policy.mx[i]));
	}
	if (sts_record_parse(in, &id) == 0)
		require(id.len > 0 && id.len <= STS_ID_MAX);
	if (sts_file_parse(in, &file) == 0)
		require(file.fetched == 0 || file.id.len > 0);
	if (sts_is_domain(in))
		require(in.ptr[0] != '.' && strv_find(in, '/') == STRV_NPOS);
	return 0;
}
