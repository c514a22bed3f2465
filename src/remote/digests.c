/*
 * Asks bin/qmail-digest: the request goes to its descriptor 0 as netstrings,
 * the answer comes from its descriptor 1.  A password is on a pipe only, never
 * among arguments or variables.
 */
#include "remote/digests.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/io.h"
#include "base/spawn.h"
#include "mail/netstring.h"

#include <poll.h>
#include <stdlib.h>

enum { NOT_HERE = 3 /* exit code of qmail-digest: no such digest */ };

static int
start(int in, int out, pid_t *pid)
{
	static const char *const words[] = { "qmail-digest", NULL };
	char **argv = spawn_argv(words);
	struct spawn how = {
		.path = "bin/qmail-digest",
		.argv = argv,
		.fds = {in, out, SPAWN_FD_NULL},
		.fd_count = 3,
		.own_group = true
	};
	int r = argv == NULL ? QE_NOMEM : spawn_program(&how, pid);

	free(argv);
	return r;
}

/* Up to the end of what it says, in time. */
static int
read_answer(int fd, int64_t deadline_ms, struct buf *answer)
{
	for (;;) {
		char *to = buf_reserve(answer, 256);
		ssize_t got;
		int r =
		    to == NULL ? answer->err : io_wait(fd, POLLIN, deadline_ms);

		if (r < 0)
			return r;
		got = io_read(fd, to, 256);
		if (got <= 0)
			return got == 0 ? 0 : QE_SYS;
		answer->len += (size_t)got;
	}
}

/* in[1] and out[0] are ours; the others have gone to the program. */
static int
talk(int in[2], int out[2], struct strv request, int64_t deadline_ms,
    struct buf *answer)
{
	int r = io_write_all(in[1], request.ptr, request.len);

	io_close(&in[1]);
	return r < 0 ? r : read_answer(out[0], deadline_ms, answer);
}

static int
run(struct strv request, int64_t timeout_ms, struct buf *answer)
{
	int64_t deadline_ms = clock_mono_ms() + timeout_ms;
	int in[2] = { -1, -1 }, out[2] = { -1, -1 };
	int status = 0;
	pid_t pid;
	int r = io_pipe(in);

	if (r == 0)
		r = io_pipe(out);
	if (r == 0)
		r = start(in[0], out[1], &pid);
	io_close(&in[0]);
	io_close(&out[1]);
	if (r == 0) {
		r = talk(in, out, request, deadline_ms, answer);
		if (r < 0 || spawn_wait_until(pid, deadline_ms, &status) < 0)
			spawn_kill_group(pid);
	}
	io_close(&in[1]);
	io_close(&out[0]);
	if (r == 0 && spawn_exit_code(status) != 0)
		r = spawn_exit_code(status) == NOT_HERE ? QE_ABSENT : QE_TEMP;
	return r;
}

/* fields: the method's name, the password, and what it takes. */
static int
ask(void *state, const struct strv *fields, size_t count, struct buf *first,
    struct buf *second)
{
	const struct digests_helper *helper = state;
	struct buf request = BUF_LIMIT(DIGESTS_REQUEST_MAX);
	struct buf answer = BUF_LIMIT(DIGESTS_ANSWER_MAX);
	struct strv rest, value;
	int r = 0;

	for (size_t i = 0; i < count; i++)
		netstring_add(&request, fields[i]);
	r = request.err;
	if (r == 0)
		r = run(buf_view(&request), helper->timeout_ms, &answer);
	rest = buf_view(&answer);
	if (r == 0 && netstring_take(&rest, DIGESTS_ANSWER_MAX, &value) == 0)
		buf_add_view(first, value);
	else if (r == 0)
		r = QE_TEMP;
	if (r == 0 && second != NULL &&
	    netstring_take(&rest, DIGESTS_ANSWER_MAX, &value) == 0)
		buf_add_view(second, value);
	else if (r == 0 && second != NULL)
		r = QE_TEMP;
	buf_free_secret(&request);
	buf_free_secret(&answer);
	return r;
}

static int
ask_cram(void *state, enum sasl_client_method method, struct strv password,
    struct strv challenge, struct buf *hex)
{
	const struct strv fields[] = { strv_of(sasl_client_name(method)),
		password, challenge };

	return ask(state, fields, 3, hex, NULL);
}

static int
ask_scram(void *state, struct strv password, struct strv salt,
    unsigned iterations, struct strv message, struct buf *proof,
    struct buf *signature)
{
	struct buf count = BUF_INIT;
	int r;

	buf_add_u64(&count, iterations);
	const struct strv fields[] = { strv_of(sasl_client_name(
					   SASL_CLIENT_SCRAM_SHA_256)),
		password, salt, buf_view(&count), message };
	r = count.err;
	if (r == 0)
		r = ask(state, fields, 5, proof, signature);
	buf_free(&count);
	return r;
}

struct sasl_client_digests
digests_by_helper(struct digests_helper *helper)
{
	return (struct sasl_client_digests){
		.state = helper, .cram = ask_cram, .scram = ask_scram
	};
}
