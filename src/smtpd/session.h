/*
 * One connection: the two descriptors, the settings, what the environment
 * says of the peer, what HELO said, and the present transaction.
 *
 * Everything about a client lives here, everything about a message in
 * struct transaction, so that RSET is one call and no flag survives it.
 */
#ifndef SMTPD_SESSION_H
#define SMTPD_SESSION_H

#include "base/buf.h"
#include "base/io.h"
#include "smtp/reply.h"
#include "smtp/ucspi_tls.h"
#include "smtpd/check.h"
#include "smtpd/settings.h"
#include "smtpd/transaction.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	SESSION_IN = 16384, /* bytes read at a time */
	SESSION_OUT = 4096, /* bytes of replies written at a time */
	/* Bytes that need no malloc(3): a command, which may be AUTH with a
	 * secret; a reply; a name. */
	SESSION_LINE = 1032,
	SESSION_SCRATCH = 512,
	SESSION_HELO = 128,
	SESSION_SECONDS_MAX = 21600,  /* of a whole session, whatever it does */
	SESSION_BLOCK = 4096,         /* bytes of data due within a timeout */
	SESSION_JUNK_MAX = 20,        /* commands refused for form or order */
	SESSION_IDLE_MAX = 1000,      /* NOOP and the like between messages */
	SESSION_LINGER_MS = 1000,     /* for the last reply to arrive */
	SESSION_LINGER_BYTES = 262144 /* of input thrown away meanwhile */
};

enum session_state {
	SESSION_OPEN,
	SESSION_QUIT,   /* ended in good order */
	SESSION_CLOSED, /* ended by us, after a last reply */
	SESSION_GONE    /* the client is not there any more */
};

/* Borrowed from the environment; the empty view where it says nothing. */
struct peer {
	struct strv remote_ip, remote_host, remote_info;
	struct strv local_ip, local_host;
};

struct auth;
struct fingerprint;
struct plugins;

struct session {
	enum session_state state;
	struct settings settings;
	struct peer peer;
	struct ucspi_tls tls;
	struct auth *auth;        /* smtpd/auth.h; NULL: no AUTH here */
	bool relay;               /* may send to any recipient */
	struct strv relay_suffix; /* appended to its recipients */
	struct strv spam_to;      /* $BLACKLISTED; empty: no known spammer */
	bool is_forgiven;         /* whatever $BLACKLISTED says */
	struct strv fixed_to;     /* $RCPTTOFIXED; empty: as addressed */
	int64_t spam_size_max;    /* as settings.size_max, for spammers */
	bool extended;            /* EHLO was said */
	bool hides_input;         /* what is no command may be a secret */
	struct buf helo;          /* name given in HELO or EHLO */
	struct buf os;            /* as p0f sees the client; empty: no guess */
	struct transaction tx;
	struct notes notes;              /* what checks remember */
	struct plugins *plugins;         /* NULL: none are configured */
	struct fingerprint *fingerprint; /* NULL before the first message */
	int64_t deadline_ms;             /* of the whole session */
	unsigned junk, idle;
	struct buf line;    /* the present command */
	struct buf scratch; /* the reply under way */
	struct source in;
	struct sink out;
	/*
	 * The last members, and not zeroed: idle sessions are many.  The short
	 * ones are where the buffers above begin.
	 */
	char line_data[SESSION_LINE];
	char scratch_data[SESSION_SCRATCH];
	char helo_data[SESSION_HELO];
	char in_data[SESSION_IN];
	char out_data[SESSION_OUT];
};

/* Reads the environment; the settings are loaded by the caller. */
void session_init(struct session *s, int in_fd, int out_fd);
/* Again, after a change of the environment: the peer; $RELAYCLIENT. */
void session_read_peer(struct session *s);
void session_read_relay(struct session *s);
/* After the settings are known: limits and timeouts take effect. */
void session_apply_settings(struct session *s);
void session_free(struct session *s);
/*
 * As if the client had just connected: whatever it said or proved so far is
 * forgotten (RFC 3207 section 4.2).  Its counts of nonsense stay.
 */
void session_restart(struct session *s);
/* With $SMTPS: TLS, before the first word.  False: the client is gone. */
bool session_start_implicit_tls(struct session *s);

/*
 * Reads the next command into s->line.  What was answered so far leaves
 * before this has to wait.  0 with *flaws, QE_EOF, QE_TIMEOUT, QE_SYS.
 */
int session_read_command(struct session *s, unsigned *flaws);
/* A deadline in so many seconds, or the session's own if that is sooner. */
int64_t session_deadline(const struct session *s, int64_t seconds);

/* Says a reply, or nothing if its code is 0; obeys reply->close. */
void session_say(struct session *s, const struct reply *reply);
/* One line of a longer reply. */
void session_say_line(struct session *s, int code, struct strv text, bool last);
void session_greet(struct session *s);
/* Sends what waits; a failure ends the session. */
void session_flush(struct session *s);
/* A reply after which the connection is closed. */
struct reply session_farewell(int code, const char *enhanced, const char *text);
/* The client is not there any more. */
void session_vanish(struct session *s);
/* After a failed read: what there is to say, and the end of the session. */
struct reply session_lost(struct session *s, int result);
/*
 * Ends the conversation: the last reply goes out, and is not lost to a reset
 * because of input that nobody reads.
 */
void session_finish(struct session *s);

/*
 * True if the client has closed its side and nothing of it is left to read.
 * Does not wait.
 */
bool session_is_abandoned(const struct session *s);

/* Largest message of this client, in bytes; 0: no limit. */
int64_t session_size_max(const struct session *s);

/* RFC 3848: the "with" of the Received field. */
struct strv session_protocol(const struct session *s);
/* "TLSv1.3 TLS_AES_256_GCM_SHA384" for it, in s->line; empty without TLS. */
struct strv session_tls_comment(struct session *s);

#endif
