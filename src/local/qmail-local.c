/*
 * qmail-local: delivers one message to one local address.
 *
 * Runs as the user, in the user's home, with the message on descriptor 0; what
 * it says on 1 and 2 becomes the delivery's report.  Reads .qmail files,
 * writes Maildirs and mboxes, runs the user's programs, forwards through
 * qmail-queue.  Linked statically: nothing here asks the name service.
 */
#include "base/clock.h"
#include "base/die.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/io.h"
#include "base/options.h"
#include "base/program.h"
#include "conf/mailbox.h"
#include "local/deliver.h"
#include "local/loop.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ARGUMENTS = 8, MESSAGE_FD = 0 };

static const struct program program = {
	.name = "qmail-local", .flags = PROGRAM_FD0 | PROGRAM_FD1, .umask = 077
};

static _Noreturn void
usage(void)
{
	die_usage("qmail-local [ -nN ] user homedir local dash ext domain "
		  "sender aliasempty");
}

static void
read_arguments(int argc, char **argv, struct local_mail *mail, bool *dry_run)
{
	struct options options;
	char **words;
	int letter;

	*dry_run = false;
	options_init(&options, argc, argv, "nN");
	while ((letter = options_next(&options)) >= 0) {
		if (letter == '?')
			usage();
		*dry_run = letter == 'n';
	}
	if (argc - options.index != ARGUMENTS)
		usage();
	words = argv + options.index;
	*mail = (struct local_mail){ .user = words[0],
		.home = words[1],
		.local = words[2],
		.dash = words[3],
		.ext = words[4],
		.domain = words[5],
		.sender = words[6],
		.default_delivery = words[7] };
	if (mail->home[0] != '/')
		usage();
}

/* Goes home and looks whether mail may be delivered there now. */
static int
enter_home(struct delivery *d)
{
	enum mailbox_home home;
	struct stat st;

	if (chdir(d->mail->home) < 0)
		return delivery_fail(d, EX_TEMPORARY,
		    "Unable to switch to %s: %s. (#4.3.0)", d->mail->home,
		    error_text(errno));
	if (stat(".", &st) < 0)
		return delivery_fail(d, EX_TEMPORARY,
		    "Unable to stat home directory: %s. (#4.3.0)",
		    error_text(errno));
	home = mailbox_judge_home(&st);
	if (home == MAILBOX_HOME_WRITABLE)
		return delivery_fail(d, EX_TEMPORARY,
		    "Uh-oh: home directory is writable. (#4.7.0)");
	if (home == MAILBOX_HOME_GOOD)
		return 0;
	if (!d->dry_run)
		return delivery_fail(d, EX_TEMPORARY,
		    "Home directory is sticky: user is editing his .qmail "
		    "file. (#4.2.1)");
	delivery_fail(d, 0, "Warning: home directory is sticky.");
	return 0;
}

static int
refuse_loop(struct delivery *d)
{
	bool found;

	if (loop_find(d->message_fd, buf_view(&d->lines->delivered), &found) !=
	    0) {
		if (errno == ESPIPE)
			return delivery_fail(d, EX_TEMPORARY,
			    "Unable to rewind message. (#4.3.0)");
		return delivery_fail(d, EX_TEMPORARY,
		    "Unable to read message: %s. (#4.3.0)", error_text(errno));
	}
	if (!found)
		return 0;
	return delivery_fail(d, EX_PERMANENT,
	    "This message is looping: it already has my Delivered-To line. "
	    "(#5.4.6)");
}

/* Finds the instructions and carries them out. */
static int
deliver(struct delivery *d, struct local_mail *mail)
{
	struct dot_qmail file;
	struct strv instructions = strv_of(mail->default_delivery);
	int r = dot_qmail_find(mail->dash, mail->ext, &file);

	if (r != 0)
		return delivery_fail_file(d, r, buf_cstr(&file.name));
	if (!file.found && *mail->dash != '\0')
		return delivery_fail(d, EX_PERMANENT,
		    "Sorry, no mailbox here by that name. (#5.1.1)");
	mail->remainder = file.remainder;
	if (file.text.len > 0) {
		instructions = buf_view(&file.text);
		d->forward_only = file.forward_only;
	}
	r = delivery_run(d, instructions);
	dot_qmail_clear(&file);
	return r;
}

static int
run(struct delivery *d, struct local_mail *mail, struct local_lines *lines)
{
	int r = enter_home(d);

	if (r == 0 && local_lines_make(lines, mail, clock_wall()) != 0)
		r = delivery_fail(d, EX_TEMPORARY, "Out of memory. (#4.3.0)");
	if (r == 0 && !d->dry_run)
		r = refuse_loop(d);
	return r == 0 ? deliver(d, mail) : r;
}

int
main(int argc, char **argv)
{
	struct local_mail mail;
	struct local_lines lines;
	struct delivery d;
	bool dry_run;
	int code;

	program_begin(&program);
	read_arguments(argc, argv, &mail, &dry_run);
	delivery_init(&d, &mail, &lines, MESSAGE_FD);
	d.dry_run = dry_run;
	code = run(&d, &mail, &lines);
	if (d.report.err != 0 && code == 0)
		d.report.len = 0; /* delivered all the same */
	/* Nobody may be there to hear it: no reason to deliver twice. */
	if (d.complaint.len > 0 &&
	    io_write_all(2, d.complaint.data, d.complaint.len) != 0)
		errno = 0;
	if ((code == 0 || dry_run) && d.report.len > 0 &&
	    io_write_all(1, d.report.data, d.report.len) != 0)
		errno = 0;
	return code;
}
