/*
 * qmail-pw2u: the password file on standard input to lines for users/assign
 * on standard output (qmail-pw2u(8)).
 *
 * Reads users/include, exclude, mailnames, subusers and append of the home,
 * and looks at home directories; writes no file.
 */
#include "base/account.h"
#include "base/buf.h"
#include "base/die.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/file.h"
#include "base/io.h"
#include "base/options.h"
#include "base/program.h"
#include "conf/control.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	INPUT_MAX = 256 << 20, /* bytes of the password file */
	OUTPUT_BUFFER = 8192,
	PASSWD_FIELDS = 7
};

enum home_rule { SKIP_WITHOUT_HOME, STOP_WITHOUT_HOME, ANY_HOME };

struct account {
	struct strv user, uid, gid, home; /* views into the input */
};

struct work {
	enum home_rule home_rule;
	bool keep_upper_case;
	bool with_extensions;
	char separator;
	const char *dash;
	struct control_set include, exclude, mailnames;
	struct account *accounts; /* those that got lines */
	size_t count, cap;
	bool alias_found;
	struct buf line;
	struct sink out;
	char storage[OUTPUT_BUFFER];
};

static _Noreturn void
die_unable(const char *what)
{
	die(EX_TEMPORARY, "unable to %s", what);
}

static void
put_line(struct work *work)
{
	if (work->line.err != 0)
		die(EX_TEMPORARY, "out of memory");
	if (sink_put(&work->out, work->line.data, work->line.len) != 0)
		die_unable("write output");
	buf_reset(&work->line);
}

/* "=address:user:uid:gid:home:dash:ext:" and a line end. */
static void
put_assignment(struct work *work, struct strv key, const char *key_end,
    const struct account *account, const char *dash, struct strv ext,
    const char *ext_end)
{
	struct buf *line = &work->line;

	buf_add_view(line, key);
	buf_add_str(line, key_end);
	buf_addf(line,
	    ":" STRV_FMT ":" STRV_FMT ":" STRV_FMT ":" STRV_FMT ":%s:",
	    STRV_ARG(account->user), STRV_ARG(account->uid),
	    STRV_ARG(account->gid), STRV_ARG(account->home), dash);
	buf_add_view(line, ext);
	buf_addf(line, "%s:\n", ext_end);
	put_line(work);
}

/* The lines for one name that account goes by. */
static void
put_name(struct work *work, struct strv name, const struct account *account)
{
	const char end[2] = { work->separator, '\0' };

	buf_add_char(&work->line, '=');
	put_assignment(work, name, "", account, "", STRV_EMPTY, "");
	if (!work->with_extensions)
		return;
	buf_add_char(&work->line, '+');
	put_assignment(work, name, end, account, work->dash, STRV_EMPTY, "");
}

static void
put_account(struct work *work, const struct account *account)
{
	const struct control_entry *names =
	    control_set_find(&work->mailnames, account->user);
	struct strv rest;

	if (strv_eq(account->user, strv_of(role_user(ROLE_ALIAS)))) {
		work->alias_found = true;
		buf_add_char(&work->line, '+');
		put_assignment(
		    work, STRV_EMPTY, "", account, work->dash, STRV_EMPTY, "");
	}
	if (names == NULL) {
		put_name(work, account->user, account);
		return;
	}
	for (rest = names->value; rest.len > 0;) {
		struct strv name = strv_cut(&rest, ':', NULL);

		if (name.len > 0)
			put_name(work, name, account);
	}
}

/* True if the rules about home directories let the account in. */
static bool
home_is_good(const struct work *work, const struct account *account)
{
	struct buf path = BUF_INIT;
	struct stat st;
	uint64_t uid = 0;
	bool good = false;

	if (work->home_rule == ANY_HOME)
		return true;
	buf_add_view(&path, account->home);
	if (buf_cstr(&path) == NULL)
		die(EX_TEMPORARY, "out of memory");
	if (stat(path.data, &st) < 0) {
		if (work->home_rule == STOP_WITHOUT_HOME ||
		    error_is_temporary(errno))
			die(EX_TEMPORARY, "unable to stat %s", path.data);
	} else {
		good = strv_to_u64(account->uid, UINT32_MAX, &uid) == 0 &&
		       st.st_uid == uid;
	}
	buf_free(&path);
	return good;
}

static bool
has_upper_case(struct strv name)
{
	for (size_t i = 0; i < name.len; i++)
		if (name.ptr[i] != ascii_lower(name.ptr[i]))
			return true;
	return false;
}

/* A line of the password file; false if it is none, or root's. */
static bool
parse_account(struct strv line, struct account *out)
{
	struct strv field[PASSWD_FIELDS] = {
		{NULL, 0}
	};
	uint64_t uid, gid;
	bool more = true;

	if (strv_find(line, '\0') != STRV_NPOS)
		return false;
	for (size_t i = 0; i < PASSWD_FIELDS; i++) {
		if (!more)
			return false;
		field[i] = strv_cut(&line, ':', &more);
	}
	if (field[0].len == 0 ||
	    strv_to_u64(field[2], UINT32_MAX - 1, &uid) != 0 ||
	    strv_to_u64(field[3], UINT32_MAX - 1, &gid) != 0)
		return false;
	*out = (struct account){ field[0], field[2], field[3], field[5] };
	return uid != 0;
}

static void
keep_account(struct work *work, const struct account *account)
{
	if (work->count == work->cap) {
		size_t cap = work->cap == 0 ? 64 : 2 * work->cap;
		struct account *grown =
		    reallocarray(work->accounts, cap, sizeof(*grown));

		if (grown == NULL)
			die(EX_TEMPORARY, "out of memory");
		work->accounts = grown;
		work->cap = cap;
	}
	work->accounts[work->count++] = *account;
}

static void
do_account(struct work *work, struct strv line)
{
	struct account account;

	if (!parse_account(line, &account) ||
	    (work->include.present &&
		control_set_find(&work->include, account.user) == NULL) ||
	    control_set_find(&work->exclude, account.user) != NULL ||
	    (!work->keep_upper_case && has_upper_case(account.user)) ||
	    !home_is_good(work, &account))
		return;
	put_account(work, &account);
	keep_account(work, &account);
}

/* Appends one of the files in users/; false if it does not exist. */
static bool
read_users_file(const char *path, struct buf *out)
{
	int r = file_read(path, out);

	if (r == QE_NOMEM)
		die(EX_TEMPORARY, "out of memory");
	if (r != 0 && r != QE_ABSENT)
		die_unable("read controls");
	return r == 0;
}

static void
load_set(const char *path, enum control_kind kind, struct control_set *set)
{
	struct buf text = BUF_LIMIT(CONTROL_FILE_MAX);
	struct control_error err;

	if (read_users_file(path, &text) &&
	    control_set_parse(buf_view(&text), kind, path, set, &err) != 0)
		die_unable("read controls");
	buf_free(&text);
}

/* sub:user:pre: */
static void
do_subuser(struct work *work, struct strv line)
{
	const char end[2] = { work->separator, '\0' };
	bool first, second;
	struct strv sub = strv_cut(&line, ':', &first);
	struct strv user = strv_cut(&line, ':', &second);
	struct strv pre = strv_cut(&line, ':', NULL);
	size_t i = 0;

	if (!first || !second)
		die_unable("read controls");
	while (i < work->count && !strv_eq(work->accounts[i].user, user))
		i++;
	if (i == work->count)
		die(EX_TEMPORARY,
		    "unable to find " STRV_FMT " user for subuser",
		    STRV_ARG(user));
	buf_add_char(&work->line, '=');
	put_assignment(work, sub, "", &work->accounts[i], work->dash, pre, "");
	if (!work->with_extensions)
		return;
	buf_add_char(&work->line, '+');
	put_assignment(
	    work, sub, end, &work->accounts[i], work->dash, pre, "-");
}

static void
do_subusers(struct work *work)
{
	struct buf text = BUF_LIMIT(CONTROL_FILE_MAX);
	struct strv rest;

	read_users_file("users/subusers", &text);
	rest = buf_view(&text);
	while (rest.len > 0) {
		struct strv line = strv_trim_end(strv_cut(&rest, '\n', NULL));

		if (line.len > 0 && line.ptr[0] != '#')
			do_subuser(work, line);
	}
	buf_free(&text);
}

static void
do_append(struct work *work)
{
	struct buf *line = &work->line;

	line->max = CONTROL_FILE_MAX;
	read_users_file("users/append", line);
	if (line->len > 0 && line->data[line->len - 1] != '\n')
		buf_add_char(line, '\n');
	buf_add_str(line, ".\n");
	put_line(work);
}

static void
parse_options(int argc, char **argv, struct work *work)
{
	static const char usage[] = "qmail-pw2u [ -/ohHuUC ] [ -cchar ]";
	struct options options;
	int letter;

	options_init(&options, argc, argv, "/ohHuUc:C");
	while ((letter = options_next(&options)) != -1) {
		switch (letter) {
		case '/':
			work->dash = "-/";
			break;
		case 'o':
			work->home_rule = SKIP_WITHOUT_HOME;
			break;
		case 'h':
			work->home_rule = STOP_WITHOUT_HOME;
			break;
		case 'H':
			work->home_rule = ANY_HOME;
			break;
		case 'u':
		case 'U':
			work->keep_upper_case = letter == 'u';
			break;
		case 'c':
			work->separator = *options.arg;
			work->with_extensions = *options.arg != '\0';
			break;
		case 'C':
			work->with_extensions = false;
			break;
		default:
			die_usage(usage);
		}
	}
}

int
main(int argc, char **argv)
{
	static const struct program program = { "qmail-pw2u", 0, 077 };
	static struct work work = {
		.separator = '-', .dash = "-", .with_extensions = true
	};
	struct buf input = BUF_LIMIT(INPUT_MAX);
	struct strv rest;

	program_begin(&program);
	parse_options(argc, argv, &work);
	if (chdir(program_home()) < 0)
		die_unable("chdir");
	sink_init(&work.out, 1, work.storage, sizeof(work.storage));
	load_set("users/include", CT_LIST, &work.include);
	load_set("users/exclude", CT_LIST, &work.exclude);
	load_set("users/mailnames", CT_MAP, &work.mailnames);
	if (file_read_fd(0, &input) != 0)
		die_unable("read input");
	rest = buf_view(&input);
	while (rest.len > 0)
		do_account(&work, strv_cut(&rest, '\n', NULL));
	if (!work.alias_found)
		die_unable("find alias user");
	do_subusers(&work);
	do_append(&work);
	if (sink_flush(&work.out) != 0)
		die_unable("write output");
	return EX_SUCCESS;
}
