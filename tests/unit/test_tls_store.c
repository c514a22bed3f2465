/* tls/store: which certificates are there, when reading them goes wrong. */
#include "scratch.h"
#include "tls/store.h"
#include "tls_contexts.h"

#include <sys/resource.h>

#define PATH "control/servercert.pem"

static struct context_settings settings;

static void
write_certificate(const char *path, const char *text)
{
	scratch_write(path, text, strlen(text), 0600);
}

/* No descriptor more than there are, or as many as before. */
static void
limit_descriptors(bool on)
{
	static rlim_t before;
	struct rlimit limit;
	int next = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (on) {
		assert_true(next >= 0);
		before = limit.rlim_cur;
		limit.rlim_cur = (rlim_t)next;
	} else {
		limit.rlim_cur = before;
	}
	if (next >= 0)
		close(next);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* What was wrong with the system is not for ever wrong with the file. */
static void
test_store_out_of_descriptors(void **state)
{
	struct store s;

	(void)state;
	write_certificate(PATH, "good");
	store_init(&s, PATH, &settings);
	limit_descriptors(true);
	assert_false(store_refresh(&s));
	limit_descriptors(false);
	assert_true(store_refresh(&s));
	/* What is in use stays so, and the next one comes when it can. */
	write_certificate(PATH, "good, too");
	limit_descriptors(true);
	assert_true(store_refresh(&s));
	assert_int_equal(s.changes, 1);
	limit_descriptors(false);
	assert_true(store_refresh(&s));
	assert_int_equal(s.changes, 2);
	unlink(PATH);
	assert_false(store_refresh(&s));
}

/* One that is no good is read once. */
static void
test_store_no_certificate(void **state)
{
	struct store s;

	(void)state;
	write_certificate(PATH, "bad");
	store_init(&s, PATH, &settings);
	assert_false(store_refresh(&s));
	assert_true(s.everybody.was_seen);
	write_certificate(PATH, "good");
	assert_true(store_refresh(&s));
	unlink(PATH);
	assert_false(store_refresh(&s));
}

static void
name_certificates(int from, int to)
{
	for (int i = from; i < to; i++) {
		char path[64];

		snprintf(path, sizeof(path), STORE_NAMES_DIR "/n%d.pem", i);
		write_certificate(path, "good");
	}
}

static int
count_found(const struct store *s)
{
	int found = 0;

	for (int i = 0; i < STORE_NAMES_MAX; i++) {
		char name[16];

		snprintf(name, sizeof(name), "N%d", i);
		found += store_find(s, name) != NULL;
	}
	return found;
}

/* One that is too many takes nobody's place. */
static void
test_store_full(void **state)
{
	struct store s;

	(void)state;
	assert_int_equal(mkdir(STORE_NAMES_DIR, 0700), 0);
	name_certificates(0, STORE_NAMES_MAX);
	store_init(&s, PATH, &settings);
	(void)store_refresh(&s);
	assert_int_equal(count_found(&s), STORE_NAMES_MAX);
	name_certificates(STORE_NAMES_MAX, STORE_NAMES_MAX + 5);
	s.looked = 0;
	(void)store_refresh(&s);
	assert_int_equal(count_found(&s), STORE_NAMES_MAX);
	assert_int_equal(s.changes, STORE_NAMES_MAX);
	unit_remove(STORE_NAMES_DIR);
	s.looked = 0;
	(void)store_refresh(&s);
	assert_int_equal(s.count, 0);
	free(s.names);
}

int
main(void)
{
#define STORE_TEST(name)                                                       \
	cmocka_unit_test_setup_teardown(                                       \
	    name, scratch_enter_control, scratch_leave)
	const struct CMUnitTest tests[] = {
		STORE_TEST(test_store_out_of_descriptors),
		STORE_TEST(test_store_no_certificate),
		STORE_TEST(test_store_full),
	};

	return RUN_TESTS(tests);
}
