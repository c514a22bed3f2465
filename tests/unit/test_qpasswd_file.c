/* auth/qpasswd_file: sections and users, and what spoils the file. */
#include "auth/qpasswd_file.h"
#include "auth/qpasswd_index.h"
#include "unit.h"

#define FILE_TEXT                                                              \
	"# virtual users\n\n[/home/virtual:1001:1002]\njoe:joe/mail\n"         \
	"jane@a.example:/srv/jane\n[/srv/b:1003:1004]\nbob:bob  \n"            \
	"joe:second\n"

static const struct lot LOT = { .key = { 3 } };

static void
assert_user(struct strv text, const char *login, bool known, const char *home,
    uid_t uid, gid_t gid)
{
	struct qpasswd_user u;
	unsigned line = 0;

	assert_int_equal(
	    qpasswd_find(text, &LOT, strv_of(login), &u, &line), 0);
	assert_int_equal(u.known, known);
	assert_same(buf_view(&u.home), strv_of(home));
	assert_int_equal(u.uid, uid);
	assert_int_equal(u.gid, gid);
	qpasswd_user_free(&u);
}

static void
test_qpasswd_finds(void **state)
{
	struct strv text = STRV(FILE_TEXT);
	struct qpasswd_user u;
	unsigned line;

	(void)state;
	assert_user(text, "joe", true, "/home/virtual/joe/mail", 1001, 1002);
	assert_user(text, "jane@a.example", true, "/srv/jane", 1001, 1002);
	assert_user(text, "bob", true, "/srv/b/bob", 1003, 1004);
	/* Somebody to imitate. */
	assert_user(STRV("[/b:1:2]\nx:y\n"), "Joe", false, "/b/y", 1, 2);
	assert_user(STRV("[/b:1:2]\nx:y\n"), "", false, "/b/y", 1, 2);
	assert_user(STRV("[/b:0:0]\nx:y\n"), "x", true, "/b/y", 0, 0);
	assert_int_equal(
	    qpasswd_find(STRV("# none\n"), &LOT, STRV("joe"), &u, &line),
	    QE_ABSENT);
	assert_int_equal(
	    qpasswd_find(STRV_EMPTY, &LOT, STRV("joe"), &u, &line), QE_ABSENT);
}

/* Whom 200 unknown logins imitate: each the same one always, all are. */
static void
test_qpasswd_imitates_everybody(void **state)
{
	unsigned imitated[2] = { 0, 0 };

	(void)state;
	for (int i = 0; i < 200; i++) {
		struct qpasswd_user u;
		char login[32];
		unsigned line;
		uid_t first = 0;

		snprintf(login, sizeof(login), "eve%d", i);
		for (int again = 0; again < 2; again++) {
			assert_int_equal(
			    qpasswd_find(STRV("[/b:1:2]\nx:y\n[/c:2:2]\nz:z"),
				&LOT, strv_of(login), &u, &line),
			    0);
			assert_false(u.known);
			assert_true(again == 0 || u.uid == first);
			first = u.uid;
			qpasswd_user_free(&u);
		}
		assert_true(first == 1 || first == 2);
		imitated[first - 1]++;
	}
	assert_true(imitated[0] > 0 && imitated[1] > 0);
}

/* Every login of a list, and those between them, as qpasswd_find says. */
static void
test_qpasswd_index_is_the_same(void **state)
{
	struct qpasswd_index index;
	struct buf text = BUF_INIT;
	unsigned line, same;

	(void)state;
	buf_add_str(&text, FILE_TEXT);
	for (int i = 0; i < 500; i++)
		buf_addf(&text, "u%d:h%d\n", i * 7919 % 500, i);
	buf_add_str(&text, "[/c:1:2]\nu77:twice\nu:short\n");
	assert_int_equal(
	    qpasswd_index_make(buf_view(&text), &LOT, &index, &line), 0);
	assert_int_equal(index.count, 506);
	for (int i = -1; i < 510; i++) {
		struct qpasswd_user a, b;
		char login[32];

		snprintf(login, sizeof(login), i < 0 ? "joe" : "u%d", i);
		if (i == 501)
			login[1] = '\0';
		assert_int_equal(qpasswd_find(buf_view(&text), &LOT,
				     strv_of(login), &a, &line),
		    0);
		assert_int_equal(
		    qpasswd_index_find(&index, strv_of(login), &b, &same), 0);
		assert_int_equal(a.known, b.known);
		assert_int_equal(a.known, i < 500 || i == 501);
		assert_int_equal(line, same);
		assert_int_equal(a.uid, b.uid);
		assert_same(buf_view(&a.home), buf_view(&b.home));
		qpasswd_user_free(&a);
		qpasswd_user_free(&b);
	}
	qpasswd_index_free(&index);
	assert_int_equal(
	    qpasswd_index_make(STRV_EMPTY, &LOT, &index, &line), 0);
	assert_int_equal(
	    qpasswd_index_find(&index, STRV("joe"), NULL, &line), QE_ABSENT);
	assert_int_equal(
	    qpasswd_index_make(STRV("[/b:1:1]\nx:y\nz\n"), &LOT, &index, &line),
	    QE_SYNTAX);
	assert_int_equal(line, 3);
	buf_free(&text);
}

static void
test_qpasswd_refuses(void **state)
{
	static const char *const wrong[] = { "joe:x\n", "[/b:1:1\njoe:x\n",
		"[b:1:1]\n", "[/b:1]\n", "[/b::1]\n", "[/b:1:]\n",
		"[/b:1:1:1]\n", "[/b:1:1]\njoe\n", "[/b:1:1]\njoe:\n",
		"[/b:1:1]\n:x\n", "[/b:1:1]\n joe:x\n", "[/b:1:1]\nj\001oe:x\n",
		"[]\n", "[\n" };
	struct qpasswd_user u;
	unsigned line;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		line = 0;
		assert_int_equal(qpasswd_find(strv_of(wrong[i]), &LOT,
				     STRV("joe"), &u, &line),
		    QE_SYNTAX);
		assert_true(line > 0);
	}
	/* Names are no numbers. */
	assert_int_equal(qpasswd_find(STRV("[/b:nosuchuser:1]\njoe:x\n"), &LOT,
			     STRV("joe"), &u, &line),
	    QE_SYNTAX);
	/* A bad line behind the good one spoils it, too. */
	assert_int_equal(qpasswd_find(STRV("[/b:1:1]\njoe:x\nbroken\n"), &LOT,
			     STRV("joe"), &u, &line),
	    QE_SYNTAX);
	assert_int_equal(line, 3);
}

static void
test_qpasswd_reads_what_is_closed(void **state)
{
	struct buf text = BUF_LIMIT(QPASSWD_SECRET_MAX);
	char dir[64], path[128], link[128];

	(void)state;
	unit_make_dir(dir);
	snprintf(path, sizeof(path), "%s/file", dir);
	snprintf(link, sizeof(link), "%s/link", dir);
	assert_int_equal(qpasswd_read(path, geteuid(), &text), QE_ABSENT);
	unit_write(path, STRV("secret\n"));
	assert_int_equal(symlink(path, link), 0);
	assert_int_equal(qpasswd_read(path, geteuid(), &text), 0);
	assert_buf(&text, "secret\n");
	assert_int_equal(qpasswd_read(link, geteuid(), &text), QE_DENIED);
	assert_int_equal(chmod(path, 0640), 0);
	buf_reset(&text);
	assert_int_equal(qpasswd_read(path, geteuid(), &text), 0);
	for (mode_t bit = 1; bit <= 020; bit <<= 1) {
		if (bit == 010)
			continue;
		assert_int_equal(chmod(path, 0600 | bit), 0);
		assert_int_equal(
		    qpasswd_read(path, geteuid(), &text), QE_DENIED);
	}
	/* Somebody else's. */
	assert_int_equal(chmod(path, 0600), 0);
	if (geteuid() == 0) {
		assert_int_equal(chown(path, 1, 1), 0);
		assert_int_equal(qpasswd_read(path, 0, &text), QE_DENIED);
	}
	assert_int_equal(qpasswd_read(dir, geteuid(), &text), QE_DENIED);
	buf_free(&text);
	unit_remove(dir);
}

static void
test_qpasswd_logins(void **state)
{
	(void)state;
	assert_true(qpasswd_is_login(STRV("joe@a.example")));
	assert_true(qpasswd_is_login(STRV("j o")));
	assert_false(qpasswd_is_login(STRV("")));
	assert_false(qpasswd_is_login(STRV("a:b")));
	assert_false(qpasswd_is_login(STRV("[a")));
	assert_false(qpasswd_is_login(STRV("#a")));
	assert_false(qpasswd_is_login(STRV(" a")));
	assert_false(qpasswd_is_login(STRV("a ")));
	assert_false(qpasswd_is_login(STRV("a\nb")));
	assert_false(qpasswd_is_login(STRV("a\0b")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_qpasswd_finds),
		cmocka_unit_test(test_qpasswd_imitates_everybody),
		cmocka_unit_test(test_qpasswd_index_is_the_same),
		cmocka_unit_test(test_qpasswd_refuses),
		cmocka_unit_test(test_qpasswd_reads_what_is_closed),
		cmocka_unit_test(test_qpasswd_logins),
	};

	return RUN_TESTS(tests);
}
