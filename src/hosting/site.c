/* The home that the hosting tools change: lock, files, domains. */
#include "hosting/site.h"
#include "base/clock.h"
#include "base/die.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/io.h"
#include "base/program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

enum {
	LOCK_TRY_NS = 50000000, /* between tries */
	ASSIGN_FIELDS = 7       /* behind the key, with the empty last one */
};

#define LOCK_FILE "users/hosting.lock"

void
site_enter(void)
{
	const struct timespec pause = { .tv_nsec = LOCK_TRY_NS };
	int64_t deadline = clock_deadline(SITE_LOCK_SECONDS);
	int fd;

	if (chdir(program_home()) < 0)
		die_errno(
		    EX_TEMPORARY, "unable to switch to %s", program_home());
	fd = open(LOCK_FILE, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		die_errno(EX_TEMPORARY, "unable to open %s", LOCK_FILE);
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			die_errno(EX_TEMPORARY, "unable to lock %s", LOCK_FILE);
		if (clock_mono_ms() >= deadline)
			die(EX_TEMPORARY,
			    "%s is held by another tool for %d seconds",
			    LOCK_FILE, SITE_LOCK_SECONDS);
		nanosleep(&pause, NULL);
	}
}

void
site_load(const char *path, mode_t mode, struct lines *out)
{
	int r = lines_load(path, SITE_FILE_MAX, mode, out);

	if (r != 0)
		die(EX_TEMPORARY, "unable to read %s: %s", path,
		    error_result_text(r));
}

void
site_save(struct lines *lines, const char *path)
{
	int r = lines_save(lines, path);

	if (r != 0)
		die(EX_TEMPORARY, "unable to write %s: %s", path,
		    error_result_text(r));
	lines_free(lines);
}

void
site_add_key(struct buf *out, struct strv domain)
{
	buf_add_char(out, '+');
	buf_add_lower(out, domain);
	buf_add_char(out, '-');
}

static bool
take_id(struct strv *rest, uint64_t *id)
{
	return strv_to_u64(strv_cut(rest, ':', NULL), INT32_MAX, id) == 0 &&
	       *id != 0;
}

/* Only lines of just the form that we write: "-" and no more behind home. */
bool
site_parse_domain(struct strv line, struct domain *out)
{
	struct strv key = strv_cut(&line, ':', NULL);
	struct strv name = strv_cut(&line, ':', NULL);
	struct strv home;
	uint64_t uid, gid;

	if (key.len != name.len + 2 || key.ptr[0] != '+' ||
	    key.ptr[key.len - 1] != '-' ||
	    !strv_eq(strv_head(strv_skip(key, 1), name.len), name) ||
	    strv_find(name, '.') == STRV_NPOS || !take_id(&line, &uid) ||
	    !take_id(&line, &gid))
		return false;
	home = strv_cut(&line, ':', NULL);
	if (home.len == 0 || home.ptr[0] != '/' ||
	    !strv_eq(strv_trim_end(line), STRV("-::")))
		return false;
	*out = (struct domain){ .uid = (uid_t)uid, .gid = (gid_t)gid };
	buf_add_view(&out->bytes, name);
	buf_add_char(&out->bytes, '\0');
	buf_add_view(&out->bytes, home);
	if (buf_cstr(&out->bytes) == NULL)
		die_nomem();
	out->name = out->bytes.data;
	out->home = out->bytes.data + name.len + 1;
	return true;
}

bool
site_find_domain(struct strv name, struct domain *out)
{
	struct buf key = BUF_INIT;
	struct lines lines;
	struct strv line;
	bool found;

	site_add_key(&key, name);
	if (key.err != 0)
		die_nomem();
	site_load(SITE_ASSIGN, 0644, &lines);
	found = lines_find(&lines, buf_view(&key), &line) &&
		site_parse_domain(line, out);
	lines_free(&lines);
	buf_free(&key);
	return found;
}

void
site_need_domain(struct strv name, struct domain *out)
{
	if (!site_find_domain(name, out))
		die(EX_PERMANENT,
		    STRV_FMT " is not hosted here (qmail-domain list tells "
			     "what is)",
		    STRV_ARG(name));
}

void
domain_free(struct domain *d)
{
	buf_free(&d->bytes);
	*d = (struct domain){ .name = NULL };
}
