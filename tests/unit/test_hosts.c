/* Unit tests of conf/hosts.c: most specific first, closed when in doubt. */
#include "base/cdb.h"
#include "conf/hosts.h"
#include "scratch.h"

static struct control_set
parse(struct strv text)
{
	struct control_set set;
	struct control_error err;

	assert_int_equal(
	    control_set_parse(text, CT_MAP, "test", &set, &err), 0);
	return set;
}

static void
expect(const struct control_entry *entry, const char *value)
{
	if (value == NULL) {
		assert_null(entry);
		return;
	}
	assert_non_null(entry);
	assert_same(entry->value, strv_of(value));
}

static void
test_find_domain(void **state)
{
	struct control_set set = parse(
	    STRV("a.example:1\n.a.example:2\n.example:3\n:4\nb.a.example:5\n"));

	(void)state;
	expect(hosts_find_domain(&set, STRV("A.Example"), false), "1");
	expect(hosts_find_domain(&set, STRV("b.a.example"), false), "5");
	expect(hosts_find_domain(&set, STRV("c.b.a.example"), false), "2");
	expect(hosts_find_domain(&set, STRV("other.example"), false), "3");
	expect(hosts_find_domain(&set, STRV("xa.example"), false), "3");
	expect(hosts_find_domain(&set, STRV("example"), false), NULL);
	expect(hosts_find_domain(&set, STRV("example"), true), "4");
	expect(hosts_find_domain(&set, STRV(""), true), "4");
	control_set_free(&set);
	expect(hosts_find_domain(&set, STRV("x"), true), NULL);
}

static void
test_find_address(void **state)
{
	struct control_set set =
	    parse(STRV("Joe@a.example:1\na.example:2\n.example:3\nlone:4\n"));

	(void)state;
	expect(hosts_find_address(&set, STRV("joe@A.example")), "1");
	expect(hosts_find_address(&set, STRV("jim@a.example")), "2");
	expect(hosts_find_address(&set, STRV("\"x@y\"@z.example")), "3");
	expect(hosts_find_address(&set, STRV("joe@b.invalid")), NULL);
	expect(hosts_find_address(&set, STRV("lone")), "4");
	expect(hosts_find_address(&set, STRV("other")), NULL);
	control_set_free(&set);
}

static void
make_more(void)
{
	struct cdb_writer *writer;

	assert_int_equal(cdb_writer_open("control/more.tmp", 0600, &writer), 0);
	assert_int_equal(
	    cdb_writer_add(writer, STRV("more.example"), STRV("")), 0);
	assert_int_equal(
	    cdb_writer_add(writer, STRV(".wild.example"), STRV("")), 0);
	assert_int_equal(
	    cdb_writer_commit(&writer, "control/morercpthosts.cdb"), 0);
}

static struct rcpthosts *
open_hosts(void)
{
	struct rcpthosts *hosts;
	struct control_error err;

	assert_int_equal(rcpthosts_open(&hosts, &err), 0);
	return hosts;
}

static int
find_once(struct strv domain)
{
	struct rcpthosts *hosts = open_hosts();
	int r = rcpthosts_find(hosts, domain);

	rcpthosts_free(&hosts);
	assert_null(hosts);
	return r;
}

static void
test_rcpthosts_listed(void **state)
{
	(void)state;
	unit_write("control/rcpthosts", STRV("a.example\n.b.example\n"));
	assert_int_equal(find_once(STRV("A.EXAMPLE")), 0);
	assert_int_equal(find_once(STRV("x.b.example")), 0);
	assert_int_equal(find_once(STRV("b.example")), QE_ABSENT);
	assert_int_equal(find_once(STRV("more.example")), QE_ABSENT);
	assert_int_equal(find_once(STRV("")), QE_ABSENT);
	make_more();
	assert_int_equal(find_once(STRV("More.Example")), 0);
	assert_int_equal(find_once(STRV("x.y.wild.example")), 0);
	assert_int_equal(find_once(STRV("wild.example")), QE_ABSENT);
}

static void
test_rcpthosts_empty_file_lists_nothing(void **state)
{
	(void)state;
	unit_write("control/me", STRV("me.example\n"));
	unit_write("control/rcpthosts", STRV(""));
	assert_int_equal(find_once(STRV("me.example")), QE_ABSENT);
}

static void
test_rcpthosts_damaged_cdb_fails_closed(void **state)
{
	(void)state;
	unit_write("control/rcpthosts", STRV("a.example\n"));
	unit_write("control/morercpthosts.cdb", STRV("damaged"));
	assert_int_equal(find_once(STRV("a.example")), 0);
	assert_int_equal(find_once(STRV("b.example")), QE_CORRUPT);
	assert_int_equal(rcpthosts_find(NULL, STRV("a.example")), QE_CORRUPT);
}

static void
test_rcpthosts_unreadable(void **state)
{
	struct rcpthosts *hosts = NULL;
	struct control_error err;

	(void)state;
	assert_int_equal(mkdir("control/rcpthosts", 0700), 0);
	assert_int_equal(rcpthosts_open(&hosts, &err), QE_SYS);
	assert_string_equal(err.text, "control/rcpthosts: is a directory");
	assert_null(hosts);
}

static void
test_rcpthosts_missing_means_own_names(void **state)
{
	(void)state;
	assert_int_equal(find_once(STRV("any.example")), QE_ABSENT);
	assert_int_equal(find_once(STRV("")), QE_ABSENT);
	unit_write("control/me", STRV("me.example\n"));
	unit_write("control/locals", STRV("local.example\n"));
	unit_write("control/virtualdomains",
	    STRV("virt.example:joe\n.virt.example:joe\nout.virt.example:\n"
		 "user@addr.example:joe\n:all\n"));
	make_more();
	assert_int_equal(find_once(STRV("ME.example")), 0);
	assert_int_equal(find_once(STRV("local.example")), 0);
	assert_int_equal(find_once(STRV("x.local.example")), QE_ABSENT);
	assert_int_equal(find_once(STRV("virt.example")), 0);
	assert_int_equal(find_once(STRV("x.virt.example")), 0);
	assert_int_equal(find_once(STRV("out.virt.example")), QE_ABSENT);
	assert_int_equal(find_once(STRV("addr.example")), QE_ABSENT);
	assert_int_equal(find_once(STRV("any.example")), QE_ABSENT);
	assert_int_equal(find_once(STRV("more.example")), QE_ABSENT);
	assert_int_equal(find_once(STRV("")), QE_ABSENT);
}

#define CASE(f)                                                                \
	cmocka_unit_test_setup_teardown(f, scratch_enter_control, scratch_leave)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_find_domain),
		CASE(test_find_address),
		CASE(test_rcpthosts_listed),
		CASE(test_rcpthosts_empty_file_lists_nothing),
		CASE(test_rcpthosts_damaged_cdb_fails_closed),
		CASE(test_rcpthosts_unreadable),
		CASE(test_rcpthosts_missing_means_own_names),
	};

	return RUN_TESTS(tests);
}
