/*
 * The control files of a POP3 session, read before its first byte, and what
 * the server behind the checker is told of them by the environment: it runs
 * as a user, far from the home.
 */
#include "base/die.h"
#include "base/env.h"
#include "base/error.h"
#include "base/program.h"
#include "conf/control.h"
#include "pop3/popup.h"
#include "smtp/sasl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

struct number {
	enum ctl id;
	int64_t *value;
};

static int
load_numbers(const struct number *numbers, size_t count)
{
	struct control_error err;

	for (size_t i = 0; i < count; i++) {
		int r = control_int(numbers[i].id, numbers[i].value, &err);

		if (r != 0) {
			warn("%s", err.text);
			return r;
		}
	}
	return 0;
}

/*
 * Only a descriptor that our caller has opened is a log; any other number may
 * become that of a connection.  All of ours are close-on-exec.
 */
static int
usable_log(int fd)
{
	if (fd == STDOUT_FILENO)
		warn("control/log/pop3_fd: 1 is the client");
	else if (fd > STDERR_FILENO && fcntl(fd, F_GETFD) != 0)
		warn("control/log/pop3_fd: descriptor %d is not open", fd);
	else
		return fd;
	return 0;
}

/* The files of control/log only if that exists. */
static int
load_trace(struct pop3_trace *trace)
{
	int64_t fd, in, out;
	const struct number numbers[] = {
		{CTL_LOG_POP3_FD,   &fd },
		{ CTL_LOG_POP3_IN,  &in },
		{ CTL_LOG_POP3_OUT, &out},
	};
	int r;

	*trace = (struct pop3_trace){ .fd = STDERR_FILENO, .pid = getpid() };
	if (access("control/log", F_OK) != 0 && errno == ENOENT)
		return 0;
	r = load_numbers(numbers, sizeof(numbers) / sizeof(*numbers));
	if (r == 0)
		*trace = (struct pop3_trace){ .fd = usable_log((int)fd),
			.in = in != 0,
			.out = out != 0,
			.pid = getpid() };
	return r;
}

static int
load(struct popup *p)
{
	struct popup_settings *s = &p->settings;
	int64_t clear, tls;
	const struct number numbers[] = {
		{CTL_POP3MAXSESSION, &s->session_seconds},
		{ CTL_TIMEOUTPOP3D,  &s->idle_seconds   },
		{ CTL_AUTH_TIMEOUT,  &s->checker_seconds},
		{ CTL_AUTH_DELAY,    &s->delay_seconds  },
		{ CTL_AUTH_POP3,     &clear             },
		{ CTL_AUTH_SPOP3,    &tls               },
	};
	int r = load_numbers(numbers, sizeof(numbers) / sizeof(*numbers));

	if (r == 0)
		r = load_trace(&p->conn.trace);
	if (r != 0)
		return r;
	s->clear = (unsigned)clear;
	s->tls = (unsigned)tls;
	s->opensmtp = control_exists(CTL_OPENSMTP);
	return 0;
}

static int
open_jail(struct popup *p)
{
	p->jail = -1;
	if (geteuid() != 0)
		return 0;
	p->jail = open(POPUP_JAIL, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (p->jail >= 0)
		return 0;
	warn("unable to open %s/%s: %s", program_home(), POPUP_JAIL,
	    error_text(errno));
	return QE_SYS;
}

static int
tell_number(const char *variable, int64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", (long long)value);
	return env_set(variable, text);
}

int
popup_tell_capa(const struct popup *p)
{
	struct buf names = BUF_INIT, text = BUF_INIT;
	struct pop3_capa what = popup_capa(p, &names);
	int r = QE_NOMEM;

	buf_addf(&text, "%s%s " STRV_FMT, what.user ? "u" : "",
	    what.stls ? "s" : "", STRV_ARG(what.mechanisms));
	if (buf_cstr(&text) != NULL)
		r = env_set("POP3CAPA", text.data);
	buf_free(&names);
	buf_free(&text);
	return r;
}

int
popup_configure(struct popup *p)
{
	/* The subprogram's path may be relative to the working directory. */
	int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = QE_SYS;

	if (here >= 0 && chdir(program_home()) == 0) {
		r = load(p);
		if (r == 0)
			r = open_jail(p);
		if (fchdir(here) != 0)
			r = QE_SYS;
	}
	io_close(&here);
	if (r == 0)
		r = tell_number("POP3MAXSESSION", p->settings.session_seconds);
	if (r == 0)
		r = tell_number("POP3TIMEOUT", p->settings.idle_seconds);
	if (r == 0)
		r = popup_tell_capa(p);
	return r == 0 ? trace_to_environment(&p->conn.trace) : r;
}

unsigned
popup_mechanisms(const struct popup *p)
{
	if (ucspi_tls_is_required(&p->tls))
		return 0;
	return ucspi_tls_is_on(&p->tls) || p->tls.state == TLS_IMPLICIT
		   ? p->settings.tls
		   : p->settings.clear;
}

struct pop3_capa
popup_capa(const struct popup *p, struct buf *names)
{
	unsigned allowed = popup_mechanisms(p);

	sasl_add_names(names, allowed);
	return (
	    struct pop3_capa){ .mechanisms = strv_trim_blanks(buf_view(names)),
		.user = (allowed & (SASL_LOGIN | SASL_PLAIN)) != 0,
		.stls = ucspi_tls_may_start(&p->tls) };
}
