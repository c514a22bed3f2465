/*
 * What a check is: one file in checks/ that looks at the session and returns
 * a verdict.  It never writes to the client and never changes the session;
 * what it has to remember goes into the notes.
 */
#ifndef SMTPD_CHECK_H
#define SMTPD_CHECK_H

#include "conf/check_modes.h"
#include "conf/control.h"
#include "conf/hosts.h"
#include "smtp/reply.h"

#include <stdbool.h>
#include <stddef.h>

struct clamd;
struct origin;
struct pattern_list;
struct rcptcheck;
struct realrcptto;
struct session;
struct validrcptto;

/*
 * In the order of a conversation.  RELAY decides who may send where, and is
 * apart from the checks of RCPT so that no whitelist opens the relay.
 */
enum stage {
	STAGE_CONNECT,
	STAGE_HELO,
	STAGE_MAIL,
	STAGE_RELAY,
	STAGE_RCPT,
	STAGE_DATA,
	STAGE_CONTENT,
	STAGE_COUNT
};

enum verdict_kind {
	VERDICT_PASS,   /* no opinion: the next check is asked */
	VERDICT_TARPIT, /* the same, but the answer is delayed */
	VERDICT_GOOD,   /* the same, and the sender of this message is good */
	VERDICT_ACCEPT, /* ends the stage */
	VERDICT_REJECT  /* ends the stage; the reply says why */
};

/* What calls for a delay of the answer. */
enum tarpit_cause {
	TARPIT_NONE,
	TARPIT_REJECTION, /* a check said no: if tarpitdelay was set by hand */
	TARPIT_LIMIT      /* a limit was passed */
};

struct verdict {
	enum verdict_kind kind;
	enum tarpit_cause tarpit;
	struct reply reply;
};

enum check_skip {
	SKIP_TRUSTED = 1,    /* not for sessions that may relay */
	SKIP_POSTMASTER = 2, /* not for mail to postmaster */
	SKIP_GOOD_SENDER = 4 /* not where goodmailfrom has hit */
};

enum { CHECKS_MAX = 32 };

/* Lists of expressions that checks read when they first need them. */
enum bmcheck_list {
	BMCHECK_HELO,
	BMCHECK_FROM,
	BMCHECK_TO,
	BMCHECK_GOOD,
	BMCHECK_COUNT
};

struct bmcheck {
	bool is_open; /* the rest is known */
	int result;   /* of reading it; QE_ABSENT: nothing to ask */
	struct pattern_list *patterns;
	const char *path;
	char *moved; /* owned: path, where a variable named it */
	unsigned reports;
};

/* What checks leave for later ones and for themselves. */
struct notes {
	struct rcpthosts *rcpthosts; /* opened at the first recipient */
	/* The same, each by the check of its name. */
	struct rcptcheck *rcptcheck;
	struct validrcptto *validrcptto;
	struct realrcptto *realrcptto;
	struct clamd *clamd;
	struct origin *origin; /* what mfcheck, mxblacklist asked */
	bool good_sender;      /* of this transaction: VERDICT_GOOD */
	/* A rejection that the client hears at a later stage, or again. */
	const struct check *held_by; /* NULL: none */
	enum stage held_until;
	struct verdict held_verdict;
	struct bmcheck bmchecks[BMCHECK_COUNT];
	struct control_set date_rules;     /* control/datechecks */
	bool has_date_rules;               /* it was read */
	enum check_mode modes[CHECKS_MAX]; /* by place in the list */
	enum check_mode plugins_mode;
};

struct check {
	const char *name;         /* log tag, title, name of its test */
	enum stage stage, report; /* when it runs; when the client hears it */
	unsigned skip;            /* enum check_skip bits */
	bool is_of_login; /* about who has logged in: no plugin spares it */
	const enum ctl *controls; /* all it may read; ends with CTL_COUNT */
	struct verdict (*run)(const struct session *, struct notes *);
};

extern const struct check *const checks_list[];
extern const size_t checks_count;

void notes_init(struct notes *notes);
/* control/checks: which are off or only watch.  0 or a negative code. */
int notes_load_modes(struct notes *notes, struct control_error *err);
/* Forgets what belongs to a transaction. */
void notes_reset(struct notes *notes);
void notes_free(struct notes *notes);
void bmchecks_free(struct notes *notes);

#endif
