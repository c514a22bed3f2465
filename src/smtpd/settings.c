/*
 * Reads the control files of a session.  Every file costs an open(2) at each
 * connection, so what few sessions need (rcpthosts, localiphost) is read
 * where it is needed, and the files of control/log only if that exists.
 */
#include "smtpd/settings.h"
#include "base/env.h"
#include "base/error.h"
#include "conf/control_file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/*
 * Only a descriptor that our caller has opened is a log; any other number may
 * become that of a pipe, and the log would be a part of a message.
 */
static int
load_log_fd(struct log_settings *log, struct control_error *err)
{
	int64_t fd;
	int r = control_int(CTL_LOG_SMTP_FD, &fd, err);

	if (r != 0)
		return r;
	if (fd == STDOUT_FILENO) {
		control_error_set(err, control_path(CTL_LOG_SMTP_FD), 1,
		    "1 is the client; use another descriptor");
		return QE_SYNTAX;
	}
	log->fd = fcntl((int)fd, F_GETFD) < 0 ? 0 : (int)fd;
	return 0;
}

static int
load_log(struct log_settings *log, struct control_error *err)
{
	static const enum ctl switches[] = { CTL_LOG_SMTP_IN, CTL_LOG_SMTP_OUT,
		CTL_LOG_ORCHECKS, CTL_LOG_TARPITTING, CTL_LOG_BMCHECKS,
		CTL_LOG_DATECHECKS };
	bool *const values[] = { &log->in, &log->out, &log->orchecks,
		&log->tarpitting, &log->bmchecks, &log->datechecks };
	int64_t n;
	int r;

	log->fd = STDERR_FILENO;
	if (access("control/log", F_OK) != 0 && errno == ENOENT)
		return 0;
	r = load_log_fd(log, err);
	if (r != 0)
		return r;
	for (size_t i = 0; i < sizeof(switches) / sizeof(*switches); i++) {
		r = control_int(switches[i], &n, err);
		if (r != 0)
			return r;
		*values[i] = n != 0;
	}
	return 0;
}

static int
load_greeting(struct settings *out, struct control_error *err)
{
	size_t last;
	int r;

	out->greeting = (struct buf)BUF_IN(out->greeting_data, GREETING_MAX);
	r = control_text(CTL_SMTPGREETING, &out->greeting, err);
	if (r != 0)
		return r;
	last = strv_rfind(buf_view(&out->greeting), '\n');
	out->last_line = buf_view(&out->greeting);
	if (last != STRV_NPOS)
		out->last_line = strv_skip(out->last_line, last + 1);
	return 0;
}

static int
load_numbers(struct settings *out, struct control_error *err)
{
	int64_t brackets;
	const struct {
		enum ctl id;
		int64_t *value;
	} numbers[] = {
		{CTL_TIMEOUTSMTPD, &out->timeout       },
		{ CTL_DOTTIMEOUT,  &out->dot_timeout   },
		{ CTL_DATABYTES,   &out->size_max      },
		{ CTL_MAXADDRLEN,  &out->address_max   },
		{ CTL_MAXCMDLEN,   &out->command_max   },
		{ CTL_MAXRCPT,     &out->recipients_max},
		{ CTL_MAXHOPS,     &out->hops_max      },
		{ CTL_TARPITCOUNT, &out->tarpit.count  },
		{ CTL_TARPITDELAY, &out->tarpit.delay  },
		{ CTL_REQBRACKETS, &brackets           },
	};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		int r = control_int(numbers[i].id, numbers[i].value, err);

		if (r != 0)
			return r;
	}
	out->needs_brackets = brackets != 0;
	return 0;
}

int
settings_load(struct settings *out, struct control_error *err)
{
	int r = load_log(&out->log, err);

	if (r == 0)
		r = load_greeting(out, err);
	if (r == 0)
		r = load_numbers(out, err);
	out->tarpit.enabled = env_get("NO_TARPITTING") == NULL;
	return r;
}

void
settings_free(struct settings *settings)
{
	buf_free(&settings->greeting);
}
