/* The server's side of the socket of qmail-authd(8). */
#include "smtp/sasl_ask.h"
#include "base/endpoint.h"
#include "base/error.h"
#include "base/io.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#define PREFIX "unix:"

enum { QUESTION_USUAL = 256 }; /* bytes that need no malloc(3) */

bool
sasl_ask_is_socket(const char *checker)
{
	return strncmp(checker, PREFIX, sizeof(PREFIX) - 1) == 0;
}

static void
add_question(const struct sasl *x, struct buf *out)
{
	const struct strv strings[] = { strv_of(x->program), buf_view(&x->user),
		buf_view(&x->a), buf_view(&x->b) };

	size_t whole = x->facts.len;

	for (size_t i = 0; i < sizeof(strings) / sizeof(*strings); i++)
		whole += strings[i].len + 1;
	/* A secret grows in place. */
	buf_reserve(out, whole);
	for (size_t i = 0; i < sizeof(strings) / sizeof(*strings); i++) {
		buf_add_view(out, strings[i]);
		buf_add_char(out, '\0');
	}
	buf_add_view(out, buf_view(&x->facts));
}

static int
tell(const struct sasl *x, int fd)
{
	char usual[QUESTION_USUAL];
	struct buf question = BUF_IN(usual, SASL_QUESTION_MAX);
	int r;

	add_question(x, &question);
	r = question.err;
	/* The first packet of a connection always fits. */
	if (r == 0 && send(fd, question.data, question.len, MSG_NOSIGNAL) !=
			  (ssize_t)question.len)
		r = QE_SYS;
	buf_free_secret(&question);
	return r;
}

static int
hear(int fd, int64_t deadline_ms, char reply[SASL_REPLY_MAX], ssize_t *got)
{
	int r = io_wait(fd, POLLIN, deadline_ms);

	if (r != 0)
		return r;
	*got = recv(fd, reply, SASL_REPLY_MAX, 0);
	if (*got < 0)
		return QE_SYS;
	return *got == 0 ? QE_EOF : 0;
}

static enum sasl_result
understand(struct sasl *x, struct sasl_checker *how, struct strv reply,
    struct buf *challenge)
{
	enum sasl_result result = SASL_FAILED;

	if (reply.ptr[0] == '1')
		return SASL_REFUSED;
	if (reply.ptr[0] == '0')
		result = sasl_accepted(x, strv_skip(reply, 1), challenge);
	if (result == SASL_FAILED)
		how->trouble =
		    reply.ptr[0] == '0'   ? "accepted, but said no more"
		    : reply.ptr[0] == '2' ? "misuse"
					  : "temporary failure, see its log";
	return result;
}

enum sasl_result
sasl_ask(struct sasl *x, struct sasl_checker *how, struct buf *challenge)
{
	const char *path = how->argv[0] + sizeof(PREFIX) - 1;
	char reply[SASL_REPLY_MAX];
	ssize_t got = 0;
	int fd = -1;
	int r =
	    endpoint_connect_local(path, SOCK_SEQPACKET, how->deadline_ms, &fd);

	buf_reset(challenge);
	how->trouble = NULL;
	/* A path that is none says nothing about the login. */
	if (r == QE_LIMIT)
		r = QE_SYS;
	if (r == 0)
		r = tell(x, fd);
	if (r == 0)
		r = hear(fd, how->deadline_ms, reply, &got);
	if (r != 0 && r != QE_LIMIT)
		how->trouble = error_result_text(r);
	io_close(&fd);
	if (r == QE_LIMIT)
		return SASL_REFUSED;
	if (r != 0)
		return SASL_FAILED;
	return understand(x, how, strv_from(reply, (size_t)got), challenge);
}
