/*
 * The control files of qmail-remote.  A file that cannot be read or makes no
 * sense stops the delivery for now; it never becomes a default.
 */
#include "remote/config.h"

#include "base/error.h"

void
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

int
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
