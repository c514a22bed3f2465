/* send/spawn_link: reports are the same in every cutting, and bounded. */
#include "fuzz.h"
#include "send/spawn_link.c"

static struct buf
reports(struct strv in, unsigned number_bytes, size_t piece)
{
	static struct spawn_report report;
	struct buf out = BUF_LIMIT(1 << 22);

	report.number_bytes = number_bytes;
	spawn_report_reset(&report);
	while (in.len > 0) {
		bool complete;
		size_t used =
		    spawn_report_feed(&report, strv_head(in, piece), &complete);

		require(used > 0 && used <= in.len);
		require(report.len < SPAWN_REPORT_MAX);
		in = strv_skip(in, used);
		if (!complete)
			continue;
		buf_addf(&out, "%u:", report.number);
		buf_add(&out, report.text, report.len);
		buf_add_char(&out, '\0');
		spawn_report_reset(&report);
	}
	return out;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strv in = fuzz_input(data, size);
	unsigned steer = fuzz_take(&in);
	unsigned number_bytes = 1 + (steer & 1);
	struct buf whole = reports(in, number_bytes, in.len + 1);
	struct buf pieces = reports(in, number_bytes, 1 + steer / 2);

	require(strv_eq(buf_view(&whole), buf_view(&pieces)));
	buf_free(&whole);
	buf_free(&pieces);
	return 0;
}
