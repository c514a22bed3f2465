/*
 * The control files of qmail-remote.  A file that cannot be read or makes no
 * sense stops the delivery for now; it never becomes a default.
 */
#include "remote/config.h"

#include "base/error.h"
#include "conf/control_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { REPORT_FD = 2 }; /* what is below is the message or the report */

void
config_free(struct config *config)
{
	struct buf *passwords = &config->smtprelays.bytes;

	if (passwords->data != NULL)
		explicit_bzero(passwords->data, passwords->len);
	control_set_free(&config->smtprelays);
	control_set_free(&config->smtproutes);
	control_set_free(&config->qmtproutes);
	control_set_free(&config->outgoingip);
	control_set_free(&config->tlsremote);
	buf_free(&config->helohost);
	buf_free(&config->dnsservers);
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
load_helohost(struct config *config, struct control_error *err)
{
	int r = control_line(CTL_HELOHOST, &config->helohost, err);

	if (r < 0 || is_clean_name(buf_view(&config->helohost)))
		return r;
	control_error_set(err, "control/helohost", 0, "not a host name");
	return QE_SYNTAX;
}

/* It holds passwords: other users must not be able to read it. */
static int
load_smtprelays(struct config *config, struct control_error *err)
{
	const char *path = control_path(CTL_SMTPRELAYS);
	struct stat st;

	if (stat(path, &st) == 0 && (st.st_mode & S_IRWXO) != 0) {
		snprintf(err->text, sizeof(err->text),
		    "%s: holds passwords and is open to everybody (mode "
		    "%04o); chmod o= it",
		    path, (unsigned)st.st_mode & 07777);
		return QE_DENIED;
	}
	return control_map_load(CTL_SMTPRELAYS, &config->smtprelays, err);
}

/*
 * Only a descriptor that our caller has opened is a log; any other number may
 * become that of a connection.  All of ours are close-on-exec.
 */
static int
load_log(struct config *config, struct control_error *err)
{
	int r = control_int(CTL_LOG_REMOTE_FD, &config->log_fd, err);

	if (r < 0)
		return r;
	if (config->log_fd > 0 && config->log_fd <= REPORT_FD) {
		control_error_set(err, "control/log/remote_fd", 0,
		    "1 and 2 are the report; use another descriptor");
		return QE_SYNTAX;
	}
	if (config->log_fd > 0 && fcntl((int)config->log_fd, F_GETFD) != 0)
		config->log_fd = 0;
	return 0;
}

int
config_load(struct config *config, struct control_error *err)
{
	int r = load_helohost(config, err);

	if (r == 0)
		r = control_int(
		    CTL_TIMEOUTCONNECT, &config->timeout_connect, err);
	if (r == 0)
		r = control_int(
		    CTL_TIMEOUTREMOTE, &config->timeout_remote, err);
	if (r == 0)
		r = control_int(CTL_MTASTS, &config->mtasts, err);
	if (r == 0)
		r = load_log(config, err);
	if (r == 0)
		r = control_line(CTL_DNSSERVERS, &config->dnsservers, err);
	/* It has no default, so there may be none. */
	if (r == QE_ABSENT && config->helohost.len > 0)
		r = 0;
	if (r == 0)
		r = load_smtprelays(config, err);
	if (r == 0)
		r = control_set_load(CTL_SMTPROUTES, &config->smtproutes, err);
	if (r == 0)
		r = control_set_load(CTL_QMTPROUTES, &config->qmtproutes, err);
	if (r == 0)
		r = control_set_load(CTL_OUTGOINGIP, &config->outgoingip, err);
	if (r == 0)
		r = control_map_load(CTL_TLSREMOTE, &config->tlsremote, err);
	return r;
}
