/*
 * qmail-domain add|remove|list: the domains that are hosted (qmail-domain(8)).
 *
 * Run by root, or by the one user of a home without root.  Changes
 * users/assign, users/cdb, control/virtualdomains, control/rcpthosts and
 * directories below domains/.  Every step can be taken again: what a crash has
 * left half done, the same command completes.
 */
#include "base/die.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/io.h"
#include "base/program.h"
#include "conf/control.h"
#include "conf/logins.h"
#include "hosting/aside.h"
#include "hosting/dotfile.h"
#include "hosting/names.h"
#include "hosting/owner.h"
#include "hosting/site.h"
#include "mail/address.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char usage[] = "qmail-domain add domain | remove domain | list";

/* Ends if this domain would share addresses with one that is there. */
static void
refuse_collision(const struct lines *assign, struct strv name)
{
	struct strv rest = buf_view(&assign->text);
	struct domain other;

	while (rest.len > 0) {
		if (!site_parse_domain(strv_cut(&rest, '\n', NULL), &other))
			continue;
		if (names_collide(name, strv_of(other.name)))
			die(EX_PERMANENT,
			    STRV_FMT " cannot be hosted beside %s: addresses "
				     "of one could be taken for the other's",
			    STRV_ARG(name), other.name);
		domain_free(&other);
	}
}

/* The first uid of our range behind all that are in use. */
static uid_t
free_uid(const struct lines *assign)
{
	struct strv rest = buf_view(&assign->text);
	uid_t next = SITE_UID_FIRST;
	struct domain d;

	if (geteuid() != 0)
		return geteuid();
	while (rest.len > 0) {
		if (!site_parse_domain(strv_cut(&rest, '\n', NULL), &d))
			continue;
		if (d.uid >= next && d.uid <= SITE_UID_LAST)
			next = d.uid + 1;
		domain_free(&d);
	}
	if (next > SITE_UID_LAST)
		die(EX_PERMANENT, "no uid from %d to %d is free",
		    SITE_UID_FIRST, SITE_UID_LAST);
	return next;
}

/* Puts the domain into users/assign, unless it is there. */
static void
assign_domain(struct strv name, struct domain *d)
{
	struct buf key = BUF_INIT, line = BUF_INIT;
	struct lines assign;
	struct strv old;
	uid_t uid;

	site_add_key(&key, name);
	site_load(SITE_ASSIGN, 0644, &assign);
	assign.has_end = true;
	if (lines_find(&assign, buf_view(&key), &old)) {
		if (!site_parse_domain(old, d))
			die(EX_PERMANENT,
			    "%s has a line for " STRV_FMT
			    " that is not of qmail-domain's making",
			    SITE_ASSIGN, STRV_ARG(buf_view(&key)));
	} else {
		refuse_collision(&assign, name);
		uid = free_uid(&assign);
		buf_add_view(&line, buf_view(&key));
		buf_addf(&line,
		    ":" STRV_FMT ":%ld:%ld:%s/domains/" STRV_FMT ":-::",
		    STRV_ARG(name), (long)uid,
		    (long)(geteuid() == 0 ? (gid_t)uid : getegid()),
		    program_home(), STRV_ARG(name));
		if (line.err != 0 || !site_parse_domain(buf_view(&line), d))
			die(EX_PERMANENT,
			    "%s: a home with a colon in its name "
			    "cannot host domains",
			    program_home());
		lines_set(&assign, buf_view(&key), buf_view(&line));
	}
	site_save(&assign, SITE_ASSIGN);
	buf_free(&key);
	buf_free(&line);
}

static void
make_directory(const char *path, mode_t mode)
{
	if (mkdir(path, mode) < 0 && errno != EEXIST)
		die_errno(EX_TEMPORARY, "unable to make %s", path);
}

/* domains/ is root's, so nobody can put anything in this place first. */
static void
make_home(const struct domain *d)
{
	make_directory("domains", 0711);
	make_directory(d->home, 0700);
	if (geteuid() == 0 && lchown(d->home, d->uid, d->gid) < 0)
		die_errno(EX_TEMPORARY, "unable to give %s to uid %ld", d->home,
		    (long)d->uid);
	if (io_sync_dir("domains") != 0 || io_sync_dir(".") != 0)
		die_errno(EX_TEMPORARY, "unable to flush domains/");
}

/* RFC 5321 section 4.5.1: postmaster is always there. */
static int
make_postmaster(const struct domain *d, const void *arg)
{
	const char *me = arg;
	struct buf text = BUF_INIT;
	enum dotfile_kind kind;
	int r = dotfile_read(STRV("postmaster"), &kind, NULL);

	buf_addf(&text, "&postmaster@%s\n", me);
	if (r == 0 && kind == DOTFILE_NONE && text.err == 0)
		r = dotfile_write(STRV("postmaster"), buf_view(&text));
	if (r == 0)
		r = text.err;
	if (r != 0)
		die(EX_TEMPORARY, "unable to write %s/.qmail-postmaster: %s",
		    d->home, error_result_text(r));
	buf_free(&text);
	return 0;
}

/* One line more or less in a control file that lists domains. */
static void
list_domain(const char *path, struct strv name, const char *line)
{
	struct lines lines;
	struct strv old;

	site_load(path, 0644, &lines);
	if (line != NULL && lines_find(&lines, name, &old) &&
	    strv_eq_nocase(strv_trim_end(old), strv_of(line))) {
		lines_free(&lines);
		return;
	}
	if (line != NULL)
		lines_set(&lines, name, strv_of(line));
	else
		lines_remove(&lines, name);
	site_save(&lines, path);
}

/* Without the file, the names of control/virtualdomains are accepted. */
static void
accept_domain(struct strv name, const char *line)
{
	if (access(SITE_RCPTHOSTS, F_OK) == 0)
		list_domain(SITE_RCPTHOSTS, name, line);
}

static void
add(struct strv name)
{
	struct control_error err;
	struct buf me = BUF_INIT, line = BUF_INIT;
	struct domain d;

	buf_addf(&line, STRV_FMT ":" STRV_FMT, STRV_ARG(name), STRV_ARG(name));
	if (line.err != 0 || control_line(CTL_ME, &me, &err) != 0 ||
	    buf_cstr(&me) == NULL || buf_cstr(&line) == NULL)
		die(EX_TEMPORARY, "%s",
		    line.err != 0 ? "out of memory" : err.text);
	assign_domain(name, &d);
	make_home(&d);
	owner_run(&d, make_postmaster, me.data);
	site_compile_users();
	list_domain(SITE_VIRTUALDOMAINS, name, line.data);
	site_reload_send();
	accept_domain(name, d.name);
	printf("%s is hosted in %s, uid %ld\n", d.name, d.home, (long)d.uid);
	domain_free(&d);
	buf_free(&me);
	buf_free(&line);
}

/* All logins of the domain. */
static void
remove_logins(struct strv name)
{
	struct buf kept = BUF_LIMIT(SITE_FILE_MAX);
	struct lines lines;
	struct strv rest;

	site_load(LOGINS_TEXT, 0600, &lines);
	rest = buf_view(&lines.text);
	while (rest.len > 0) {
		struct strv line = strv_cut(&rest, '\n', NULL);
		struct strv key = line;

		key = strv_cut(&key, ':', NULL);
		if (strv_eq_nocase(address_domain(key), name))
			continue;
		buf_add_view(&kept, line);
		buf_add_char(&kept, '\n');
	}
	if (!lines.present) {
		lines_free(&lines);
		buf_free(&kept);
		return;
	}
	buf_free_secret(&lines.text);
	lines.text = kept;
	site_save(&lines, LOGINS_TEXT);
	site_compile_logins();
}

/*
 * Mail is never deleted: the directory goes aside, and to root, as the uid may
 * be another domain's some day.
 */
static void
set_home_aside(const struct domain *d)
{
	struct buf aside = BUF_LIMIT(PATH_MAX);
	int r = aside_move(d->home, "domains/", strv_of(d->name), &aside);

	if (r == QE_ABSENT)
		return;
	if (r != 0)
		die(EX_TEMPORARY, "unable to rename %s: %s", d->home,
		    error_result_text(r));
	if (geteuid() == 0 && lchown(aside.data, 0, 0) < 0)
		die_errno(
		    EX_TEMPORARY, "unable to give %s to root", aside.data);
	printf("the mail of %s is in %s/%s; remove it when nobody misses it\n",
	    d->name, program_home(), aside.data);
	buf_free(&aside);
}

static void
remove_domain(struct strv name)
{
	struct buf key = BUF_INIT;
	struct lines assign;
	struct domain d;

	site_need_domain(name, &d);
	site_add_key(&key, name);
	if (access(SITE_RCPTHOSTS, F_OK) == 0)
		list_domain(SITE_RCPTHOSTS, name, NULL);
	list_domain(SITE_VIRTUALDOMAINS, name, NULL);
	site_reload_send();
	remove_logins(name);
	set_home_aside(&d);
	/* Last, so that the command can be given again until all is done. */
	site_load(SITE_ASSIGN, 0644, &assign);
	assign.has_end = true;
	lines_remove(&assign, buf_view(&key));
	site_save(&assign, SITE_ASSIGN);
	site_compile_users();
	domain_free(&d);
	buf_free(&key);
}

static void
list(void)
{
	struct lines assign;
	struct strv rest;
	struct domain d;

	site_load(SITE_ASSIGN, 0644, &assign);
	rest = buf_view(&assign.text);
	while (rest.len > 0) {
		if (!site_parse_domain(strv_cut(&rest, '\n', NULL), &d))
			continue;
		printf("%s\t%ld\t%s\n", d.name, (long)d.uid, d.home);
		domain_free(&d);
	}
	lines_free(&assign);
}

int
main(int argc, char **argv)
{
	static const struct program program = { "qmail-domain", PROGRAM_FD1,
		022 };
	struct buf name = BUF_LIMIT(HOSTING_DOMAIN_MAX);

	program_begin(&program);
	if (argc == 2 && strcmp(argv[1], "list") == 0) {
		site_enter();
		list();
		return fflush(stdout) == 0 ? EX_SUCCESS : EX_TEMPORARY;
	}
	if (argc != 3 ||
	    (strcmp(argv[1], "add") != 0 && strcmp(argv[1], "remove") != 0))
		die_usage(usage);
	buf_add_lower(&name, strv_of(argv[2]));
	if (name.err != 0 || !names_is_domain(buf_view(&name)))
		die(EX_PERMANENT, "%s is no domain name", argv[2]);
	site_enter();
	if (argv[1][0] == 'a')
		add(buf_view(&name));
	else
		remove_domain(buf_view(&name));
	buf_free(&name);
	return fflush(stdout) == 0 ? EX_SUCCESS : EX_TEMPORARY;
}
