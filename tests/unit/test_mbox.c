/* mail/mbox: quoting, ends, locks, and cutting back. */
#include "mail/mbox.h"
#include "unit.h"

#include <errno.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>

struct fixture {
	char dir[64];
	char mbox[96];
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	unit_make_dir(f->dir);
	snprintf(f->mbox, sizeof(f->mbox), "%s/Mailbox", f->dir);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	unit_remove(f->dir);
	free(f);
	return 0;
}

static enum mbox_result
deliver(const struct fixture *f, struct strv prefix, struct strv message)
{
	char path[96];
	enum mbox_result r;
	int fd;

	snprintf(path, sizeof(path), "%s/message", f->dir);
	unit_write(path, message);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	r = mbox_deliver(f->mbox, prefix, fd);
	close(fd);
	return r;
}

static void
check(const struct fixture *f, struct strv message, struct strv want)
{
	struct buf text;

	unlink(f->mbox);
	assert_int_equal(deliver(f, STRV("From a b\n"), message), MBOX_OK);
	text = unit_read(f->mbox);
	assert_view(strv_head(buf_view(&text), 9), "From a b\n");
	assert_same(strv_skip(buf_view(&text), 9), want);
	buf_free(&text);
}

static void
test_mbox_quotes_from_lines(void **state)
{
	struct fixture *f = *state;

	check(f, STRV("From x\n"), STRV(">From x\n\n"));
	check(f, STRV("a\n>From x\n"), STRV("a\n>>From x\n\n"));
	check(f, STRV(">>>From x\n"), STRV(">>>>From x\n\n"));
	check(f, STRV("From\nFrom:\nFro"), STRV("From\nFrom:\nFro\n\n"));
	check(f, STRV(" From x\n"), STRV(" From x\n\n"));
	check(f, STRV("> From x\nxFrom \n"), STRV("> From x\nxFrom \n\n"));
	check(f, STRV("F>From \nFF>>rom "), STRV("F>From \nFF>>rom \n\n"));
	check(f, STRV("from x\n"), STRV("from x\n\n"));
	check(f, STRV("From "), STRV(">From \n\n"));
	check(f, STRV("From"), STRV("From\n\n"));
	check(f, STRV(">"), STRV(">\n\n"));
}

static void
test_mbox_ends_with_one_empty_line(void **state)
{
	struct fixture *f = *state;

	check(f, STRV(""), STRV("\n"));
	check(f, STRV("a"), STRV("a\n\n"));
	check(f, STRV("a\n"), STRV("a\n\n"));
	check(f, STRV("a\n\n"), STRV("a\n\n\n"));
	check(f, STRV("\n"), STRV("\n\n"));
	check(f, STRV("a\0b\r\n"), STRV("a\0b\r\n\n"));
}

/* "From " across the edge of the copy buffer, at every offset. */
static void
test_mbox_quotes_across_blocks(void **state)
{
	struct fixture *f = *state;
	struct buf message = BUF_INIT, want = BUF_INIT;

	for (size_t i = 65536 - 9; i <= 65536; i++) {
		buf_reset(&message);
		memset(buf_reserve(&message, i), 'x', i);
		message.len = i;
		buf_add_char(&message, '\n');
		buf_reset(&want);
		buf_add_view(&want, buf_view(&message));
		buf_add_str(&message, ">>From me\n");
		buf_add_str(&want, ">>>From me\n\n");
		check(f, buf_view(&message), buf_view(&want));
	}
	buf_free(&message);
	buf_free(&want);
}

static void
test_mbox_appends_and_is_private(void **state)
{
	struct fixture *f = *state;
	struct buf text;
	struct stat st;

	assert_int_equal(deliver(f, STRV("From 1\n"), STRV("a\n")), MBOX_OK);
	assert_int_equal(deliver(f, STRV("From 2\n"), STRV("b\n")), MBOX_OK);
	text = unit_read(f->mbox);
	assert_buf(&text, "From 1\na\n\nFrom 2\nb\n\n");
	buf_free(&text);
	assert_int_equal(stat(f->mbox, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

/* The mailbox may live elsewhere and not be there yet. */
static void
test_mbox_creates_what_a_link_names(void **state)
{
	struct fixture *f = *state;
	char target[160];
	struct buf text;

	snprintf(target, sizeof(target), "%s/spool", f->dir);
	assert_int_equal(mkdir(target, 0700), 0);
	snprintf(target, sizeof(target), "%s/spool/joe", f->dir);
	assert_int_equal(symlink("spool/joe", f->mbox), 0);
	assert_int_equal(deliver(f, STRV("From 1\n"), STRV("a\n")), MBOX_OK);
	text = unit_read(target);
	assert_buf(&text, "From 1\na\n\n");
	buf_free(&text);
}

/* Against the definition, over random lines. */
static void
test_mbox_quotes_as_defined(void **state)
{
	static const char *const parts[] = { "From ", ">", "From", "\n", "F",
		" ", "x", "\n>>From " };
	struct fixture *f = *state;
	uint32_t seed = 5;

	for (int i = 0; i < 200; i++) {
		struct buf message = BUF_INIT, want = BUF_INIT;
		struct strv rest;
		uint32_t n = unit_random(&seed) % 12;

		while (n-- > 0)
			buf_add_str(&message, parts[unit_random(&seed) % 8]);
		rest = buf_view(&message);
		while (rest.len > 0) {
			struct strv line = strv_cut(&rest, '\n', NULL);
			struct strv bare = line;

			while (bare.len > 0 && bare.ptr[0] == '>')
				bare = strv_skip(bare, 1);
			if (strv_starts(bare, STRV("From ")))
				buf_add_char(&want, '>');
			buf_add_view(&want, line);
			buf_add_char(&want, '\n');
		}
		buf_add_char(&want, '\n');
		check(f, buf_view(&message), buf_view(&want));
		buf_free(&message);
		buf_free(&want);
	}
}

/* A message torn by a crash must not swallow the next one. */
static void
test_mbox_mends_a_torn_end(void **state)
{
	struct fixture *f = *state;
	struct buf text;

	unit_write(f->mbox, STRV("From 0\ntor"));
	assert_int_equal(deliver(f, STRV("From 1\n"), STRV("a\n")), MBOX_OK);
	text = unit_read(f->mbox);
	assert_buf(&text, "From 0\ntor\n\nFrom 1\na\n\n");
	buf_free(&text);
}

static void
test_mbox_cuts_back_what_does_not_fit(void **state)
{
	struct fixture *f = *state;
	struct rlimit old, small;
	enum mbox_result r;
	struct buf text;
	int error;

	unit_write(f->mbox, STRV("From 0\nold\n\n"));
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = 20;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	r = deliver(f, STRV("From 1\n"), STRV("a message\n"));
	error = errno;
	setrlimit(RLIMIT_FSIZE, &old);
	assert_int_equal(r, MBOX_QUOTA);
	assert_int_equal(error, EFBIG);
	text = unit_read(f->mbox);
	assert_buf(&text, "From 0\nold\n\n");
	buf_free(&text);
}

static void
test_mbox_cuts_back_after_a_read_error(void **state)
{
	struct fixture *f = *state;
	int fd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	assert_int_equal(
	    mbox_deliver(f->mbox, STRV("From 1\n"), fd), MBOX_READ);
	assert_int_equal(errno, EISDIR);
	close(fd);
	assert_int_equal(stat(f->mbox, &st), 0);
	assert_int_equal(st.st_size, 0);
}

static void
test_mbox_open_errors(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mkdir(f->mbox, 0700), 0);
	assert_int_equal(deliver(f, STRV("From 1\n"), STRV("a\n")), MBOX_OPEN);
	assert_int_equal(errno, EISDIR);
	rmdir(f->mbox);
	/* A FIFO that nobody reads. */
	assert_int_equal(mkfifo(f->mbox, 0600), 0);
	assert_int_equal(deliver(f, STRV("From 1\n"), STRV("a\n")), MBOX_OPEN);
	assert_int_equal(errno, ENXIO);
}

static void
test_mbox_takes_the_null_device(void **state)
{
	struct fixture *f = *state;

	snprintf(f->mbox, sizeof(f->mbox), "/dev/null");
	assert_int_equal(deliver(f, STRV("From 1\n"), STRV("a\n")), MBOX_OK);
}

/*
 * While the file is locked somebody may replace it, as tools that rewrite
 * mailboxes do: the message goes to the file that bears the name.
 */
static void
test_mbox_follows_the_name_after_the_lock(void **state)
{
	struct fixture *f = *state;
	char other[96];
	struct buf text;
	int status, fd, go[2];
	char byte;
	pid_t child;

	snprintf(other, sizeof(other), "%s/other", f->dir);
	unit_write(f->mbox, STRV("From 0\nold\n\n"));
	unit_write(other, STRV("From 9\nnew\n\n"));
	assert_int_equal(pipe(go), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		fd = open(f->mbox, O_RDONLY);
		flock(fd, LOCK_EX);
		if (write(go[1], "x", 1) != 1)
			_exit(1);
		usleep(150000);
		_exit(rename(other, f->mbox) == 0 ? 0 : 1);
	}
	assert_int_equal(read(go[0], &byte, 1), 1);
	assert_int_equal(deliver(f, STRV("From 1\n"), STRV("a\n")), MBOX_OK);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	close(go[0]);
	close(go[1]);
	text = unit_read(f->mbox);
	assert_buf(&text, "From 9\nnew\n\nFrom 1\na\n\n");
	buf_free(&text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_mbox_quotes_from_lines),
		TEST(test_mbox_ends_with_one_empty_line),
		TEST(test_mbox_quotes_across_blocks),
		TEST(test_mbox_appends_and_is_private),
		TEST(test_mbox_creates_what_a_link_names),
		TEST(test_mbox_quotes_as_defined),
		TEST(test_mbox_mends_a_torn_end),
		TEST(test_mbox_cuts_back_what_does_not_fit),
		TEST(test_mbox_cuts_back_after_a_read_error),
		TEST(test_mbox_open_errors),
		TEST(test_mbox_takes_the_null_device),
		TEST(test_mbox_follows_the_name_after_the_lock),
	};

	return RUN_TESTS(tests);
}
