/* Unit tests of conf/resolve.c. */
#include "conf/resolve.h"
#include "unit.h"

static char directory[64];
static struct resolver *resolver;

static int
setup(void **state)
{
	(void)state;
	unit_make_dir(directory);
	assert_int_equal(chdir(directory), 0);
	assert_int_equal(mkdir("control", 0700), 0);
	unit_write("control/me", STRV("me.example\n"));
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	resolver_free(&resolver);
	unit_remove(directory);
	return 0;
}

static void
open_it(void)
{
	struct control_error err;

	assert_int_equal(resolver_open(&resolver, &err), 0);
}

static void
route(const char *recipient, enum channel channel, const char *rewritten)
{
	struct buf out = BUF_INIT;

	buf_add_str(&out, "T");
	assert_int_equal(
	    resolver_route(resolver, strv_of(recipient), &out), channel);
	assert_int_equal(out.err, 0);
	assert_int_equal(out.data[0], 'T');
	assert_same(strv_skip(buf_view(&out), 1), strv_of(rewritten));
	buf_free(&out);
}

static void
test_locals(void **state)
{
	(void)state;
	unit_write("control/locals", STRV("a.example\nlocalhost\n"));
	open_it();
	route("joe@A.Example", CHANNEL_LOCAL, "joe@A.Example");
	route("Joe@localhost", CHANNEL_LOCAL, "Joe@localhost");
	route("joe@b.a.example", CHANNEL_REMOTE, "joe@b.a.example");
	route("joe@me.example", CHANNEL_REMOTE, "joe@me.example");
	route("a@b@a.example", CHANNEL_LOCAL, "a@b@a.example");
	route("joe@", CHANNEL_REMOTE, "joe@");
	route("@a.example", CHANNEL_LOCAL, "@a.example");
}

static void
test_without_host(void **state)
{
	(void)state;
	open_it();
	route("joe", CHANNEL_LOCAL, "joe@me.example");
	route("", CHANNEL_LOCAL, "@me.example");
	resolver_free(&resolver);
	unit_write("control/envnoathost", STRV("else.example\n"));
	open_it();
	route("joe", CHANNEL_REMOTE, "joe@else.example");
}

static void
test_percenthack(void **state)
{
	(void)state;
	unit_write("control/percenthack", STRV("p.example\nq.example\n"));
	open_it();
	route("joe%me.example@p.example", CHANNEL_LOCAL, "joe@me.example");
	route("a%b%c.example@P.example", CHANNEL_REMOTE, "a%b@c.example");
	route("a%b.example%q.example@p.example", CHANNEL_REMOTE, "a@b.example");
	route("joe@p.example", CHANNEL_REMOTE, "joe@p.example");
	route("a%b@me.example", CHANNEL_LOCAL, "a%b@me.example");
	route("a%b@c.example@p.example", CHANNEL_REMOTE, "a@b@c.example");
	route("%@p.example", CHANNEL_REMOTE, "@");
}

static void
test_virtualdomains(void **state)
{
	(void)state;
	unit_write("control/virtualdomains",
	    STRV("virt.example:joe-v\n.virt.example:sub\nout.virt.example:\n"
		 "boss@virt.example:boss\nme.example:never\n"
		 "nobody@virt.example:\n"));
	open_it();
	route("u@virt.example", CHANNEL_LOCAL, "joe-v-u@virt.example");
	route("u@VIRT.example", CHANNEL_LOCAL, "joe-v-u@VIRT.example");
	route("u@x.y.virt.example", CHANNEL_LOCAL, "sub-u@x.y.virt.example");
	route("u@out.virt.example", CHANNEL_REMOTE, "u@out.virt.example");
	route("Boss@virt.example", CHANNEL_LOCAL, "boss-Boss@virt.example");
	route("nobody@virt.example", CHANNEL_REMOTE, "nobody@virt.example");
	route("u@me.example", CHANNEL_LOCAL, "u@me.example");
	route("u@other.example", CHANNEL_REMOTE, "u@other.example");
	resolver_free(&resolver);
	unit_write("control/virtualdomains", STRV(":all\n"));
	open_it();
	route("u@other.example", CHANNEL_LOCAL, "all-u@other.example");
	route("u", CHANNEL_LOCAL, "u@me.example");
}

static void
test_strip_prepend(void **state)
{
	(void)state;
	unit_write("control/virtualdomains",
	    STRV("virt.example:joe-v\nx@addr.example:x\n"
		 "me.example:never\nout.example:\n"));
	open_it();
	assert_view(
	    resolver_strip_prepend(resolver, STRV("joe-v-u@virt.example")),
	    "u@virt.example");
	assert_view(
	    resolver_strip_prepend(resolver, STRV("joe-v@virt.example")),
	    "joe-v@virt.example");
	assert_view(
	    resolver_strip_prepend(resolver, STRV("joe-w-u@virt.example")),
	    "joe-w-u@virt.example");
	assert_view(resolver_strip_prepend(resolver, STRV("x-x@addr.example")),
	    "x-x@addr.example");
	assert_view(
	    resolver_strip_prepend(resolver, STRV("never-u@me.example")),
	    "never-u@me.example");
	assert_view(resolver_strip_prepend(resolver, STRV("-u@out.example")),
	    "-u@out.example");
	assert_view(resolver_strip_prepend(resolver, STRV("j")), "j");
}

static void
test_no_me_no_locals(void **state)
{
	struct control_error err;

	(void)state;
	unlink("control/me");
	assert_int_equal(resolver_open(&resolver, &err), QE_ABSENT);
	assert_string_equal(err.text,
	    "control/locals: file does not exist, nor does control/me");
	assert_null(resolver);
	unit_write("control/locals", STRV("a.example\n"));
	open_it();
	route("joe", CHANNEL_REMOTE, "joe@envnoathost");
}

static void
test_reread(void **state)
{
	struct control_error err;
	const char *failed = NULL;

	(void)state;
	unit_write("control/locals", STRV("a.example\n"));
	unit_write("control/virtualdomains", STRV("v.example:v\n"));
	open_it();
	unlink("control/locals");
	unit_write("control/virtualdomains", STRV("v.example:w\r\n"));
	assert_int_equal(resolver_reread(resolver, &failed, &err), QE_SYNTAX);
	assert_string_equal(failed, "virtualdomains");
	route("u@a.example", CHANNEL_LOCAL, "u@a.example");
	route("u@v.example", CHANNEL_LOCAL, "v-u@v.example");

	/* A deleted locals means me as read at the start. */
	unit_write("control/me", STRV("new.example\n"));
	unlink("control/virtualdomains");
	assert_int_equal(resolver_reread(resolver, &failed, &err), 0);
	route("u@a.example", CHANNEL_REMOTE, "u@a.example");
	route("u@me.example", CHANNEL_LOCAL, "u@me.example");
	route("u@new.example", CHANNEL_REMOTE, "u@new.example");
	route("u@v.example", CHANNEL_REMOTE, "u@v.example");

	unit_write("control/envnoathost", STRV("env.example\n"));
	unit_write("control/percenthack", STRV("p.example\n"));
	assert_int_equal(resolver_reread(resolver, &failed, &err), 0);
	route("u", CHANNEL_REMOTE, "u@env.example");
	route("u%me.example@p.example", CHANNEL_LOCAL, "u@me.example");

	assert_int_equal(mkdir("control/locals", 0700), 0);
	assert_int_equal(resolver_reread(resolver, &failed, &err), QE_SYS);
	assert_string_equal(failed, "locals");
	route("u@me.example", CHANNEL_LOCAL, "u@me.example");
}

static void
test_route_into_a_full_buffer(void **state)
{
	struct buf out = BUF_LIMIT(12);

	(void)state;
	unit_write("control/virtualdomains", STRV(":prepend\n"));
	open_it();
	resolver_route(resolver, STRV("u@b.example"), &out);
	assert_int_equal(out.err, QE_LIMIT);
	buf_reset(&out);
	resolver_route(resolver, STRV("user@long.example"), &out);
	assert_int_equal(out.err, QE_LIMIT);
	buf_free(&out);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_locals),
		CASE(test_without_host),
		CASE(test_percenthack),
		CASE(test_virtualdomains),
		CASE(test_strip_prepend),
		CASE(test_no_me_no_locals),
		CASE(test_reread),
		CASE(test_route_into_a_full_buffer),
	};

	return RUN_TESTS(tests);
}
