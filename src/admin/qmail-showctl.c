/*
 * qmail-showctl: what this home is configured to do, in sentences; with
 * --check, what is wrong with it, file by file and line by line.
 *
 * Anyone may run it.  It reads the control files, users/ and the modes and
 * owners of the home, and changes nothing.  What variables override is left
 * out: the programs that obey them have other environments.
 */
#include "admin/findings.h"
#include "admin/sentence.h"
#include "base/account.h"
#include "base/die.h"
#include "base/env.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/io.h"
#include "base/program.h"
#include "conf/control.h"

#include <config.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
	FORBIDDEN_MODE_BITS = 002, /* of homes and .qmail files */
	OUTPUT_MAX = 256 << 20,    /* bytes */
	DEPTH_MAX = 2              /* control/ and what is below it */
};

static void
add_uid(struct buf *out, const struct installation *installation, int role)
{
	uid_t uid = installation->owner;
	gid_t gid;

	if (installation->by_root &&
	    account_user(role_user((enum role)role), &uid, &gid) != 0)
		buf_add_str(out, "unknown");
	else
		buf_add_u64(out, uid);
}

static void
add_gid(struct buf *out, const struct installation *installation,
    const char *name, gid_t own)
{
	gid_t gid = own;

	if (installation->by_root && account_group(name, &gid) != 0)
		buf_add_str(out, "unknown");
	else
		buf_add_u64(out, gid);
}

static void
add_build(struct buf *out, const struct installation *installation, gid_t own)
{
	buf_addf(out, "qmail home directory: %s.\n", program_home());
	buf_add_str(out, "user-ext delimiter: -.\n");
	buf_addf(out, "paternalism (in decimal): %d.\n", FORBIDDEN_MODE_BITS);
	buf_addf(out, "silent concurrency limit: %" PRId64 ".\n",
	    control_table[CTL_CONCURRENCYLOCAL].max);
	buf_addf(out, "subdirectory split: %d.\n", CONFIG_SPLIT);
	buf_add_str(out, "user ids: ");
	for (int role = 0; role <= ROLE_SEND; role++) {
		if (role == ROLE_PASSWD) /* the owner comes before it */
			buf_addf(
			    out, "%lu, ", (unsigned long)installation->owner);
		add_uid(out, installation, role);
		buf_add_str(out, role == ROLE_SEND ? ".\n" : ", ");
	}
	buf_add_str(out, "group ids: ");
	add_gid(out, installation, account_group_none(), own);
	buf_add_str(out, ", ");
	add_gid(out, installation, account_group_queue(), own);
	buf_add_str(out, ".\n");
}

static bool
is_known(const char *name)
{
	for (enum ctl i = 0; i < CTL_COUNT; i++)
		if (strcmp(control_name(i), name) == 0)
			return true;
	return false;
}

static void
add_no_idea(struct buf *out, const char *name)
{
	buf_add_char(out, '\n');
	sentence_add_printable(out, strv_of(name));
	buf_add_str(out, ": I have no idea what this file does.\n");
}

/* Files below control/ that no program of the suite reads. */
static void
add_unknown(struct buf *out, const char *path, int depth)
{
	struct dirent **entries;
	char below[PATH_MAX];
	int count = scandir(path, &entries, NULL, alphasort);

	for (int i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;
		const char *known = below + strlen("control/");
		struct stat st;

		snprintf(below, sizeof(below), "%s/%s", path, name);
		if (name[0] == '.' || stat(below, &st) < 0)
			st.st_mode = 0;
		if (S_ISDIR(st.st_mode) && depth + 1 < DEPTH_MAX)
			add_unknown(out, below, depth + 1);
		else if (S_ISREG(st.st_mode) && !is_known(known))
			add_no_idea(out, known);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
}

static int
show(const struct installation *installation, gid_t gid, struct buf *out)
{
	add_build(out, installation, gid);
	for (int i = 0; i < CTL_COUNT; i++) {
		buf_add_char(out, '\n');
		sentence_add((enum ctl)i, out);
	}
	add_unknown(out, "control", 0);
	return EX_SUCCESS;
}

static int
check(const struct installation *installation, struct buf *out)
{
	struct findings f = { .installation = *installation,
		.text = BUF_LIMIT(OUTPUT_MAX) };

	check_controls(&f);
	check_users(&f);
	check_home(&f);
	if (f.text.err != 0)
		die_nomem();
	buf_add_view(out, buf_view(&f.text));
	buf_free(&f.text);
	if (f.problems == 0 && f.unseen == 0)
		buf_addf(out, "%s: no problems found\n", program_home());
	return f.problems > 0 ? EX_PERMANENT
	       : f.unseen > 0 ? EX_TEMPORARY
			      : EX_SUCCESS;
}

static void
forget_overrides(void)
{
	for (enum ctl i = 0; i < CTL_COUNT; i++)
		if (control_variable(i) != NULL)
			env_unset(control_variable(i));
}

int
main(int argc, char **argv)
{
	static const struct program program = { "qmail-showctl", PROGRAM_HOME,
		022 };
	struct installation installation;
	struct buf out = BUF_LIMIT(OUTPUT_MAX);
	struct stat st;
	int code;

	program_begin(&program);
	if (argc > 2 || (argc == 2 && strcmp(argv[1], "--check") != 0))
		die_usage("qmail-showctl [--check]");
	if (stat(".", &st) < 0)
		die_errno(EX_TEMPORARY, "unable to stat %s", program_home());
	installation.owner = st.st_uid;
	installation.by_root = st.st_uid == 0;
	forget_overrides();
	code = argc == 2 ? check(&installation, &out)
			 : show(&installation, st.st_gid, &out);
	if (out.err != 0)
		die_nomem();
	if (io_write_all(1, out.data, out.len) != 0)
		die_errno(EX_TEMPORARY, "unable to write");
	buf_free(&out);
	return code;
}
