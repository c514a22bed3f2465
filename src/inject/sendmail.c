/*
 * sendmail: the interface that programs expect of a mail server, on top of
 * qmail-inject, qmail-smtpd, qmail-qread and newaliases.  Under the names mailq
 * and newaliases it does what those do.
 *
 * Runs as its caller, and becomes one of those programs.
 */
#include "base/buf.h"
#include "base/die.h"
#include "base/env.h"
#include "base/exitcode.h"
#include "base/options.h"
#include "base/program.h"
#include "mail/address.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SENDMAIL_PATH_MAX = 4096, SENDMAIL_ADDRESS_MAX = 4096 };

enum task { TASK_INJECT, TASK_SMTP, TASK_QUEUE };

struct sendmail {
	enum task task;
	bool recipients_in_header;
	const char *sender;    /* of -f, or NULL */
	const char *full_name; /* of -F, or NULL */
	char **arguments;
};

static const char usage[] = "sendmail [ -t ] [ -fsender ] [ -Fname ] [ -bp ] "
			    "[ -bs ] [ arg ... ]";

static void
set(const char *name, const char *value)
{
	if (env_set(name, value) != 0)
		die_nomem();
}

static _Noreturn void
become(const char *program, char **argv)
{
	struct buf path = BUF_LIMIT(SENDMAIL_PATH_MAX);

	buf_addf(&path, "%s/bin/%s", program_home(), program);
	if (buf_cstr(&path) == NULL)
		die(EX_TEMPORARY, "the home's name is too long");
	execv(buf_cstr(&path), argv);
	die_errno(EX_TEMPORARY, "unable to run %s", buf_cstr(&path));
}

/* Without a network server around it the client is this host itself. */
static _Noreturn void
become_smtpd(void)
{
	static char *argv[] = { "qmail-smtpd", NULL };
	static const char *const local[][2] = {
		{"RELAYCLIENT",    ""           },
		{ "DATABYTES",     "0"          },
		{ "PROTO",         "TCP"        },
		{ "TCPLOCALIP",    "127.0.0.1"  },
		{ "TCPLOCALHOST",  "localhost"  },
		{ "TCPREMOTEIP",   "127.0.0.1"  },
		{ "TCPREMOTEHOST", "localhost"  },
		{ "TCPREMOTEINFO", "sendmail-bs"},
	};

	if (env_get("PROTO") == NULL)
		for (size_t i = 0; i < sizeof local / sizeof *local; i++)
			set(local[i][0], local[i][1]);
	become("qmail-smtpd", argv);
}

static _Noreturn void
become_qread(void)
{
	static char *argv[] = { "qmail-qread", NULL };

	become("qmail-qread", argv);
}

/* "<joe@host>" as some callers write it is joe@host. */
static struct strv
without_brackets(struct strv address)
{
	size_t len = address.len;

	if (len < 2 || address.ptr[0] != '<' || address.ptr[len - 1] != '>')
		return address;
	return strv_head(strv_skip(address, 1), len - 2);
}

static void
set_unless_empty(const char *name, struct strv value)
{
	struct buf text = BUF_LIMIT(SENDMAIL_ADDRESS_MAX);

	if (value.len == 0)
		return;
	buf_add_view(&text, value);
	if (buf_cstr(&text) == NULL)
		die(EX_PERMANENT, "unable to parse address: " STRV_FMT,
		    STRV_ARG(value));
	set(name, buf_cstr(&text));
	buf_free(&text);
}

/* -f also says who the From field is from, and under no other name. */
static void
set_identity(const char *sender)
{
	static const char *const cleared[] = { "QMAILNAME", "MAILNAME", "NAME",
		"QMAILHOST", "MAILHOST" };
	struct strv address = without_brackets(strv_of(sender));

	for (size_t i = 0; i < sizeof cleared / sizeof *cleared; i++)
		env_unset(cleared[i]);
	set_unless_empty("QMAILUSER", address_local(address));
	set_unless_empty("QMAILHOST", address_domain(address));
}

static _Noreturn void
become_inject(const struct sendmail *s)
{
	size_t count = 0, n = 0;
	char **argv;

	while (s->arguments[count] != NULL)
		count++;
	argv = calloc(count + 6, sizeof *argv);
	if (argv == NULL)
		die_nomem();
	argv[n++] = "qmail-inject";
	argv[n++] = s->recipients_in_header ? "-H" : "-a";
	if (s->full_name != NULL)
		set("MAILNAME", s->full_name);
	if (s->sender != NULL) {
		argv[n++] = "-f";
		argv[n] = strdup(s->sender);
		if (argv[n++] == NULL)
			die_nomem();
		set_identity(s->sender);
	}
	argv[n++] = "--";
	for (size_t i = 0; i < count; i++)
		argv[n++] = s->arguments[i];
	become("qmail-inject", argv);
}

static _Noreturn void
become_newaliases(void)
{
	static char *argv[] = { "newaliases", NULL };

	become("newaliases", argv);
}

static void
take_mode(struct sendmail *s, char mode)
{
	switch (mode) {
	case 'm':
		s->task = TASK_INJECT;
		return;
	case 'p':
		s->task = TASK_QUEUE;
		return;
	case 's':
		s->task = TASK_SMTP;
		return;
	case 'i':
		become_newaliases();
	case 'd':
	case 'D':
		die(EX_PERMANENT, "the daemons are qmail-start, and "
				  "qmail-smtpd under tcpserver");
	default:
		die_usage(usage);
	}
}

static void
take_option(struct sendmail *s, struct options *o, int letter)
{
	switch (letter) {
	case 't':
		s->recipients_in_header = true;
		break;
	case 'f':
	case 'r':
		s->sender = o->arg;
		break;
	case 'F':
		s->full_name = o->arg;
		break;
	case 'b':
		take_mode(s, o->arg[0]);
		break;
	case 'E':
	case 'J':
		/* An argument may be attached, but does not follow. */
		o->bundle = NULL;
		break;
	case '?':
		die_usage(usage);
	default:
		break; /* accepted and ignored */
	}
}

int
main(int argc, char **argv)
{
	static const struct program program = {
		.name = "sendmail",
		.flags = PROGRAM_KEEP_UMASK | PROGRAM_KEEP_SIGPIPE,
	};
	struct sendmail s = { .task = TASK_INJECT };
	struct strv name = strv_of(argc > 0 ? argv[0] : "sendmail");
	size_t slash = strv_rfind(name, '/');
	struct options o;
	int letter;

	program_begin(&program);
	name = slash == STRV_NPOS ? name : strv_skip(name, slash + 1);
	if (strv_eq(name, STRV("newaliases")))
		become_newaliases();
	if (strv_eq(name, STRV("mailq")))
		s.task = TASK_QUEUE;
	options_init(
	    &o, argc, argv, "vimxtnUGe:f:r:p:o:B:F:EJb:N:R:V:O:A:C:L:X:h:");
	while ((letter = options_next(&o)) != -1)
		take_option(&s, &o, letter);
	s.arguments = argv + o.index;
	if (s.task == TASK_QUEUE)
		become_qread();
	if (s.task == TASK_SMTP)
		become_smtpd();
	become_inject(&s);
}
