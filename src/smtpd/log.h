/* The log of a session: control/log/smtp_in, smtp_out, smtp_fd and others. */
#ifndef SMTPD_LOG_H
#define SMTPD_LOG_H

#include "smtpd/session.h"

/* "C: <line>", if commands are logged. */
void log_client(const struct session *s, struct strv line);
/* "S: <line>" for each CR LF line of text, if replies are logged. */
void log_server(const struct session *s, struct strv text);
/* "<tag>: <sender> to <recipient> | helo(x)" */
void log_envelope(const struct session *s, const char *tag);
/* The same and " | <about>". */
void log_envelope_about(
    const struct session *s, const char *tag, const char *about);
/* A line of the session's log, whatever else is logged. */
void log_event(const struct session *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Trouble of this host: always written, to descriptor 2 without a log. */
void log_trouble(const struct session *s, const char *text);

#endif
