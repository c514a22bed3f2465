/* One question to p0f at the start of a session; see the header. */
#include "smtpd/passive_os.h"
#include "base/clock.h"
#include "base/endpoint.h"
#include "base/env.h"
#include "base/error.h"
#include "smtp/p0f.h"
#include "smtpd/log.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>

static int
send_question(int fd, const struct ipaddr *ip)
{
	unsigned char question[P0F_QUESTION_BYTES];
	ssize_t did;

	p0f_question(ip, question);
	/* The first bytes on a new socket: all of them go, or none. */
	did = send(fd, question, sizeof(question), MSG_NOSIGNAL);
	return did == (ssize_t)sizeof(question) ? 0 : QE_SYS;
}

static int
read_answer(int fd, unsigned char *answer, int64_t deadline_ms)
{
	size_t len = 0;

	while (len < P0F_ANSWER_BYTES) {
		int r = io_wait(fd, POLLIN, deadline_ms);
		ssize_t got;

		if (r != 0)
			return r;
		got = io_read(fd, answer + len, P0F_ANSWER_BYTES - len);
		if (got == 0)
			return QE_EOF;
		if (got < 0 && errno != EAGAIN)
			return QE_SYS;
		len += got < 0 ? 0 : (size_t)got;
	}
	return 0;
}

static int
ask(const struct endpoint *p0f, const struct ipaddr *ip, unsigned char *answer)
{
	int64_t deadline = clock_mono_ms() + PASSIVE_OS_MS;
	int fd = -1;
	int r = endpoint_connect(p0f, deadline, &fd);

	if (r == 0)
		r = send_question(fd, ip);
	if (r == 0)
		r = read_answer(fd, answer, deadline);
	io_close(&fd);
	return r;
}

/* Keeps and tells what p0f has answered. */
static void
note(struct session *s, const unsigned char *answer)
{
	struct buf os = BUF_LIMIT(P0F_OS_MAX + 1);
	int r = p0f_answer_parse(answer, &os, &s->os);

	if (r == 0 && buf_cstr(&os) != NULL) {
		(void)env_set("P0F_OS", os.data);
		log_event(s, "P0F: " STRV_FMT " is " STRV_FMT,
		    STRV_ARG(s->peer.remote_ip), STRV_ARG(buf_view(&s->os)));
	} else {
		buf_reset(&s->os);
		if (r == QE_SYNTAX)
			log_trouble(s, "P0F: the answer makes no sense");
	}
	buf_free(&os);
}

int
passive_os_ask(struct session *s, struct control_error *err)
{
	unsigned char answer[P0F_ANSWER_BYTES];
	struct buf path = BUF_LIMIT(ENDPOINT_PATH_MAX);
	struct endpoint p0f;
	struct ipaddr ip;
	char why[128];
	int r = control_line(CTL_P0FSOCK, &path, err);

	if (r == 0 && endpoint_parse(buf_view(&path), &p0f) != 0) {
		*err = (struct control_error){
			"control/p0fsock: not the path of a socket"
		};
		r = QE_SYNTAX;
	}
	buf_free(&path);
	if (r != 0)
		return r == QE_ABSENT ? 0 : r;
	env_unset("P0F_OS");
	if (ipaddr_parse(s->peer.remote_ip, &ip) != 0)
		return 0;
	r = ask(&p0f, &ip, answer);
	if (r == 0) {
		note(s, answer);
		return 0;
	}
	snprintf(why, sizeof(why), "P0F: no answer: %s", error_result_text(r));
	log_trouble(s, why);
	return 0;
}

void
passive_os_add_field(const struct session *s, struct buf *out)
{
	if (s->os.len > 0)
		buf_addf(
		    out, "X-P0f: " STRV_FMT "\n", STRV_ARG(buf_view(&s->os)));
}
