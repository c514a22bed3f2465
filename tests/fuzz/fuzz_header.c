/* mail/header: hops counted as the plain definition says, in any cutting. */
#include "fuzz.h"
#include "mail/header.h"

static size_t
count_plainly(struct strv in)
{
	size_t hops = 0;

	while (in.len > 0) {
		bool ended;
		struct strv line = strv_cut(&in, '\n', &ended);

		if (line.len == 0)
			break;
		hops += strv_starts_nocase(line, STRV("received")) ||
			strv_starts_nocase(line, STRV("delivered"));
	}
	return hops;
}

static void
check_line(struct strv line)
{
	struct strv name = header_field_name(line);
	struct strv value = header_field_value(line);

	require(name.len + value.len <= line.len);
	require(header_field_is(line, name) == (name.len > 0));
	if (name.len == 0)
		require(value.len == 0);
	else
		require(value.ptr + value.len == line.ptr + line.len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strv in = fuzz_input(data, size);
	size_t at = fuzz_cut(fuzz_take(&in), in);
	struct hop_counter h;

	hop_counter_init(&h);
	hop_counter_feed(&h, strv_head(in, at));
	hop_counter_feed(&h, strv_skip(in, at));
	require(h.hops == count_plainly(in));
	check_line(in);
	return 0;
}
