/*
 * One POP3 conversation (RFC 1939), before and after the login: commands in,
 * replies out, and the limits of both.
 */
#ifndef POP3_CONN_H
#define POP3_CONN_H

#include "base/buf.h"
#include "base/io.h"

enum {
	POP3_LINE_MAX = 512,      /* bytes of a command; RFC 2449 has 255 */
	POP3_IDLE = 1200,         /* seconds for one line, or one write */
	POP3_JUNK_MAX = 50,       /* commands of a session that are none */
	POP3_SESSION_MAX = 86400, /* seconds, unless told otherwise */
	POP3_OUT_SIZE = 64 * 1024 /* bytes gathered for one write */
};

struct pop3_conn {
	struct source in;
	struct sink out;
	struct buf line; /* the command; may hold a password */
	int64_t end_ms;  /* when the session ends, on clock_mono_ms() */
	unsigned junk;
};

struct pop3_command {
	struct strv verb;
	struct strv argument; /* all behind the first blank, as it came */
};

/* Memory for both directions is lent. */
void pop3_conn_init(struct pop3_conn *c, char *in, size_t in_size, char *out,
    size_t out_size, int64_t session_seconds);
/* Wipes whatever was read. */
void pop3_conn_free(struct pop3_conn *c);

/*
 * The next command that looks like one; others are answered here.  Replies
 * leave when no complete command is waiting.  0, or QE_EOF, QE_TIMEOUT,
 * QE_SYS, QE_NOMEM, QE_LIMIT (too much junk): the session ends.
 */
int pop3_next(struct pop3_conn *c, struct pop3_command *command);

/* "+OK text" and "-ERR text"; an empty text keeps the blank before it. */
void pop3_ok(struct pop3_conn *c, const char *text);
void pop3_err(struct pop3_conn *c, const char *text);
/* The same, counted as junk. */
void pop3_junk(struct pop3_conn *c, const char *text);
/* Sends what has gathered: 0, QE_TIMEOUT, QE_SYS. */
int pop3_flush(struct pop3_conn *c);
/* The answer to CAPA (RFC 2449), the same in both states. */
void pop3_capa(struct pop3_conn *c);

#endif
