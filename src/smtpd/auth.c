/*
 * The state of AUTH in a session, its controls, and what a success changes.
 * The conversation itself is in smtpd/auth_exchange.c.
 */
#include "smtpd/auth.h"
#include "base/error.h"
#include "smtpd/trust.h"

static int
load(struct auth *a, struct control_error *err)
{
	int64_t old;
	const struct {
		enum ctl id;
		int64_t *value;
	} numbers[] = {
		{CTL_AUTH_SMTP,     &a->allowed_clear},
		{ CTL_AUTH_SMTPS,   &a->allowed_tls  },
		{ CTL_AUTH_DELAY,   &a->delay        },
		{ CTL_AUTH_OLDAUTH, &old             },
		{ CTL_AUTH_TIMEOUT, &a->seconds      },
	};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		int r = control_int(numbers[i].id, numbers[i].value, err);

		if (r != 0)
			return r;
	}
	a->shows_old = old > 0;
	return 0;
}

int
auth_open(struct session *s, struct auth *a, char *const *checker,
    struct control_error *err)
{
	size_t line_max = (size_t)s->settings.command_max;
	int r;

	if (checker[0] == NULL)
		return 0;
	*a = (struct auth){ .checker = checker,
		.line = BUF_LIMIT(SASL_LINE_MAX),
		.user = BUF_IN(a->user_data, SASL_USER_MAX) };
	r = load(a, err);
	s->auth = a;
	/* A line that may hold a password grows in place. */
	if (line_max > AUTH_LINE_RESERVE)
		line_max = AUTH_LINE_RESERVE;
	if (r == 0 && buf_reserve(&s->line, line_max) == NULL)
		r = s->line.err;
	return r;
}

void
auth_free(struct session *s)
{
	if (s->auth == NULL)
		return;
	buf_free_secret(&s->auth->line);
	buf_free(&s->auth->user);
	s->auth = NULL;
}

unsigned
auth_allowed(const struct session *s)
{
	/* Clients say their password to a list, without waiting for a reply. */
	if (s->auth == NULL || ucspi_tls_is_required(&s->tls))
		return 0;
	return (unsigned)(ucspi_tls_is_on(&s->tls) ? s->auth->allowed_tls
						   : s->auth->allowed_clear);
}

bool
auth_is_done(const struct session *s)
{
	return s->auth != NULL && s->auth->mechanism != NULL;
}

struct strv
auth_user(const struct session *s)
{
	return auth_is_done(s) ? buf_view(&s->auth->user) : STRV_EMPTY;
}

struct strv
auth_method(const struct session *s)
{
	return auth_is_done(s) ? strv_of(s->auth->mechanism->name) : STRV_EMPTY;
}

int
auth_succeed(struct session *s, const struct sasl *x)
{
	struct auth *a = s->auth;

	buf_reset(&a->user);
	buf_add_view(&a->user, buf_view(&x->user));
	if (a->user.err != 0)
		return a->user.err;
	a->mechanism = x->mechanism;
	a->failures = 0;
	a->relays_anyway = s->relay;
	a->forgiven_anyway = s->is_forgiven;
	s->relay = true;
	trust_forgive(s);
	return 0;
}

void
auth_forget(struct session *s)
{
	if (!auth_is_done(s))
		return;
	s->auth->mechanism = NULL;
	buf_reset(&s->auth->user);
	/* A plugin may have taken that away meanwhile. */
	s->relay = s->relay && s->auth->relays_anyway;
	s->is_forgiven = s->auth->forgiven_anyway;
}

bool
auth_describe(const struct session *s, struct buf *line)
{
	size_t before = line->len;

	if (auth_is_done(s))
		return false;
	sasl_add_names(line, auth_allowed(s));
	return line->len > before;
}

/* Clients that do not know how the line is written know only LOGIN. */
bool
auth_describe_old(const struct session *s, struct buf *line)
{
	(void)line;
	return s->auth != NULL && s->auth->shows_old && !auth_is_done(s) &&
	       (auth_allowed(s) & SASL_LOGIN) != 0;
}
