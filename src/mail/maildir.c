/*
 * Delivery to a Maildir: written under a unique name in tmp/, flushed, given
 * its name in new/, and new/ flushed.  Works below a directory descriptor and
 * reads the message by offset, so neither the working directory nor the
 * message's file position changes.
 */
#include "mail/maildir.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/io.h"
#include "mail/maildir_quota.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	TRIES = 3, /* for a free name */
	TRY_PAUSE_MS = 2000,
	HOST_MAX = 64,     /* bytes of the host's name in a file name */
	SIZE_MAX_LEN = 24, /* ",S=" and a number */
	COPY_BYTES = 64 * 1024
};

struct delivery {
	int dir_fd, new_fd, file_fd;
	int64_t size; /* of the file */
	struct maildir_quota quota;
	bool in_tmp;                 /* the file exists under tmp_path */
	char tmp_path[NAME_MAX + 8]; /* "tmp/" and the name */
	char new_path[NAME_MAX + 8]; /* the same, with the size */
};

/* The host's name with '/' and ':' escaped, as Maildir wants it. */
static void
add_host(struct buf *out)
{
	char host[HOST_MAX + 1];

	if (gethostname(host, sizeof(host)) < 0 || host[0] == '\0')
		memcpy(host, "localhost", sizeof("localhost"));
	host[HOST_MAX] = '\0';
	for (const char *p = host; *p != '\0'; p++) {
		if (*p == '/' || *p == ':')
			buf_addf(out, "\\%03o", (unsigned)*p);
		else
			buf_add_char(out, *p);
	}
}

/*
 * "<unixtime>.<pid><microseconds>.<host>": the microseconds, always six
 * digits, keep apart what one process delivers within a second.
 */
static int
make_name(struct buf *name)
{
	struct timespec now;

	buf_reset(name);
	if (clock_gettime(CLOCK_REALTIME, &now) < 0)
		return QE_SYS;
	buf_addf(name, "%" PRId64 ".%ld%06ld.", (int64_t)now.tv_sec,
	    (long)getpid(), now.tv_nsec / 1000);
	add_host(name);
	return name->err;
}

static int
set_path(struct delivery *d)
{
	struct buf name = BUF_LIMIT(NAME_MAX - SIZE_MAX_LEN);
	int r = make_name(&name);

	if (r == 0) {
		const char *text = buf_cstr(&name);

		r = text == NULL ? name.err : 0;
		if (r == 0)
			snprintf(
			    d->tmp_path, sizeof(d->tmp_path), "tmp/%s", text);
	}
	buf_free(&name);
	if (r != 0 && r != QE_SYS)
		errno = r == QE_NOMEM ? ENOMEM : ENAMETOOLONG;
	return r;
}

static enum maildir_result
write_trouble(void)
{
	return errno == EDQUOT || errno == EFBIG ? MAILDIR_QUOTA
						 : MAILDIR_WRITE;
}

static enum maildir_result
open_dirs(struct delivery *d, const char *dir)
{
	d->dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (d->dir_fd < 0)
		return MAILDIR_CHDIR;
	d->new_fd =
	    openat(d->dir_fd, "new", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return d->new_fd < 0 ? MAILDIR_CHDIR : MAILDIR_OK;
}

static enum maildir_result
create_file(struct delivery *d)
{
	for (int try = 1;; try++) {
		if (set_path(d) != 0)
			return MAILDIR_WRITE;
		d->file_fd = openat(d->dir_fd, d->tmp_path,
		    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		d->in_tmp = d->file_fd >= 0;
		if (d->in_tmp)
			return MAILDIR_OK;
		if (errno == ENOENT || errno == ENOTDIR)
			return MAILDIR_CHDIR;
		if (errno != EEXIST)
			return write_trouble();
		if (try == TRIES)
			return MAILDIR_TIMEOUT;
		clock_sleep_ms(TRY_PAUSE_MS);
	}
}

static ssize_t
read_at(int fd, char *data, size_t n, off_t offset)
{
	ssize_t got;

	do
		got = pread(fd, data, n, offset);
	while (got < 0 && errno == EINTR);
	return got;
}

/* The prefix rides in the first block, so a small message is one write. */
static enum maildir_result
copy_message(int to, struct strv prefix, int message_fd, int64_t *size)
{
	char block[COPY_BYTES];
	size_t used = prefix.len;
	off_t offset = 0;

	if (prefix.len > sizeof(block) / 2) {
		if (io_write_all(to, prefix.ptr, prefix.len) != 0)
			return write_trouble();
		used = 0;
	} else if (prefix.len > 0) {
		memcpy(block, prefix.ptr, prefix.len);
	}
	for (;;) {
		ssize_t got = read_at(
		    message_fd, block + used, sizeof(block) - used, offset);

		if (got < 0)
			return MAILDIR_READ;
		offset += got;
		used += (size_t)got;
		if (got > 0 && used < sizeof(block))
			continue;
		if (io_write_all(to, block, used) != 0)
			return write_trouble();
		if (got == 0) {
			*size = (int64_t)prefix.len + offset;
			return MAILDIR_OK;
		}
		used = 0;
	}
}

static enum maildir_result
finish_file(struct delivery *d)
{
	int fd = d->file_fd;

	if (io_sync(fd) != 0)
		return write_trouble();
	d->file_fd = -1;
	return close(fd) < 0 && errno != EINTR ? write_trouble() : MAILDIR_OK;
}

/* Moves the file to new/, never over another one. */
static int
move_file(const struct delivery *d)
{
	if (file_rename_new_at(
		d->dir_fd, d->tmp_path, d->dir_fd, d->new_path) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return QE_SYS;
	/* A file system without that flag. */
	if (linkat(d->dir_fd, d->tmp_path, d->dir_fd, d->new_path, 0) < 0)
		return QE_SYS;
	unlinkat(d->dir_fd, d->tmp_path, 0);
	return 0;
}

/*
 * The move gives the message its name, and only the flush makes that last.
 * After a failure it will be delivered again, so this copy goes.
 */
static enum maildir_result
publish(struct delivery *d)
{
	int saved;

	snprintf(d->new_path, sizeof(d->new_path), "new/%s,S=%" PRId64,
	    d->tmp_path + 4, d->size);
	if (move_file(d) != 0)
		return errno == EEXIST ? MAILDIR_TIMEOUT : write_trouble();
	d->in_tmp = false;
	if (io_sync(d->new_fd) == 0)
		return MAILDIR_OK;
	saved = errno;
	unlinkat(d->dir_fd, d->new_path, 0);
	errno = saved;
	return write_trouble();
}

/* A folder of a Maildir++ is called ".Name". */
static bool
may_be_folder(const char *dir)
{
	struct strv path = strv_of(dir);
	size_t slash;

	while (path.len > 0 && path.ptr[path.len - 1] == '/')
		path.len--;
	slash = strv_rfind(path, '/');
	path = slash == STRV_NPOS ? path : strv_skip(path, slash + 1);
	return path.len > 1 && path.ptr[0] == '.' && path.ptr[1] != '.';
}

/* Before anything is written: is there a quota, and room? */
static enum maildir_result
ask_quota(struct delivery *d, const char *dir, size_t prefix, int message_fd)
{
	struct stat st;
	int r = maildir_quota_open(d->dir_fd, may_be_folder(dir), &d->quota);

	if (r == 0 && d->quota.fd < 0)
		return MAILDIR_OK;
	if (r == 0 && fstat(message_fd, &st) < 0)
		return MAILDIR_READ;
	if (r == 0)
		r = maildir_quota_admit(
		    &d->quota, st.st_size + (int64_t)prefix);
	switch (r) {
	case 0:
		return MAILDIR_OK;
	case QE_LIMIT:
		return MAILDIR_FULL;
	case QE_SYNTAX:
		return MAILDIR_BAD_QUOTA;
	default:
		return write_trouble();
	}
}

static void
clean_up(struct delivery *d)
{
	int saved = errno;

	if (d->in_tmp)
		unlinkat(d->dir_fd, d->tmp_path, 0);
	maildir_quota_close(&d->quota);
	io_close(&d->file_fd);
	io_close(&d->new_fd);
	io_close(&d->dir_fd);
	errno = saved;
}

enum maildir_result
maildir_deliver(const char *dir, struct strv prefix, int message_fd)
{
	struct delivery d = {
		.dir_fd = -1,
		.new_fd = -1,
		.file_fd = -1,
		.quota = {.dir_fd = -1, .fd = -1}
	};
	enum maildir_result r = open_dirs(&d, dir);

	if (r == MAILDIR_OK)
		r = ask_quota(&d, dir, prefix.len, message_fd);
	if (r == MAILDIR_OK)
		r = create_file(&d);
	if (r == MAILDIR_OK)
		r = copy_message(d.file_fd, prefix, message_fd, &d.size);
	if (r == MAILDIR_OK)
		r = finish_file(&d);
	if (r == MAILDIR_OK)
		r = publish(&d);
	if (r == MAILDIR_OK && d.quota.fd >= 0)
		maildir_quota_note(&d.quota, d.size, 1);
	clean_up(&d);
	return r;
}

static int
make_parts(const char *dir)
{
	static const char *const parts[] = { "tmp", "new", "cur" };
	int r = 0;
	int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return QE_SYS;
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts) && r == 0; i++)
		if (mkdirat(fd, parts[i], 0700) < 0 && errno != EEXIST)
			r = QE_SYS;
	io_close(&fd);
	return r;
}

int
maildir_make(const char *dir)
{
	return mkdir(dir, 0700) < 0 ? QE_SYS : make_parts(dir);
}

int
maildir_complete(const char *dir)
{
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return QE_SYS;
	return make_parts(dir);
}
