/* qmail-send's control files, at the start and after HUP. */
#include "base/clock.h"
#include "base/error.h"
#include "base/program.h"
#include "conf/control.h"
#include "send/send.h"

#include <stdio.h>
#include <unistd.h>

static void
config_free(struct send_config *config)
{
	buf_free(&config->bouncefrom);
	buf_free(&config->bouncehost);
	buf_free(&config->doublebounceto);
	buf_free(&config->doublebouncehost);
	buf_free(&config->bouncestyle);
}

/* *failed names the file in trouble, err says what and where. */
static int
config_load(
    struct send_config *config, enum ctl *failed, struct control_error *err)
{
	const struct {
		enum ctl id;
		struct buf *out;
	} lines[] = {
		{CTL_BOUNCEFROM,        &config->bouncefrom      },
		{ CTL_BOUNCEHOST,       &config->bouncehost      },
		{ CTL_DOUBLEBOUNCETO,   &config->doublebounceto  },
		{ CTL_DOUBLEBOUNCEHOST, &config->doublebouncehost},
		{ CTL_BOUNCESTYLE,      &config->bouncestyle     },
	};
	const struct {
		enum ctl id;
		int64_t *out;
	} numbers[] = {
		{CTL_QUEUELIFETIME,      &config->lifetime                   },
		{ CTL_CONCURRENCYLOCAL,  &config->concurrency[CHANNEL_LOCAL] },
		{ CTL_CONCURRENCYREMOTE, &config->concurrency[CHANNEL_REMOTE]},
	};
	struct strv style;
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(lines) / sizeof(*lines); i++) {
		*failed = lines[i].id;
		r = control_line(lines[i].id, lines[i].out, err);
	}
	for (size_t i = 0; r == 0 && i < sizeof(numbers) / sizeof(*numbers);
	     i++) {
		*failed = numbers[i].id;
		r = control_int(numbers[i].id, numbers[i].out, err);
	}
	if (r != 0)
		return r;
	style = buf_view(&config->bouncestyle);
	config->is_dsn = strv_eq_nocase(style, STRV("dsn"));
	if (config->is_dsn || strv_eq_nocase(style, STRV("qsbmf")))
		return 0;
	*failed = CTL_BOUNCESTYLE;
	snprintf(err->text, sizeof(err->text),
	    "control/bouncestyle line 1: neither qsbmf nor dsn");
	return QE_SYNTAX;
}

int
config_read(struct send *s)
{
	struct control_error err;
	enum ctl failed;
	int r = config_load(&s->config, &failed, &err);

	if (r == 0)
		r = resolver_open(&s->resolver, &err);
	if (r != 0)
		slog_line(&s->log, "warning: %s", err.text);
	return r;
}

void
config_apply_limits(struct send *s)
{
	for (int c = 0; c < CHANNEL_COUNT; c++) {
		struct lane *lane = &s->lanes[c];
		int64_t wanted = s->config.concurrency[c];

		lane->concurrency =
		    wanted < lane->limit ? (unsigned)wanted : lane->limit;
	}
}

static void
go_back(struct send *s)
{
	while (fchdir(s->queue_fd) < 0) {
		slog_line(&s->log, "alert: unable to switch back to queue "
				   "directory; HELP! sleeping...");
		slog_flush(&s->log);
		clock_sleep_ms(NOMEM_SLEEP * 1000);
	}
}

/*
 * locals and virtualdomains are read by qmail-todo, too; it is the one that
 * routes by them, and it tells us when it cannot read them.
 */
void
config_reread(struct send *s)
{
	struct send_config config = { .lifetime = 0 };
	struct control_error err;
	const char *name;
	enum ctl failed;

	todo_client_tell(s, LINK_REREAD, 0);
	if (chdir(program_home()) < 0) {
		slog_line(&s->log, "alert: unable to reread controls: unable "
				   "to switch to home directory");
		return;
	}
	if (config_load(&config, &failed, &err) == 0) {
		config_free(&s->config);
		s->config = config;
		config_apply_limits(s);
	} else {
		config_free(&config);
		slog_line(&s->log, "warning: %s", err.text);
		slog_line(&s->log, "alert: unable to reread control/%s",
		    control_name(failed));
	}
	/* On failure the old ones stay, and qmail-todo says so. */
	resolver_reread(s->resolver, &name, &err);
	go_back(s);
}
