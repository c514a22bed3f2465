/* auth/credentials and auth/identity: hostile input, private files. */
#include "auth/credentials.h"
#include "auth/identity.h"
#include "unit.h"

/* What a reader makes of these bytes on its descriptor. */
static int
read_bytes(struct strv bytes, struct credentials *c)
{
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(
	    write(fds[1], bytes.ptr, bytes.len), (ssize_t)bytes.len);
	close(fds[1]);
	return credentials_read(fds[0], c);
}

static void
test_credentials_split(void **state)
{
	struct credentials c;

	(void)state;
	assert_int_equal(read_bytes(STRV("joe\0secret\0<1.2@h>\0"), &c), 0);
	assert_string_equal(c.login, "joe");
	assert_string_equal(c.a, "secret");
	assert_string_equal(c.b, "<1.2@h>");
	assert_int_equal(read_bytes(STRV("joe\0\0\0more\0"), &c), 0);
	assert_string_equal(c.a, "");
	assert_string_equal(c.b, "");
	credentials_wipe(&c);
	assert_int_equal(c.bytes[0], 0);
}

static void
test_credentials_refuse(void **state)
{
	const struct strv bad[] = { STRV(""), STRV("joe"), STRV("joe\0"),
		STRV("joe\0secret\0"), STRV("joe\0secret\0stamp"),
		STRV("\0secret\0stamp\0") };
	struct credentials c;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(read_bytes(bad[i], &c), QE_SYNTAX);
	assert_int_equal(credentials_read(999, &c), QE_SYS);
}

static void
test_credentials_limit(void **state)
{
	char bytes[CREDENTIALS_MAX + 1] = "joe";
	struct credentials c;

	(void)state;
	memset(bytes + 4, 'x', 100);
	assert_int_equal(read_bytes(strv_from(bytes, CREDENTIALS_MAX), &c), 0);
	assert_int_equal(
	    read_bytes(strv_from(bytes, CREDENTIALS_MAX + 1), &c), QE_LIMIT);
}

static const char file[] = "# comment:x:y\n"
			   "\n"
			   "broken\n"
			   "nohome:$6$a$b\n"
			   "ann:$6$salt$annshash:home/ann\n"
			   "joe:$6$salt$joeshash:/home/joe:x\n"
			   "joe:$6$salt$other:/other\n";

static void
test_identity_private_lines(void **state)
{
	struct identity id;

	(void)state;
	assert_int_equal(
	    identity_parse_private(strv_of(file), STRV("joe"), &id), 0);
	assert_true(id.usable);
	assert_false(id.switch_ids);
	assert_buf(&id.hash, "$6$salt$joeshash");
	assert_buf(&id.home, "/home/joe:x");
	identity_free(&id);
	assert_int_equal(
	    identity_parse_private(strv_of(file), STRV("nohome"), &id), 0);
	assert_false(id.usable);
	identity_free(&id);
}

/* Somebody unknown costs the time of a hash of the same kind. */
static void
test_identity_private_imitates(void **state)
{
	struct identity id;

	(void)state;
	assert_int_equal(
	    identity_parse_private(strv_of(file), STRV("eve"), &id), 0);
	assert_false(id.usable);
	assert_true(strv_starts(buf_view(&id.hash), STRV("$6$")));
	identity_free(&id);
	assert_int_equal(
	    identity_parse_private(STRV_EMPTY, STRV("eve"), &id), 0);
	assert_false(id.usable);
	assert_int_equal(id.hash.len, 0);
	identity_free(&id);
}

static void
test_identity_private_mode(void **state)
{
	struct identity id;
	char dir[64], path[80];

	(void)state;
	unit_make_dir(dir);
	snprintf(path, sizeof(path), "%s/poppasswd", dir);
	assert_int_equal(identity_find_private(path, "joe", &id), QE_SYS);
	unit_write(path, strv_of(file));
	assert_int_equal(identity_find_private(path, "joe", &id), 0);
	assert_true(id.usable);
	identity_free(&id);
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(identity_find_private(path, "joe", &id), QE_DENIED);
	assert_int_equal(chmod(path, 0604), 0);
	assert_int_equal(identity_find_private(path, "joe", &id), QE_DENIED);
	unit_remove(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_credentials_split),
		cmocka_unit_test(test_credentials_refuse),
		cmocka_unit_test(test_credentials_limit),
		cmocka_unit_test(test_identity_private_lines),
		cmocka_unit_test(test_identity_private_imitates),
		cmocka_unit_test(test_identity_private_mode),
	};

	return RUN_TESTS(tests);
}
