/* Last words of programs. */
#include "base/die.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { DIE_TEXT_MAX = 900 };

static const char *program_name = "qmail";

void
die_set_name(const char *name)
{
	program_name = name;
}

const char *
die_name(void)
{
	return program_name;
}

static void
say(const char *kind, const char *format, va_list args, const char *reason)
{
	char text[DIE_TEXT_MAX];
	int n = snprintf(text, sizeof(text), "%s", kind);
	size_t used = n < 0 ? 0 : (size_t)n;

	n = vsnprintf(text + used, sizeof(text) - used, format, args);
	if (n > 0)
		used += (size_t)n;
	if (used >= sizeof(text))
		used = sizeof(text) - 1;
	if (reason != NULL) {
		n = snprintf(text + used, sizeof(text) - used, ": %s", reason);
		if (n > 0)
			used += (size_t)n;
	}
	if (used >= sizeof(text))
		used = sizeof(text) - 1;
	log_message(2, program_name, strv_from(text, used));
}

void
die(int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say("fatal: ", format, args, NULL);
	va_end(args);
	exit(code);
}

void
die_errno(int code, const char *format, ...)
{
	const char *reason = error_text(errno);
	va_list args;

	va_start(args, format);
	say("fatal: ", format, args, reason);
	va_end(args);
	exit(code);
}

void
warn(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say("warning: ", format, args, NULL);
	va_end(args);
}

void
die_usage(const char *usage)
{
	char text[DIE_TEXT_MAX];
	int n = snprintf(text, sizeof(text), "usage: %s", usage);

	if (n > 0)
		log_message(2, program_name, strv_of(text));
	exit(EX_PERMANENT);
}

void
die_nomem(void)
{
	die(EX_TEMPORARY, "out of memory");
}

void
bug(const char *what)
{
	char text[DIE_TEXT_MAX];

	snprintf(text, sizeof(text), "internal bug: %s", what);
	log_message(2, program_name, strv_of(text));
	_exit(EX_BUG);
}
