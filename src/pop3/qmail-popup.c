/*
 * qmail-popup hostname subprogram [arg ...]: the POP3 server before the
 * login.
 *
 * Starts as root under tcpserver or behind qmail-tls, as checkpassword needs
 * it, and splits into two before it reads a byte: the front (pop3/front.c)
 * talks to the client without rights, the keeper (pop3/keeper.c) runs the
 * subprogram.  Without root both run as the caller.  Holds no password
 * database; passwords are never logged and are wiped after use.
 */
#include "base/die.h"
#include "base/error.h"
#include "base/io.h"
#include "base/program.h"
#include "pop3/popup.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

/* The end of a session that has not begun. */
static _Noreturn void
popup_refuse(struct popup *p, const char *text)
{
	pop3_err(&p->conn, text);
	pop3_flush(&p->conn);
	_exit(POPUP_END);
}

/*
 * What was inherited beyond the standard three, the log and the TLS process
 * is nobody's business.
 */
static void
popup_close_rest(const struct popup *p)
{
	int fd = p->conn.trace.fd;

	if (io_cloexec_from(3) != 0)
		warn("descriptors above 2 stay open: %s", error_text(errno));
	if (fd > STDERR_FILENO && fcntl(fd, F_SETFD, 0) < 0)
		warn("control/log/pop3_fd: descriptor %d is not open", fd);
}

static _Noreturn void
popup_split(struct popup *p)
{
	int fds[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		popup_refuse(p, "[SYS/TEMP] unable to open pipe");
	pid = fork();
	if (pid < 0)
		popup_refuse(p, "[SYS/TEMP] unable to fork");
	p->link = fds[pid == 0];
	io_close(&fds[pid != 0]);
	if (pid == 0)
		front_run(p);
	p->front = pid;
	keeper_run(p);
}

int
main(int argc, char **argv)
{
	static const struct program program = {
		.name = "qmail-popup",
		.flags = PROGRAM_FD0 | PROGRAM_FD1,
		.umask = 077,
	};
	char in[POP3_LINE_MAX], out[POPUP_OUT_SIZE];
	struct popup popup = { .user = BUF_LIMIT(POP3_LINE_MAX),
		.stamp = BUF_LIMIT(POPUP_STAMP_MAX),
		.host = argv[1],
		.subprogram = argv + 2 };

	program_begin(&program);
	pop3_conn_init(
	    &popup.conn, in, sizeof(in), out, sizeof(out), POPUP_SESSION_MAX);
	popup.conn.in.by_line = true;
	if (argc < 3)
		popup_refuse(&popup, "usage: popup hostname subprogram");
	ucspi_tls_init(&popup.tls);
	/* Only a qmail-tls in front: ours has no rights to order anything. */
	tls_way_close(&popup.tls.way);
	if (popup_configure(&popup) != 0)
		popup_refuse(&popup, "[SYS/TEMP] unable to read controls");
	pop3_conn_set_idle(&popup.conn, popup.settings.idle_seconds);
	popup_close_rest(&popup);
	popup_split(&popup);
}
