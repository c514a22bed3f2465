/*
 * One POP3 conversation (RFC 1939), before and after the login: commands in,
 * replies out, and the limits of both.
 */
#ifndef POP3_CONN_H
#define POP3_CONN_H

#include "base/buf.h"
#include "base/io.h"
#include "pop3/trace.h"

enum {
	POP3_LINE_MAX = 512,      /* bytes of a command; RFC 2449 has 255 */
	POP3_IDLE = 1200,         /* seconds for one line, or one write */
	POP3_IDLE_LEAST = 1,      /* what else control/timeoutpop3d ... */
	POP3_IDLE_MOST = 86400,   /* ... may say */
	POP3_JUNK_MAX = 50,       /* commands of a session that are none */
	POP3_SESSION_MAX = 86400, /* seconds, unless told otherwise */
	POP3_OUT_SIZE = 64 * 1024 /* bytes gathered for one write */
};

struct pop3_conn {
	struct source in;
	struct sink out;
	struct buf line;      /* the command; may hold a password */
	int64_t idle_seconds; /* for one line, or one write */
	int64_t end_ms;       /* when the session ends, on clock_mono_ms() */
	unsigned junk;
	struct pop3_trace trace;
};

struct pop3_command {
	struct strv verb;
	struct strv argument; /* all behind the first blank, as it came */
};

/* What of CAPA depends on the host and on the state of the connection. */
struct pop3_capa {
	struct strv mechanisms; /* "CRAM-MD5 PLAIN"; empty: no SASL */
	bool user, stls;
};

/* Memory for both directions is lent. */
void pop3_conn_init(struct pop3_conn *c, char *in, size_t in_size, char *out,
    size_t out_size, int64_t session_seconds);
/* Another time than POP3_IDLE. */
void pop3_conn_set_idle(struct pop3_conn *c, int64_t seconds);
/* Wipes whatever was read. */
void pop3_conn_forget(struct pop3_conn *c);
/* The same, for good. */
void pop3_conn_free(struct pop3_conn *c);

/*
 * The next command that looks like one; others are answered here.  Replies
 * leave when no complete command is waiting.  0, or QE_EOF, QE_TIMEOUT,
 * QE_SYS, QE_NOMEM, QE_LIMIT (too much junk): the session ends.
 */
int pop3_next(struct pop3_conn *c, struct pop3_command *command);
/*
 * A line of AUTH, which never gets into the log; line's maximum is the limit.
 * 0, QE_SYNTAX (too long, or with NUL or CR in it), or as above.
 */
int pop3_next_response(struct pop3_conn *c, struct buf *line);

/* "+OK text" and "-ERR text"; an empty text keeps the blank before it. */
void pop3_ok(struct pop3_conn *c, const char *text);
void pop3_err(struct pop3_conn *c, const char *text);
/* The same, counted as junk. */
void pop3_junk(struct pop3_conn *c, const char *text);
/* Sends what has gathered: 0, QE_TIMEOUT, QE_SYS. */
int pop3_flush(struct pop3_conn *c);
/* "+ challenge" */
void pop3_challenge(struct pop3_conn *c, struct strv challenge);
/* The answer to CAPA (RFC 2449). */
void pop3_capa(struct pop3_conn *c, const struct pop3_capa *what);

#endif
