/*
 * Reports: the tables of exit codes, and the reading of qmail-remote's
 * records.  Children are foreign programs: any byte may come from them.
 */
#include "send/spawner_report.h"
#include "base/exitcode.h"

/* Exit codes that the child cannot explain itself; NULL: its words count. */
static const char *
local_fixed_text(int exit_code)
{
	switch (exit_code) {
	case -1:
		return "Zqmail-local crashed.\n";
	case QL_LSPAWN_BUG:
		return "ZInternal qmail-lspawn bug.\n";
	case QL_ROOT:
		return "ZNot allowed to perform deliveries as root.\n";
	case QL_NFS:
		return "ZNFS failure in qmail-local.\n";
	case QL_NO_ALIAS:
		return "ZUnable to find alias user!\n";
	case QL_CDB:
		return "ZTrouble reading users/cdb in qmail-lspawn.\n";
	case QL_LSPAWN_TEMP:
		return "ZTemporary failure in qmail-lspawn.\n";
	case QL_LSPAWN_NOMEM:
		return "ZOut of memory in qmail-lspawn.\n";
	case QL_EXEC_TEMP:
		return "ZUnable to run qmail-local.\n";
	case QL_EXEC_PERM:
		return "DUnable to run qmail-local.\n";
	case QL_GETPW:
		return "ZUnable to run qmail-getpw.\n";
	default:
		return NULL;
	}
}

static char
local_letter(int exit_code)
{
	switch (exit_code) {
	case EX_SUCCESS:
		return 'K';
	case EX_TEMPORARY:
	case 71: /* system error */
	case 74: /* input or output error */
	case 75: /* try again */
		return 'Z';
	default:
		return 'D';
	}
}

void
spawner_report_local(const struct spawner_child *child, struct buf *out)
{
	const char *fixed = local_fixed_text(child->exit_code);
	struct strv output = child->output;
	bool ended = false;

	if (fixed != NULL) {
		buf_add_str(out, fixed);
		return;
	}
	buf_add_char(out, local_letter(child->exit_code));
	buf_add_view(out, strv_cut(&output, '\0', &ended));
	if (child->cut && !ended)
		buf_add_str(out, "\nError report too long, sorry.\n");
}

/* How good a verdict is: D < Z < K; 0 for anything else. */
static int
rank(char letter)
{
	return letter == 'K' ? 3 : letter == 'Z' ? 2 : letter == 'D' ? 1 : 0;
}

/* Takes a record with its NUL off *rest; false if there is none. */
static bool
next_record(struct strv *rest, struct strv *record)
{
	bool ended;

	*record = strv_cut(rest, '\0', &ended);
	return ended;
}

/* The letter of the first record that is a verdict; 0: none. */
static char
message_letter(struct strv rest)
{
	struct strv record;

	while (next_record(&rest, &record))
		if (record.len > 0 && rank(record.ptr[0]) > 0)
			return record.ptr[0];
	return 0;
}

static void
add_remote_text(struct strv output, char message, char result, struct buf *out)
{
	struct strv rest = output, record;

	if (!next_record(&rest, &record))
		return;
	buf_add_view(out, strv_head(strv_skip(record, 1), SPAWNER_REPORT_MAX));
	if (!next_record(&rest, &record) || record.len == 0 ||
	    rank(record.ptr[0]) == 0 || rank(message) > rank(result))
		return;
	buf_add_view(out, strv_skip(record, 1));
}

static void
report_remote_output(const struct spawner_child *child, struct buf *out)
{
	char message = message_letter(child->output);
	size_t start = out->len;
	char result;

	if (message == 0)
		/* The verdict may be in what was cut: not for us to bounce. */
		message = child->cut ? 'Z' : 'D';
	result = child->output.ptr[0] == 's'   ? 'Z'
		 : child->output.ptr[0] == 'h' ? 'D'
					       : message;
	buf_add_char(out, result);
	add_remote_text(child->output, message, result, out);
	if (out->err == 0 && out->len - start > SPAWNER_REPORT_MAX) {
		buf_truncate(out, start + SPAWNER_REPORT_MAX);
		buf_add_str(out, "\nError report too long, sorry.\n");
	}
}

void
spawner_report_remote(const struct spawner_child *child, struct buf *out)
{
	if (child->exit_code < 0)
		buf_add_str(out, "Zqmail-remote crashed.\n");
	else if (child->exit_code == EX_TEMPORARY)
		buf_add_str(out, "ZUnable to run qmail-remote.\n");
	else if (child->exit_code != EX_SUCCESS)
		buf_add_str(out, "DUnable to run qmail-remote.\n");
	else if (child->output.len == 0)
		buf_add_str(out, "Zqmail-remote produced no output.\n");
	else
		report_remote_output(child, out);
}
