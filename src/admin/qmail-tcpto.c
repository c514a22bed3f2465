/*
 * qmail-tcpto: the addresses that timed out of late.
 * Reads queue/lock/tcpto of the home.
 */
#include "base/clock.h"
#include "base/die.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/io.h"
#include "base/program.h"
#include "spool/tcpto.h"

#include <errno.h>
#include <inttypes.h>

int
main(void)
{
	static const struct program program = { "qmail-tcpto", PROGRAM_HOME,
		077 };
	struct tcpto_record records[TCPTO_RECORDS];
	struct buf out = BUF_INIT;
	int64_t now;
	int r;

	program_begin(&program);
	r = tcpto_read(records);
	if (r != 0)
		die(EX_TEMPORARY, "unable to read queue/lock/tcpto: %s",
		    r == QE_ABSENT ? error_text(ENOENT) : error_result_text(r));
	now = clock_wall();
	for (size_t i = 0; i < TCPTO_RECORDS; i++) {
		const struct tcpto_record *t = &records[i];
		char ip[IPADDR_TEXT_MAX];

		if (t->count == 0)
			continue;
		ipaddr_format(&t->ip, ip);
		buf_addf(&out,
		    "%s timed out %" PRId64
		    " seconds ago; # recent timeouts: %u\n",
		    ip, now > t->when ? now - t->when : 0, t->count);
	}
	if (out.err != 0)
		die_nomem();
	if (io_write_all(1, out.data, out.len) != 0)
		die_errno(EX_TEMPORARY, "unable to write");
	buf_free(&out);
	return EX_SUCCESS;
}
