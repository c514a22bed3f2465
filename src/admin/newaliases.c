/*
 * newaliases [-nr] [file]: makes .qmail files in the directory alias from
 * /etc/aliases; newaliases(8).
 *
 * Run by the owner of the home.  The whole file is understood before anything
 * is written; each .qmail file changes in one step; those that people have
 * made stay as they are.
 */
#include "admin/alias_files.h"
#include "admin/alias_lines.h"
#include "base/account.h"
#include "base/die.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/file.h"
#include "base/io.h"
#include "base/options.h"
#include "base/program.h"
#include "conf/users.h"
#include "mail/aliases.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { DOT_QMAIL_BYTES = 4 << 20, NAME_BYTES = 300 };

struct made {
	struct buf name; /* ".qmail-..." */
	struct buf text;
};

struct job {
	const char *path;
	bool dry_run, replace;
	int dir;
	struct made *items;
	size_t count, cap;
};

static _Noreturn void
die_line(const struct job *job, size_t line, int r, struct strv what)
{
	int code =
	    r == QE_SYNTAX || r == QE_LIMIT ? EX_PERMANENT : EX_TEMPORARY;

	if (r == QE_NOMEM)
		die_nomem();
	what = strv_head(strv_trim_blanks(strv_trim_end(what)), NAME_BYTES);
	die(code, "%s line %zu: " STRV_FMT "%s%s", job->path, line,
	    STRV_ARG(what), what.len > 0 ? ": " : "", error_result_text(r));
}

static struct made *
add_item(struct job *job)
{
	if (job->count == job->cap) {
		job->cap = job->cap == 0 ? 64 : 2 * job->cap;
		job->items =
		    reallocarray(job->items, job->cap, sizeof(*job->items));
		if (job->items == NULL)
			die_nomem();
	}
	job->items[job->count] = (struct made){ .name = BUF_LIMIT(NAME_BYTES),
		.text = BUF_LIMIT(DOT_QMAIL_BYTES) };
	return &job->items[job->count++];
}

/* Mail to an account never comes to the alias of that name. */
static void
warn_of_account(struct strv name, const struct job *job, size_t line)
{
	struct user_entry entry;

	if (users_find_account(name, &entry) != 0)
		return;
	if (strcmp(entry.user, role_user(ROLE_ALIAS)) != 0)
		warn("%s line %zu: " STRV_FMT " is mail of the account %s, "
		     "whose own .qmail files decide",
		    job->path, line, STRV_ARG(name), entry.user);
	user_entry_free(&entry);
}

static void
make(struct job *job, struct strv name, struct strv values, size_t line)
{
	struct made *item = add_item(job);
	struct buf culprit = BUF_INIT;
	int r = alias_file_name(name, &item->name);

	if (r != 0)
		die_line(job, line, r, name);
	buf_addf(&item->text, "%s from %s: change it there\n", ALIAS_MARK,
	    job->path);
	r = alias_add_lines(name, values, &item->text, &culprit);
	if (r != 0)
		die_line(job, line, r, buf_view(&culprit));
	if (buf_cstr(&item->name) == NULL)
		die_nomem();
	buf_free(&culprit);
}

/* "owner-list" is where sendmail sends bounces of list; here "list-owner". */
static void
make_owner(struct job *job, struct strv name, struct strv values, size_t line)
{
	struct strv list = strv_skip(name, sizeof("owner-") - 1);
	struct buf owner = BUF_LIMIT(NAME_BYTES);

	if (!strv_starts_nocase(name, STRV("owner-")) || list.len == 0)
		return;
	buf_add_view(&owner, list);
	buf_add_str(&owner, "-owner");
	make(job, buf_view(&owner), values, line);
	buf_free(&owner);
}

static void
read_aliases(struct job *job)
{
	struct buf text = BUF_LIMIT(ALIASES_FILE_MAX);
	struct aliases a;
	int r = file_read(job->path, &text);

	if (r != 0)
		die(EX_TEMPORARY, "unable to read %s: %s", job->path,
		    error_result_text(r));
	aliases_init(&a, buf_view(&text));
	while ((r = aliases_next(&a)) == 0) {
		struct strv name = buf_view(&a.name);

		warn_of_account(name, job, a.line);
		make(job, name, buf_view(&a.values), a.line);
		make_owner(job, name, buf_view(&a.values), a.line);
	}
	if (r != QE_EOF)
		die_line(job, a.line, r, buf_view(&a.name));
	aliases_free(&a);
	buf_free(&text);
}

static int
compare(const void *left, const void *right)
{
	const struct made *a = left, *b = right;

	return strcmp(a->name.data, b->name.data);
}

static void
refuse_twins(struct job *job)
{
	if (job->count > 0)
		qsort(job->items, job->count, sizeof(*job->items), compare);
	for (size_t i = 1; i < job->count; i++)
		if (compare(&job->items[i - 1], &job->items[i]) == 0)
			die(EX_PERMANENT, "%s: two aliases make %s", job->path,
			    job->items[i].name.data);
}

static void
write_item(const struct job *job, const struct made *item)
{
	enum alias_owner owner;

	if (alias_file_look(job->dir, item->name.data, &owner) != 0)
		die_errno(
		    EX_TEMPORARY, "unable to read alias/%s", item->name.data);
	if (owner == ALIAS_OTHERS && !job->replace) {
		warn("alias/%s is not made from %s: it stays as it is",
		    item->name.data, job->path);
		return;
	}
	if (job->dry_run) {
		printf("alias/%s:\n" STRV_FMT "\n", item->name.data,
		    STRV_ARG(buf_view(&item->text)));
		return;
	}
	if (alias_file_write(
		job->dir, item->name.data, buf_view(&item->text)) != 0)
		die_errno(
		    EX_TEMPORARY, "unable to write alias/%s", item->name.data);
}

static bool
is_made(const struct job *job, const char *name)
{
	for (size_t low = 0, high = job->count; low < high;) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(name, job->items[middle].name.data);

		if (order == 0)
			return true;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}

/* What an earlier run made of aliases that are gone. */
static void
remove_old(const struct job *job)
{
	int fd = openat(job->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	enum alias_owner owner;

	if (dir == NULL)
		die_errno(EX_TEMPORARY, "unable to read alias");
	while ((errno = 0, entry = readdir(dir)) != NULL) {
		const char *name = entry->d_name;

		if (!strv_starts(strv_of(name), STRV(".qmail-")) ||
		    is_made(job, name) ||
		    alias_file_look(job->dir, name, &owner) != 0 ||
		    owner != ALIAS_OURS)
			continue;
		if (job->dry_run)
			printf("alias/%s: removed\n", name);
		else if (unlinkat(job->dir, name, 0) < 0)
			die_errno(
			    EX_TEMPORARY, "unable to remove alias/%s", name);
	}
	if (errno != 0)
		die_errno(EX_TEMPORARY, "unable to read alias");
	closedir(dir);
}

static void
take_options(struct job *job, int argc, char **argv)
{
	struct options o;
	int letter;

	options_init(&o, argc, argv, "nr");
	while ((letter = options_next(&o)) >= 0) {
		if (letter == '?')
			die_usage("newaliases [ -nr ] [ file ]");
		job->dry_run |= letter == 'n';
		job->replace |= letter == 'r';
	}
	if (argc - o.index > 1)
		die_usage("newaliases [ -nr ] [ file ]");
	if (argc - o.index == 1)
		job->path = argv[o.index];
}

int
main(int argc, char **argv)
{
	static const struct program program = { "newaliases", 0, 022 };
	struct job job = { .path = "/etc/aliases", .dir = -1 };

	program_begin(&program);
	take_options(&job, argc, argv);
	read_aliases(&job);
	refuse_twins(&job);
	if (chdir(program_home()) < 0)
		die_errno(
		    EX_TEMPORARY, "unable to chdir to %s", program_home());
	job.dir = open("alias", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (job.dir < 0 || flock(job.dir, LOCK_EX) < 0)
		die_errno(EX_TEMPORARY, "unable to open alias");
	for (size_t i = 0; i < job.count; i++)
		write_item(&job, &job.items[i]);
	remove_old(&job);
	if (!job.dry_run && io_sync(job.dir) != 0)
		die_errno(EX_TEMPORARY, "unable to sync alias");
	if (fflush(stdout) != 0)
		die_errno(EX_TEMPORARY, "unable to write");
	return EX_SUCCESS;
}
