/*
 * What runs as qmail-remote.  A program that an administrator has put in its
 * place expects the classic call, once for each delivery; so does a script of
 * that name in $PATH.  Only qmail-remote itself is asked to stay alive.  As
 * long as control/qmailremote cannot be read, nothing runs in its place: mail
 * that was to go through a filter does not go around it.
 */
#include "base/die.h"
#include "base/env.h"
#include "base/error.h"
#include "base/io.h"
#include "conf/control.h"
#include "send/rspawn.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char own_name[] = "qmail-remote";

enum { MAGIC = 4 };

/* Opens what execvp(3) would run: a descriptor or -1. */
static int
open_program(void)
{
	const char *path = env_get("PATH");
	struct strv rest = strv_of(path == NULL ? "/usr/bin:/bin" : path);
	struct buf name = BUF_INIT;
	bool more = true;
	int fd = -1;

	while (more && fd < 0) {
		struct strv dir = strv_cut(&rest, ':', &more);

		buf_reset(&name);
		buf_add_view(&name, dir.len == 0 ? STRV(".") : dir);
		buf_add_char(&name, '/');
		buf_add_str(&name, own_name);
		if (buf_cstr(&name) != NULL && access(name.data, X_OK) == 0)
			fd = open(name.data, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	}
	buf_free(&name);
	return fd;
}

static void
look_at_program(struct stand_in *s)
{
	int fd = open_program();
	struct stat st = { .st_ino = 0 };
	char magic[MAGIC] = { 0 };
	uint64_t changed;

	if (fd >= 0 && fstat(fd, &st) < 0)
		st.st_ino = 0;
	changed = (uint64_t)st.st_ctim.tv_sec * 1000000000 +
		  (uint64_t)st.st_ctim.tv_nsec;
	if (st.st_dev == s->device && st.st_ino == s->inode &&
	    changed == s->changed) {
		io_close(&fd);
		return;
	}
	s->device = st.st_dev;
	s->inode = st.st_ino;
	s->changed = changed;
	s->generation++;
	s->classic_until_ms = 0;
	/* One that may be run but not read is no script. */
	s->is_native = fd < 0 || (io_read(fd, magic, MAGIC) == MAGIC &&
				     memcmp(magic, "\177ELF", MAGIC) == 0);
	io_close(&fd);
}

/* Said once, not at each look; while it lasts nobody knows what to run. */
static void
keep_trouble(struct stand_in *s, const char *text)
{
	if (strcmp(s->trouble, text) == 0)
		return;
	snprintf(s->trouble, sizeof(s->trouble), "%s", text);
	if (*text != '\0')
		warn("%s", text);
}

static void
complain(struct control_error *error, const char *why)
{
	snprintf(
	    error->text, sizeof(error->text), "control/qmailremote: %s", why);
}

void
stand_in_look(struct rspawn *r)
{
	struct stand_in *s = &r->stand_in;
	struct control_error error = { .text = "" };
	int result;

	s->environment = env_get("QMAILREMOTE");
	if (s->environment != NULL && *s->environment == '\0')
		s->environment = NULL;
	buf_reset(&s->control);
	result = control_line(CTL_QMAILREMOTE, &s->control, &error);
	/* It is run by this name: a C string, or not at all. */
	if (result == 0 && buf_cstr(&s->control) == NULL)
		complain(&error, error_result_text(QE_NOMEM));
	else if (result == 0 && s->control.len == 0)
		complain(&error, "names no program; without the file, "
				 "qmail-remote runs");
	keep_trouble(s, result == QE_ABSENT ? "" : error.text);
	look_at_program(s);
}

const char *
stand_in_trouble(const struct rspawn *r)
{
	const struct stand_in *s = &r->stand_in;

	/* What overrides the file needs no file. */
	return s->environment == NULL && s->trouble[0] != '\0' ? s->trouble
							       : NULL;
}

const char *
stand_in_path(const struct rspawn *r)
{
	const struct stand_in *s = &r->stand_in;

	if (s->environment != NULL)
		return s->environment;
	return s->control.len > 0 ? s->control.data : own_name;
}

bool
stand_in_is_classic(const struct rspawn *r)
{
	const struct stand_in *s = &r->stand_in;

	return s->environment != NULL || s->control.len > 0 || !s->is_native ||
	       r->now_ms < s->classic_until_ms;
}
