/* What happens, for the log: "qmail-scand: <text>" on descriptor 2. */
#ifndef SCAN_REPORT_H
#define SCAN_REPORT_H

void report(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
