/*
 * control/rcptcheck: a program of the operator judges each recipient.
 *
 * It is run without a shell, its words separated by blanks, with the two
 * addresses in its environment and nothing of the conversation on its
 * descriptors: what it writes goes to the log.  Its exit code decides; all
 * that is no answer (no program, a signal, no end in time) is temporary.
 */
#include "base/env.h"
#include "base/error.h"
#include "base/spawn.h"
#include "smtpd/checks/list.h"
#include "smtpd/log.h"
#include "smtpd/pipeline.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	PROGRAM_BYTES_MAX = 4096,
	EXIT_GOOD = 0,
	EXIT_INTERNAL = 3, /* and whatever is not in the table */
	EXIT_GREYLISTING = 112
};

struct rcptcheck {
	char **argv; /* NULL: there is nothing to run */
	int64_t seconds;
};

#define UNVERIFIED "unable to verify recipient/sender "

static const struct {
	int exit_code, code;
	char enhanced[8], text[56];
} answers[] = {
	{1,    553, "5.1.1", "sorry, no mailbox here by that name."    },
	{ 2,   421, "4.3.0", UNVERIFIED "(misuse)"                     },
	{ 3,   421, "4.3.0", UNVERIFIED "(internal)"                   },
	{ 11,  451, "4.1.1", "bad destination mailbox address"         },
	{ 12,  451, "4.1.2", "bad destination system address"          },
	{ 13,  451, "4.1.3", "bad destination mailbox address syntax"  },
	{ 14,  451, "4.1.4", "destination mailbox address ambiguous"   },
	{ 16,  451, "4.1.6", "mailbox has moved"                       },
	{ 17,  451, "4.1.7", "bad sender's mailbox address syntax"     },
	{ 18,  451, "4.1.8", "bad sender's system address"             },
	{ 21,  452, "4.2.1", "mailbox disabled, not accepting messages"},
	{ 22,  452, "4.2.2", "mailbox full"                            },
	{ 111, 421, "4.3.0", UNVERIFIED "(temporary)"                  },
	{ 112, 421, "4.3.0", UNVERIFIED "(greylisting)"                },
};

static int
load(struct rcptcheck *out, struct control_error *err)
{
	struct buf line = BUF_LIMIT(PROGRAM_BYTES_MAX);
	int r = control_line(CTL_RCPTCHECK, &line, err);

	if (r == 0 && buf_cstr(&line) == NULL)
		r = QE_NOMEM;
	if (r == 0)
		r = spawn_argv_split(&line, &out->argv);
	if (r == QE_LIMIT)
		*err = (struct control_error){ "control/rcptcheck: too long" };
	buf_free(&line);
	if (r == 0)
		r = control_int(CTL_RCPTCHECKTIME, &out->seconds, err);
	return r == QE_ABSENT ? 0 : r;
}

void
rcptcheck_free(struct rcptcheck **kept)
{
	if (*kept == NULL)
		return;
	free((*kept)->argv);
	free(*kept);
	*kept = NULL;
}

/* Reads the controls at the first recipient of a session. */
static int
keep(struct notes *notes, struct control_error *err)
{
	int r;

	if (notes->rcptcheck != NULL)
		return 0;
	notes->rcptcheck = calloc(1, sizeof(*notes->rcptcheck));
	if (notes->rcptcheck == NULL)
		return QE_NOMEM;
	r = load(notes->rcptcheck, err);
	if (r != 0)
		rcptcheck_free(&notes->rcptcheck);
	return r;
}

/* Starts the program; the variables are its own, not qmail-queue's. */
static int
start(const struct session *s, char *const *argv, volatile int *failure,
    pid_t *pid)
{
	struct buf sender = BUF_LIMIT(2 * ADDRESS_BYTES_MAX);
	struct buf recipient = BUF_LIMIT(2 * ADDRESS_BYTES_MAX);
	struct spawn how = {
		.path = argv[0],
		.argv = argv,
		.fds = {SPAWN_FD_NULL, STDERR_FILENO, STDERR_FILENO},
		.fd_count = 3,
		.own_group = true,
		.exit_exec_temp = EXIT_INTERNAL,
		.exit_exec_perm = EXIT_INTERNAL,
		.start_error = failure
	};
	char **environment = NULL;
	int r = QE_NOMEM;

	buf_add_str(&sender, "SENDER=");
	buf_add_view(&sender, buf_view(&s->tx.sender));
	buf_add_str(&recipient, "RECIPIENT=");
	buf_add_view(&recipient, buf_view(&s->tx.candidate));
	if (buf_cstr(&sender) != NULL && buf_cstr(&recipient) != NULL)
		environment = env_with(
		    (char *const[]){ sender.data, recipient.data, NULL });
	how.envp = environment;
	if (environment != NULL)
		r = spawn_program(&how, pid);
	free(environment);
	buf_free(&sender);
	buf_free(&recipient);
	return r;
}

/* The exit code; what went wrong is logged and counts as internal. */
static int
ask(const struct session *s, const struct rcptcheck *check)
{
	volatile int failure = 0;
	int status, code, r;
	pid_t pid;

	r = start(s, check->argv, &failure, &pid);
	if (r != 0) {
		log_event(s, "rcptcheck: unable to run %s: %s", check->argv[0],
		    error_result_text(r));
		return EXIT_INTERNAL;
	}
	r = spawn_wait_until(pid, session_deadline(s, check->seconds), &status);
	if (r != 0) {
		spawn_kill_group(pid);
		log_event(s, "rcptcheck: %s: %s", check->argv[0],
		    r == QE_TIMEOUT ? "no end in time" : error_result_text(r));
		return EXIT_INTERNAL;
	}
	code = spawn_exit_code(status);
	if (failure != 0)
		log_event(s, "rcptcheck: unable to run %s: %s", check->argv[0],
		    error_text(failure));
	else if (code < 0)
		log_event(s, "rcptcheck: %s crashed", check->argv[0]);
	return code;
}

static struct verdict
answer(const struct session *s, int exit_code)
{
	size_t count = sizeof(answers) / sizeof(*answers);
	size_t i = 0;
	struct verdict v;

	while (i < count && answers[i].exit_code != exit_code)
		i++;
	if (i == count) {
		if (exit_code > 0)
			log_event(
			    s, "rcptcheck: unknown exit code %d", exit_code);
		return answer(s, EXIT_INTERNAL);
	}
	v = verdict_refuse(
	    answers[i].code, answers[i].enhanced, answers[i].text);
	v.reply.close = v.reply.code == 421 && exit_code != EXIT_GREYLISTING;
	return v;
}

static struct verdict
run(const struct session *s, struct notes *notes)
{
	struct control_error err = { .text = "control/rcptcheck: "
					     "out of memory" };
	int code;

	if (keep(notes, &err) != 0) {
		log_trouble(s, err.text);
		return verdict_reject(451, "4.3.0", "unable to read rcptcheck");
	}
	if (notes->rcptcheck->argv == NULL)
		return verdict_pass();
	code = ask(s, notes->rcptcheck);
	return code == EXIT_GOOD ? verdict_pass() : answer(s, code);
}

static const enum ctl controls[] = { CTL_RCPTCHECK, CTL_RCPTCHECKTIME,
	CTL_COUNT };

const struct check check_rcptcheck = {
	.name = "rcptcheck",
	.stage = STAGE_RCPT,
	.report = STAGE_RCPT,
	.skip = SKIP_TRUSTED | SKIP_POSTMASTER,
	.controls = controls,
	.run = run,
};
