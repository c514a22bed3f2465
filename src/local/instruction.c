/*
 * Single delivery instructions: Maildir, mbox, program, forwards; and their
 * failures in words.
 */
#include "local/instruction.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/io.h"
#include "base/spawn.h"
#include "conf/mailbox.h"
#include "local/forwarding.h"
#include "mail/maildir.h"
#include "mail/mbox.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static int
out_of_memory(struct delivery *d)
{
	return delivery_fail(d, EX_TEMPORARY, "Out of memory. (#4.3.0)");
}

/* A C string that lives until the next instruction; NULL: out of memory. */
static const char *
instruction_text(struct delivery *d, struct strv text)
{
	buf_reset(&d->scratch);
	buf_add_view(&d->scratch, text);
	return buf_cstr(&d->scratch);
}

/*
 * A file system that hangs must not keep a delivery for ever.  What is left in
 * tmp/ then nobody reads.
 */
static void
on_alarm(int signal_number)
{
	static const char text[] = "Timeout on maildir delivery. (#4.3.0)\n";

	(void)signal_number;
	if (write(2, text, sizeof(text) - 1) < 0)
		_exit(EX_TEMPORARY);
	_exit(EX_TEMPORARY);
}

static void
begin_file(void)
{
	struct sigaction action = { .sa_handler = on_alarm };

	sigemptyset(&action.sa_mask);
	sigaction(SIGALRM, &action, NULL);
	alarm(INSTRUCTION_FILE_SECONDS);
}

int
instruction_maildir(struct delivery *d, struct strv path)
{
	const char *dir = instruction_text(d, path);
	struct buf prefix = BUF_INIT;
	enum maildir_result result;

	buf_add_view(&prefix, buf_view(&d->lines->return_path));
	buf_add_view(&prefix, buf_view(&d->lines->delivered));
	if (dir == NULL || prefix.err != 0)
		return out_of_memory(d);
	begin_file();
	result = maildir_deliver(dir, buf_view(&prefix), d->message_fd);
	alarm(0);
	buf_free(&prefix);
	switch (result) {
	case MAILDIR_OK:
		return 0;
	case MAILDIR_CHDIR:
		return delivery_fail(
		    d, EX_TEMPORARY, "Unable to chdir to maildir. (#4.2.1)");
	case MAILDIR_TIMEOUT:
		return delivery_fail(
		    d, EX_TEMPORARY, "Timeout on maildir delivery. (#4.3.0)");
	case MAILDIR_READ:
		return delivery_fail(
		    d, EX_TEMPORARY, "Unable to read message. (#4.3.0)");
	case MAILDIR_WRITE:
		break;
	case MAILDIR_QUOTA:
		return delivery_fail(d, EX_PERMANENT,
		    "Disk quota exceeded on maildir delivery. (#5.2.2)");
	case MAILDIR_FULL:
		return delivery_fail(d, EX_PERMANENT,
		    "Mailbox is full: its quota is used up. (#5.2.2)");
	case MAILDIR_BAD_QUOTA:
		return delivery_fail(d, EX_TEMPORARY,
		    "Unable to understand the quota in maildirsize. (#4.2.1)");
	}
	return delivery_fail(
	    d, EX_TEMPORARY, "Temporary error on maildir delivery. (#4.3.0)");
}

static int
mbox_failure(struct delivery *d, enum mbox_result result, const char *path)
{
	const char *reason = error_text(errno);

	switch (result) {
	case MBOX_OK:
		return 0;
	case MBOX_OPEN:
		return delivery_fail(d, EX_TEMPORARY,
		    "Unable to open %s: %s. (#4.2.1)", path, reason);
	case MBOX_LOCK:
		return delivery_fail(d, EX_TEMPORARY,
		    "File has been locked for 30 seconds straight. (#4.3.0)");
	case MBOX_READ:
		return delivery_fail(d, EX_TEMPORARY,
		    "Unable to read message: %s. (#4.3.0)", reason);
	case MBOX_WRITE:
		break;
	case MBOX_QUOTA:
		return delivery_fail(d, EX_PERMANENT,
		    "Unable to write %s: %s. (#5.2.2)", path, reason);
	}
	return delivery_fail(
	    d, EX_TEMPORARY, "Unable to write %s: %s. (#4.3.0)", path, reason);
}

int
instruction_mbox(struct delivery *d, struct strv path)
{
	const char *file = instruction_text(d, path);
	struct buf prefix = BUF_INIT;
	enum mbox_result result;
	int r;

	buf_add_view(&prefix, buf_view(&d->lines->from));
	buf_add_view(&prefix, buf_view(&d->lines->return_path));
	buf_add_view(&prefix, buf_view(&d->lines->delivered));
	if (file == NULL || prefix.err != 0)
		return out_of_memory(d);
	begin_file();
	result = mbox_deliver(file, buf_view(&prefix), d->message_fd);
	alarm(0);
	r = mbox_failure(d, result, file);
	buf_free(&prefix);
	return r;
}

/*
 * Adds suffix to the name of the address's .qmail file: 1 it exists, 0 it does
 * not, or a failure.
 */
static int
owner_file_exists(struct delivery *d, const char *suffix)
{
	const char *name;
	struct stat st;

	buf_reset(&d->scratch);
	mailbox_add_name(&d->scratch, d->mail->dash, strv_of(d->mail->ext));
	buf_add_str(&d->scratch, suffix);
	name = buf_cstr(&d->scratch);
	if (name == NULL)
		return out_of_memory(d);
	if (stat(name, &st) == 0)
		return S_ISREG(st.st_mode) ? 1 : 0;
	if (!mailbox_error_is_temporary(errno))
		return 0;
	return delivery_fail(d, EX_TEMPORARY, "Unable to open %s: %s. (#4.3.0)",
	    name, error_text(errno));
}

/* The sender of whatever leaves from here: bounces go to the list's owner. */
static int
find_new_sender(struct delivery *d)
{
	const struct local_mail *mail = d->mail;
	bool is_bounce = *mail->sender == '\0' ||
			 strv_eq(strv_of(mail->sender), STRV("#@[]"));
	int owner = is_bounce ? 0 : owner_file_exists(d, "-owner");
	int many = owner == 1 ? owner_file_exists(d, "-owner-default") : 0;

	if (owner > 1)
		return owner;
	if (many > 1)
		return many;
	if (owner == 0)
		buf_add_str(&d->new_sender, mail->sender);
	else
		buf_addf(&d->new_sender,
		    many == 1 ? "%s-owner-@%s-@[]" : "%s-owner@%s", mail->local,
		    mail->domain);
	return buf_cstr(&d->new_sender) == NULL ? out_of_memory(d) : 0;
}

/* Once, and only for deliveries that start a program of any kind. */
static int
prepare_environment(struct delivery *d)
{
	int r;

	if (d->environment_set)
		return 0;
	r = find_new_sender(d);
	if (r != 0)
		return r;
	if (local_environment_set(
		d->mail, d->lines, buf_cstr(&d->new_sender)) != 0)
		return out_of_memory(d);
	d->environment_set = true;
	return 0;
}

static int
rewind_message(struct delivery *d)
{
	if (lseek(d->message_fd, 0, SEEK_SET) == 0)
		return 0;
	return delivery_fail(
	    d, EX_TEMPORARY, "Unable to rewind message. (#4.3.0)");
}

int
instruction_program_verdict(int exit_code)
{
	switch (exit_code) {
	case EX_SUCCESS:
	case EX_SKIP_REST:
		return exit_code;
	case EX_PERMANENT:
	case 64: /* usage */
	case 65: /* data */
	case 70: /* software */
	case 76: /* protocol */
	case 77: /* permission */
	case 78: /* configuration */
	case QL_LSPAWN_BUG:
		return EX_PERMANENT;
	default:
		return EX_TEMPORARY;
	}
}

/* 0 and the program's exit code, or a failure. */
static int
run_shell(struct delivery *d, char *const *argv, int *code)
{
	volatile int start_error = 0;
	const struct spawn s = {
		.path = argv[0],
		.argv = argv,
		.fds = {d->message_fd, 1, 2},
		.fd_count = 3,
		.start_error = &start_error
	};
	int status;
	pid_t pid;

	if (spawn_program(&s, &pid) != 0)
		return delivery_fail(d, EX_TEMPORARY,
		    "Unable to fork: %s. (#4.3.0)", error_text(errno));
	if (spawn_wait(pid, &status) != 0)
		return delivery_fail(
		    d, EX_TEMPORARY, "Aack, child crashed. (#4.3.0)");
	if (start_error != 0)
		return delivery_fail(d, EX_TEMPORARY,
		    "Unable to run /bin/sh: %s. (#4.3.0)",
		    error_text(start_error));
	*code = spawn_exit_code(status);
	if (*code < 0)
		return delivery_fail(
		    d, EX_TEMPORARY, "Aack, child crashed. (#4.3.0)");
	return 0;
}

static int
run_command(struct delivery *d, struct strv command, int *code)
{
	const char *words[] = { "/bin/sh", "-c", NULL, NULL };
	char **argv;
	int r = prepare_environment(d);

	if (r == 0)
		r = rewind_message(d);
	if (r != 0)
		return r;
	words[2] = instruction_text(d, command);
	argv = words[2] == NULL ? NULL : spawn_argv(words);
	if (argv == NULL)
		return out_of_memory(d);
	r = run_shell(d, argv, code);
	free(argv);
	return r;
}

int
instruction_program(struct delivery *d, struct strv command)
{
	int code;
	int r = run_command(d, command, &code);

	return r == 0 ? instruction_program_verdict(code) : r;
}

int
instruction_condition(struct delivery *d, struct strv command)
{
	int code;
	int r = run_command(d, command, &code);

	if (r != 0)
		return r;
	return code == INSTRUCTION_NO ? INSTRUCTION_NO
				      : instruction_program_verdict(code);
}

int
instruction_forward_all(struct delivery *d)
{
	struct forwarding f = { .delivered = buf_view(&d->lines->delivered),
		.recipients = buf_view(&d->recipients) };
	struct forwarding_outcome out;
	int r =
	    d->recipients.err != 0 ? out_of_memory(d) : prepare_environment(d);

	if (r == 0)
		r = rewind_message(d);
	if (r != 0)
		return r;
	f.sender = buf_view(&d->new_sender);
	r = forwarding_send(&f, d->message_fd, &out);
	if (r == QE_SYS)
		return delivery_fail(d, EX_TEMPORARY,
		    "Unable to fork: %s. (#4.3.0)", error_text(errno));
	if (r != 0)
		return delivery_fail(d, EX_TEMPORARY,
		    "Unable to read message: %s. (#4.3.0)", error_text(errno));
	if (!out.result.ok)
		return delivery_fail(d,
		    out.result.permanent ? EX_PERMANENT : EX_TEMPORARY,
		    "Unable to forward message: %s.", out.result.text);
	buf_addf(&d->report, "qp %ld\n", (long)out.pid);
	return 0;
}
