/* One line of the log for one event. */
#include "scan/report.h"
#include "base/die.h"
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

void
report(const char *format, ...)
{
	char text[LOG_LINE_MAX + 1];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	log_message(STDERR_FILENO, die_name(), strv_of(text));
}
