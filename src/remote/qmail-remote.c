/*
 * qmail-remote host sender recipient ...: sends the message on descriptor 0
 * by SMTP and reports on descriptor 1 (qmail-remote(8)).  Always exits 0.
 *
 * Runs as qmailr below qmail-rspawn, which hands it the message's descriptor.
 * Reads control/ and queue/lock/tcpto of the home; writes tcpto only.  Says
 * nothing on descriptor 2, which is the report pipe too.
 */
#include "base/error.h"
#include "base/program.h"
#include "remote/dispatch.h"
#include "remote/names.h"

#include <string.h>
#include <unistd.h>

enum {
	ARGUMENTS_MIN = 3,
	/* Finding a host takes no longer than connecting to it may take, nor
	 * longer than this. */
	LOOKUP_MS_MAX = 30000
};

struct config {
	struct buf helohost, dnsservers;
	struct control_set smtproutes;
	int64_t timeout_connect, timeout_remote; /* seconds */
};

static void
config_free(struct config *config)
{
	buf_free(&config->helohost);
	buf_free(&config->dnsservers);
	control_set_free(&config->smtproutes);
}

/* A name that would break out of its command is no name. */
static bool
is_clean_name(struct strv name)
{
	for (size_t i = 0; i < name.len; i++)
		if ((unsigned char)name.ptr[i] <= ' ' || name.ptr[i] == 0x7f)
			return false;
	return name.len > 0;
}

static int
config_load(struct config *config)
{
	struct control_error err;
	int r = control_line(CTL_HELOHOST, &config->helohost, &err);

	if (r == 0 && !is_clean_name(buf_view(&config->helohost)))
		r = QE_SYNTAX;
	if (r == 0)
		r = control_int(
		    CTL_TIMEOUTCONNECT, &config->timeout_connect, &err);
	if (r == 0)
		r = control_int(
		    CTL_TIMEOUTREMOTE, &config->timeout_remote, &err);
	if (r == 0)
		r = control_line(CTL_DNSSERVERS, &config->dnsservers, &err);
	if (r == QE_ABSENT)
		r = config->helohost.len == 0 ? r : 0;
	if (r == 0)
		r = control_set_load(CTL_SMTPROUTES, &config->smtproutes, &err);
	return r;
}

static void
deliver(struct report *report, struct strv host, struct strv sender,
    const struct config *config)
{
	int64_t connect_ms = config->timeout_connect * 1000;
	struct real_names real = { .servers = buf_view(&config->dnsservers),
		.timeout_ms =
		    connect_ms < LOOKUP_MS_MAX ? connect_ms : LOOKUP_MS_MAX };
	struct names names = names_real(&real);
	struct peer_settings settings = { .helohost =
					      buf_view(&config->helohost),
		.connect_ms = connect_ms,
		.remote_ms = config->timeout_remote * 1000 };
	struct message message;
	struct dispatch dispatch = { .smtproutes = &config->smtproutes,
		.names = &names,
		.settings = &settings,
		.message = &message,
		.report = report,
		.host = host,
		.sender = sender };
	int r = message_open(0, &message);

	if (r < 0) {
		report_set(report, 'Z', "%s",
		    r == QE_NOMEM ? "Out of memory. (#4.3.0)"
				  : "Unable to read message. (#4.3.0)");
		return;
	}
	dispatch_run(&dispatch);
	message_close(&message);
	names_close(&real);
}

static void
run(struct report *report, char **argv)
{
	struct config config = { .helohost = BUF_INIT };
	struct strv sender = strv_of(argv[2]);
	int r;

	/* The sender of double bounces is a name of the queue, not of SMTP:
	 * on the wire it is the null sender. */
	if (strv_eq(sender, STRV("#@[]")))
		sender = STRV_EMPTY;
	if (chdir(program_home()) < 0) {
		report_set(report, 'Z',
		    "Unable to switch to home directory. (#4.3.0)");
		return;
	}
	r = config_load(&config);
	if (r == 0)
		deliver(report, strv_of(argv[1]), sender, &config);
	else
		report_set(report, 'Z', "%s",
		    r == QE_NOMEM ? "Out of memory. (#4.3.0)"
				  : "Unable to read control files. (#4.3.0)");
	config_free(&config);
}

int
main(int argc, char **argv)
{
	static const struct program program = { .name = "qmail-remote",
		.flags = PROGRAM_FD0 | PROGRAM_FD1,
		.umask = 022 };
	static const char nomem[] = "ZOut of memory. (#4.3.0)\n";
	struct report report;
	size_t recipients =
	    argc > ARGUMENTS_MIN ? (size_t)argc - ARGUMENTS_MIN : 0;
	int r;

	program_begin(&program);
	r = report_init(&report, argv + ARGUMENTS_MIN, recipients);
	if (r == 0) {
		if (recipients == 0)
			report_set(&report, 'D',
			    "I (qmail-remote) was invoked improperly. "
			    "(#5.3.5)");
		else
			run(&report, argv);
		r = report_write(&report, 1);
		report_free(&report);
	}
	/* With its NUL; a lost report means a lost reader. */
	if (r == QE_NOMEM && write(1, nomem, sizeof(nomem)) < 0)
		return 0;
	return 0;
}
