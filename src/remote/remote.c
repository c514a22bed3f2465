/*
 * One errand after the other: the message is opened, dispatched and closed;
 * configuration, name service and session stay.
 */
#include "remote/remote.h"

#include "base/error.h"
#include "base/program.h"
#include "remote/dispatch.h"

#include <unistd.h>

enum {
	/* Finding a host takes no longer than connecting to it may take, nor
	 * longer than this. */
	LOOKUP_MS_MAX = 30000
};

static void
prepare(struct remote *remote)
{
	const struct config *config = &remote->config;
	int64_t connect_ms = config->timeout_connect * 1000;

	remote->real.servers = buf_view(&config->dnsservers);
	remote->real.timeout_ms =
	    connect_ms < LOOKUP_MS_MAX ? connect_ms : LOOKUP_MS_MAX;
	remote->names = names_real(&remote->real);
	remote->settings = (struct peer_settings){
		.helohost = buf_view(&config->helohost),
		.connect_ms = connect_ms,
		.remote_ms = config->timeout_remote * 1000,
		.log_fd = (int)config->log_fd,
	};
}

int
remote_init(struct remote *remote, struct report *report)
{
	struct control_error err = { .text = "" };
	int r;

	remote->config = (struct config){ .log_fd = 0 };
	remote->real = (struct real_names){ .dns = NULL };
	session_init(&remote->session);
	if (chdir(program_home()) < 0) {
		report_set(report, 'Z',
		    "Unable to switch to home directory. (#4.3.0)");
		return QE_SYS;
	}
	r = config_load(&remote->config, &err);
	if (r == QE_NOMEM)
		report_set(report, 'Z', "Out of memory. (#4.3.0)");
	else if (r < 0)
		report_set(report, 'Z',
		    "Unable to read control files. (#4.3.0)\n%s", err.text);
	if (r < 0)
		return r;
	prepare(remote);
	return 0;
}

void
remote_free(struct remote *remote)
{
	session_close(&remote->session);
	names_close(&remote->real);
	config_free(&remote->config);
}

void
remote_deliver(
    struct remote *remote, const struct errand *errand, struct report *report)
{
	struct message message;
	struct dispatch dispatch = { .config = &remote->config,
		.names = &remote->names,
		.settings = &remote->settings,
		.session = &remote->session,
		.message = &message,
		.report = report,
		.host = errand->host,
		.sender = errand->sender };
	int r = message_open(errand->fd, &message);

	if (r < 0) {
		report_set(report, 'Z', "%s",
		    r == QE_NOMEM ? "Out of memory. (#4.3.0)"
				  : "Unable to read message. (#4.3.0)");
		return;
	}
	/* The sender of double bounces is a name of the queue, not of SMTP:
	 * on the wire it is the null sender. */
	if (strv_eq(dispatch.sender, STRV("#@[]")))
		dispatch.sender = STRV_EMPTY;
	dispatch_run(&dispatch);
	if (!errand->keep || !session_is_usable(&remote->session))
		session_close(&remote->session);
	message_close(&message);
}
