/*
 * Running a checker.  The secret travels through a pipe, never by arguments
 * or environment; the private file is memory without a name in any
 * directory, which the checker reaches by its descriptor.
 */
#include "smtp/sasl_check.h"
#include "base/clock.h"
#include "base/env.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/io.h"
#include "base/spawn.h"
#include "smtp/sasl_ask.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FACTS_PATH     "/proc/self/fd/4"
#define FACTS_VARIABLE "SASLFACTS"

enum { CHECKER_REFUSED = 1 };

/* A file of ours alone that holds x->facts; -1 in *fd if there are none. */
static int
make_facts(const struct sasl *x, int *fd)
{
	struct strv facts = buf_view(&x->facts);

	*fd = -1;
	if (facts.len == 0)
		return 0;
	*fd = memfd_create("sasl", MFD_CLOEXEC);
	if (*fd < 0)
		return QE_SYS;
	if (fchmod(*fd, 0600) == 0 &&
	    io_write_all(*fd, facts.ptr, facts.len) == 0)
		return 0;
	io_close(fd);
	return QE_SYS;
}

/* The whole is far below what a pipe takes at once: nobody need read yet. */
static int
fill_pipe(const struct sasl *x, int *reading)
{
	struct buf secret = BUF_LIMIT(SASL_CREDENTIALS_MAX);
	int fds[2], r;

	buf_reserve(&secret, SASL_CREDENTIALS_MAX);
	buf_add_view(&secret, buf_view(&x->user));
	buf_add_char(&secret, '\0');
	buf_add_view(&secret, buf_view(&x->a));
	buf_add_char(&secret, '\0');
	if (x->facts.len > 0)
		buf_add_str(&secret, FACTS_PATH);
	else
		buf_add_view(&secret, buf_view(&x->b));
	buf_add_char(&secret, '\0');
	r = secret.err != 0 ? secret.err : io_pipe(fds);
	if (r == 0) {
		r = io_write_all(fds[1], secret.data, secret.len);
		io_close(&fds[1]);
		*reading = fds[0];
		if (r != 0)
			io_close(reading);
	}
	buf_free_secret(&secret);
	return r;
}

static int
spawn(const struct sasl *x, const struct sasl_checker *how,
    struct sasl_check *c, int credentials)
{
	struct buf mechanism = BUF_LIMIT(64);
	struct spawn s = {
		.path = how->argv[0],
		.argv = how->argv,
		.fds = {how->fds[0], how->fds[1], how->fds[2], credentials,
			c->facts_fd},
		.fd_count = SASL_FACTS_FD + 1,
 /* What takes the connection over is no longer a checker. */
		.own_group = !how->passes_on,
		.start_error = &c->start_error
	};
	char facts[] = FACTS_VARIABLE "=4";
	char **environment = NULL;
	int r = QE_NOMEM;

	buf_addf(&mechanism, "SASL=%s", x->program);
	if (buf_cstr(&mechanism) != NULL)
		environment = env_with((char *const[]){ mechanism.data,
		    c->facts_fd >= 0 && how->passes_on ? facts : NULL, NULL });
	s.envp = environment;
	if (environment != NULL)
		r = spawn_program(&s, &c->pid);
	free(environment);
	buf_free(&mechanism);
	return r;
}

int
sasl_check_start(
    const struct sasl *x, const struct sasl_checker *how, struct sasl_check *c)
{
	int credentials = -1;
	int r;

	*c = (struct sasl_check){ .pid = -1, .facts_fd = -1 };
	r = make_facts(x, &c->facts_fd);
	if (r == 0)
		r = fill_pipe(x, &credentials);
	if (r == 0)
		r = spawn(x, how, c, credentials);
	io_close(&credentials);
	if (r != 0)
		sasl_check_end(c);
	return r;
}

/*
 * A checker that has become somebody else may be out of our reach; then it is
 * left alone.
 */
static void
give_up(struct sasl_check *c, bool own_group)
{
	int status;

	(void)kill(own_group ? -c->pid : c->pid, SIGKILL);
	(void)spawn_wait_until(c->pid, clock_mono_ms() + SASL_KILL_MS, &status);
}

enum sasl_result
sasl_check_wait(struct sasl_checker *how, struct sasl_check *c, int *code)
{
	int status = 0;
	int r = spawn_wait_until(c->pid, how->deadline_ms, &status);
	int ended = -1;

	how->trouble = NULL;
	if (r == QE_TIMEOUT)
		give_up(c, !how->passes_on);
	if (r != 0)
		how->trouble =
		    r == QE_TIMEOUT ? "no end in time" : error_result_text(r);
	else if (c->start_error != 0)
		how->trouble = error_text(c->start_error);
	else if ((ended = spawn_exit_code(status)) < 0)
		how->trouble = "crashed";
	else if (ended == EX_TEMPORARY)
		how->trouble = "temporary failure";
	else if (ended > CHECKER_REFUSED)
		how->trouble = "misuse, or an unknown exit code";
	if (code != NULL)
		*code = ended;
	return ended == 0                 ? SASL_DONE
	       : ended == CHECKER_REFUSED ? SASL_REFUSED
					  : SASL_FAILED;
}

void
sasl_check_end(struct sasl_check *c)
{
	io_close(&c->facts_fd);
}

/* What stands at the start of the private file now. */
static enum sasl_result
read_answer(int fd, char answer[SASL_ANSWER_MAX], struct strv *out)
{
	ssize_t got = pread(fd, answer, SASL_ANSWER_MAX, 0);

	*out = got <= 0 ? STRV_EMPTY : strv_from(answer, (size_t)got);
	return got < 0 ? SASL_FAILED : SASL_DONE;
}

enum sasl_result
sasl_check(struct sasl *x, struct sasl_checker *how, struct buf *challenge)
{
	struct sasl_check c;
	char bytes[SASL_ANSWER_MAX];
	struct strv answer = STRV_EMPTY;
	enum sasl_result result;
	int r;

	buf_reset(challenge);
	how->trouble = NULL;
	if (sasl_ask_is_socket(how->argv[0]))
		return sasl_ask(x, how, challenge);
	r = sasl_check_start(x, how, &c);
	if (r == QE_LIMIT) /* more than descriptor 3 may hold */
		return SASL_REFUSED;
	if (r != 0) {
		how->trouble = error_result_text(r);
		return SASL_FAILED;
	}
	result = sasl_check_wait(how, &c, NULL);
	if (result == SASL_DONE && c.facts_fd >= 0)
		result = read_answer(c.facts_fd, bytes, &answer);
	sasl_check_end(&c);
	if (result != SASL_DONE)
		return result;
	result = sasl_accepted(x, answer, challenge);
	if (result == SASL_FAILED)
		how->trouble = "accepted, but left no answer in the file";
	return result;
}

/* By what $SASL says, which the checker may have changed to nothing else. */
static const struct sasl_mechanism *
find_program(struct strv program)
{
	struct strv names[] = { STRV("digest-md5"), STRV("scram-sha-256") };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strv_eq(program, names[i]))
			return sasl_find(names[i], SASL_ALL);
	return NULL;
}

enum sasl_result
sasl_check_inherited(struct buf *challenge)
{
	const struct sasl_mechanism *m = find_program(strv_of(env_get("SASL")));
	bool given = env_get(FACTS_VARIABLE) != NULL;
	int fd = SASL_FACTS_FD;
	char bytes[SASL_ANSWER_MAX];
	struct strv answer;
	struct sasl x;
	enum sasl_result result;

	buf_reset(challenge);
	env_unset("SASL");
	env_unset(FACTS_VARIABLE);
	if (!given || m == NULL)
		return SASL_DONE;
	sasl_init(&x, "", STRV_EMPTY);
	x.mechanism = m;
	result = read_answer(fd, bytes, &answer);
	io_close(&fd);
	if (result == SASL_DONE)
		result = sasl_accepted(&x, answer, challenge);
	sasl_free(&x);
	return result;
}
