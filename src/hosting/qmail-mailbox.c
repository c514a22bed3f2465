/*
 * qmail-mailbox: mailboxes, aliases and catch-alls of hosted domains
 * (qmail-mailbox(8)).
 *
 * Run by root, or by the one user of a home without root.  Changes
 * users/mailboxes, its database, and, with the rights of the domain's user,
 * the domain's directory.  Mail is never deleted.
 */
#include "base/die.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/options.h"
#include "base/program.h"
#include "conf/logins.h"
#include "hosting/boxes.h"
#include "hosting/names.h"
#include "hosting/owner.h"
#include "hosting/password.h"
#include "hosting/site.h"
#include "mail/address.h"
#include "mail/maildirsize.h"

#include <stdio.h>
#include <string.h>

static const char usage[] =
    "qmail-mailbox [-H hash] [-q quota] add|passwd|remove address | "
    "alias address target ... | unalias address | "
    "catchall domain target|none | list [domain] | compile";

struct request {
	struct buf address; /* in lower case */
	struct domain domain;
	struct box box;
	const char *hash; /* -H: made elsewhere, or NULL */
	char **rest;      /* words behind the address */
};

/* "joe@example.org" of a domain that is hosted, or the end. */
static void
parse_address(struct request *q, const char *text)
{
	struct strv address;

	buf_add_lower(&q->address, strv_of(text));
	if (buf_cstr(&q->address) == NULL)
		die_nomem();
	address = buf_view(&q->address);
	q->box.local = address_local(address);
	if (!names_is_domain(address_domain(address)) ||
	    !names_is_local(q->box.local))
		die(EX_PERMANENT, "%s is no address that can be hosted", text);
	site_need_domain(address_domain(address), &q->domain);
}

static void
parse_quota(struct request *q, const char *text)
{
	struct maildirsize size;

	if (maildirsize_parse(strv_of(text), &size) != 0)
		die(EX_PERMANENT,
		    "%s is no quota; 100000000S allows 100 million bytes, "
		    "1000C a thousand messages",
		    text);
	q->box.quota = text;
}

static bool
has_login(const struct request *q)
{
	struct lines lines;
	struct strv line;
	bool found;

	site_load(LOGINS_TEXT, 0600, &lines);
	found = lines_find(&lines, buf_view(&q->address), &line);
	lines_free(&lines);
	return found;
}

/* The line of users/mailboxes with this hash, and the database. */
static void
save_login(const struct request *q)
{
	struct buf hash = BUF_LIMIT(PASSWORD_HASH_MAX);
	struct buf line = BUF_LIMIT(LOGIN_LINE_MAX);
	struct buf key = BUF_INIT, value = BUF_INIT;
	struct lines lines;

	if (q->hash != NULL)
		buf_add_str(&hash, q->hash);
	else
		password_ask_hash(q->address.data, &hash);
	buf_addf(&line, "%s:" STRV_FMT ":%ld:%ld:%s/" STRV_FMT, q->address.data,
	    STRV_ARG(buf_view(&hash)), (long)q->domain.uid, (long)q->domain.gid,
	    q->domain.home, STRV_ARG(q->box.local));
	if (line.err != 0 ||
	    login_parse_line(buf_view(&line), &key, &value) != 0)
		die(EX_PERMANENT,
		    "%s: address, hash or home cannot be written "
		    "to " LOGINS_TEXT,
		    q->address.data);
	site_load(LOGINS_TEXT, 0600, &lines);
	lines_set(&lines, buf_view(&q->address), buf_view(&line));
	site_save(&lines, LOGINS_TEXT);
	site_compile_logins();
	buf_free_secret(&hash);
	buf_free_secret(&line);
	buf_free(&key);
	buf_free_secret(&value);
}

static void
run_add(struct request *q)
{
	if (has_login(q))
		die(EX_PERMANENT,
		    "%s is a mailbox already; passwd changes its password",
		    q->address.data);
	owner_run(&q->domain, boxes_make, &q->box);
	save_login(q);
}

static void
run_passwd(struct request *q)
{
	if (!has_login(q))
		die(EX_PERMANENT, "%s is no mailbox", q->address.data);
	save_login(q);
}

/* Whether checkers let it in, which they also do when its line has gone. */
static bool
is_compiled(const struct request *q)
{
	struct login login = { .hash = NULL };
	int r = login_find(LOGINS_CDB, buf_view(&q->address), &login);
	bool known = r == 0 && login.known;

	login_free(&login);
	if (r != 0 && r != QE_ABSENT)
		die(EX_TEMPORARY, "%s: %s", LOGINS_CDB, error_result_text(r));
	return known;
}

/* The login last, so that the command can be given again until all is done. */
static void
run_remove(struct request *q)
{
	struct lines lines;

	if (!has_login(q) && !is_compiled(q))
		die(EX_PERMANENT, "%s is no mailbox", q->address.data);
	owner_run(&q->domain, boxes_set_aside, &q->box);
	site_load(LOGINS_TEXT, 0600, &lines);
	lines_remove(&lines, buf_view(&q->address));
	site_save(&lines, LOGINS_TEXT);
	site_compile_logins();
}

static void
check_targets(char *const *targets)
{
	if (*targets == NULL)
		die_usage(usage);
	for (; *targets != NULL; targets++)
		if (!names_is_target(strv_of(*targets)))
			die(EX_PERMANENT, "%s is no address to forward to",
			    *targets);
}

static void
run_alias(struct request *q)
{
	check_targets(q->rest);
	q->box.addresses = q->rest;
	owner_run(&q->domain, boxes_point, &q->box);
}

static void
run_unalias(struct request *q)
{
	owner_run(&q->domain, boxes_unpoint, &q->box);
}

/* "catchall example.org joe@example.org", or "none". */
static void
run_catchall(struct request *q, const char *name)
{
	site_need_domain(strv_of(name), &q->domain);
	q->box.local = STRV("default");
	if (q->rest[0] != NULL && strcmp(q->rest[0], "none") == 0 &&
	    q->rest[1] == NULL) {
		run_unalias(q);
		return;
	}
	run_alias(q);
}

static void
run_list(struct request *q, const char *name)
{
	struct lines assign;
	struct strv rest;

	if (name != NULL) {
		site_need_domain(strv_of(name), &q->domain);
		owner_run(&q->domain, boxes_list, NULL);
		return;
	}
	site_load(SITE_ASSIGN, 0644, &assign);
	rest = buf_view(&assign.text);
	while (rest.len > 0) {
		if (!site_parse_domain(strv_cut(&rest, '\n', NULL), &q->domain))
			continue;
		owner_run(&q->domain, boxes_list, NULL);
		domain_free(&q->domain);
	}
	lines_free(&assign);
}

struct verb {
	const char *word;
	bool takes_more; /* words behind the address */
	void (*run)(struct request *q);
};

static const struct verb verbs[] = {
	{"add",      false, run_add    },
	{ "passwd",  false, run_passwd },
	{ "remove",  false, run_remove },
	{ "alias",   true,  run_alias  },
	{ "unalias", false, run_unalias},
};

static void
run_verb(struct request *q, char **words)
{
	if (strcmp(words[0], "list") == 0 &&
	    (words[1] == NULL || words[2] == NULL)) {
		run_list(q, words[1]);
		return;
	}
	if (strcmp(words[0], "compile") == 0 && words[1] == NULL) {
		site_compile_logins();
		return;
	}
	if (words[1] == NULL)
		die_usage(usage);
	q->rest = words + 2;
	if (strcmp(words[0], "catchall") == 0) {
		run_catchall(q, words[1]);
		return;
	}
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++) {
		if (strcmp(words[0], verbs[i].word) != 0)
			continue;
		if (!verbs[i].takes_more && words[2] != NULL)
			break;
		parse_address(q, words[1]);
		verbs[i].run(q);
		return;
	}
	die_usage(usage);
}

int
main(int argc, char **argv)
{
	static const struct program program = { "qmail-mailbox", PROGRAM_FD1,
		022 };
	struct request q = { .address = BUF_LIMIT(
				 HOSTING_DOMAIN_MAX + HOSTING_LOCAL_MAX + 1) };
	struct options options;
	int letter;

	program_begin(&program);
	options_init(&options, argc, argv, "H:q:");
	while ((letter = options_next(&options)) >= 0) {
		if (letter == 'q')
			parse_quota(&q, options.arg);
		else if (letter == 'H' &&
			 password_is_hash(strv_of(options.arg)))
			q.hash = options.arg;
		else if (letter == 'H')
			die(EX_PERMANENT, "-H wants a crypt(3) hash");
		else
			die_usage(usage);
	}
	if (options.index >= argc)
		die_usage(usage);
	site_enter();
	run_verb(&q, argv + options.index);
	domain_free(&q.domain);
	buf_free(&q.address);
	return fflush(stdout) == 0 ? EX_SUCCESS : EX_TEMPORARY;
}
