/*
 * spool/remote_link: whatever arrives, views stay inside the packet, and what
 * parses is written back byte for byte.
 */
#include "fuzz.h"
#include "spool/remote_link.h"

static void
check_job(struct strv packet)
{
	struct buf back = BUF_INIT;
	struct remote_job job;

	if (remote_link_parse_job(packet, &job) != 0)
		return;
	require(job.count > 0 && job.count <= REMOTE_LINK_RECIPIENTS_MAX);
	remote_link_add_job(&back, job.host, job.sender);
	for (size_t i = 0; i < job.count; i++)
		remote_link_add_text(
		    &back, strv_cut(&job.recipients, '\0', NULL));
	require(strv_eq(buf_view(&back), packet));
	buf_free(&back);
}

static void
check_results(struct strv rest)
{
	struct buf back = BUF_INIT;
	struct strv text, whole = rest;
	unsigned number;

	while (remote_link_next_result(&rest, &number, &text) == 0)
		remote_link_add_result(&back, number, text);
	require(
	    strv_eq(buf_view(&back), strv_head(whole, whole.len - rest.len)));
	buf_free(&back);
}

static void
check_via(struct strv packet, struct strv exchanger)
{
	struct buf back = BUF_INIT;

	remote_link_add_via(&back, exchanger);
	require(strv_eq(buf_view(&back), packet));
	buf_free(&back);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strv packet = fuzz_input(data, size), exchanger, results;
	bool is_open;

	check_job(packet);
	if (remote_link_parse_end(packet, &is_open, &exchanger, &results) == 0)
		check_results(results);
	if (remote_link_parse_via(packet, &exchanger) == 0)
		check_via(packet, exchanger);
	check_results(packet);
	return 0;
}
