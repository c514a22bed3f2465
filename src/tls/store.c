/*
 * Looks at files by stat(2) before it reads them, so that an unchanged
 * certificate costs one system call, and reads them as whoever runs
 * qmail-tlsd (root): before any byte of a client.
 */
#include "tls/store.h"
#include "base/clock.h"
#include "base/die.h"
#include "base/error.h"
#include "base/file.h"
#include "base/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_SIZE = 512 };

void
store_init(struct store *s, const char *path, struct context_settings *settings)
{
	*s = (struct store){ .path = path, .settings = settings };
}

static bool
is_same(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev &&
	       a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* The bytes of a key file; one that others may read is refused. */
static int
read_key(const char *path, struct buf *out, char why[CONTEXT_TEXT_MAX])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	int r = fd < 0 || fstat(fd, &st) < 0 ? QE_SYS : 0;

	if (r == 0 && (st.st_mode & S_IRWXO) != 0) {
		snprintf(why, CONTEXT_TEXT_MAX,
		    "others may read its key, chmod 600 it");
		r = QE_DENIED;
	} else if (r == 0) {
		r = file_read_fd(fd, out);
	}
	if (r != 0 && r != QE_DENIED)
		snprintf(why, CONTEXT_TEXT_MAX, "%s", error_result_text(r));
	io_close(&fd);
	return r;
}

/* NULL, and again: it may be another time, with the same file. */
static SSL_CTX *
load(struct store *s, const char *path, bool *again)
{
	struct buf pem = BUF_LIMIT(CONTEXT_PEM_MAX);
	char why[CONTEXT_TEXT_MAX];
	SSL_CTX *ctx = NULL;
	int r;

	/* At once and for good: a buffer that moves leaves copies behind. */
	buf_reserve(&pem, CONTEXT_PEM_MAX);
	r = read_key(path, &pem, why);
	*again = r == QE_NOMEM || (r == QE_SYS && error_is_temporary(errno));
	if (r == 0)
		ctx = context_server(s->settings, buf_view(&pem), why);
	buf_free_secret(&pem);
	if (ctx == NULL)
		warn("%s cannot be used: %s", path, why);
	return ctx;
}

static void
set(struct store *s, struct store_entry *e, SSL_CTX *ctx)
{
	if (e->ctx != ctx)
		s->changes++;
	SSL_CTX_free(e->ctx);
	e->ctx = ctx;
}

/* Reads the file again if it is another one than last time. */
static void
refresh_entry(struct store *s, struct store_entry *e, const char *path)
{
	struct stat st;
	SSL_CTX *ctx;
	bool again;

	if (stat(path, &st) < 0) {
		bool absent = errno == ENOENT;

		if (e->was_seen)
			warn("%s is gone: %s", path, error_text(errno));
		e->was_seen = false;
		if (absent)
			set(s, e, NULL);
		return;
	}
	if (e->was_seen && is_same(&st, &e->seen))
		return;
	e->seen = st;
	ctx = load(s, path, &again);
	e->was_seen = !again;
	if (ctx == NULL)
		return;
	set(s, e, ctx);
}

static int
compare(const void *a, const void *b)
{
	const struct store_entry *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static struct store_entry *
find(const struct store *s, const char *name)
{
	struct store_entry key = { .name = NULL };
	char copy[STORE_NAME_MAX + 1];

	if (s->count == 0 || strlen(name) > STORE_NAME_MAX)
		return NULL;
	for (size_t i = 0; i <= strlen(name); i++)
		copy[i] = ascii_lower(name[i]);
	key.name = copy;
	return bsearch(&key, s->names, s->count, sizeof(key), compare);
}

SSL_CTX *
store_find(const struct store *s, const char *name)
{
	const struct store_entry *e = find(s, name);

	return e == NULL ? NULL : e->ctx;
}

/* "mail.example.org.pem" without its end; names are in lower case. */
static bool
name_of(const char *file, char out[STORE_NAME_MAX + 1])
{
	struct strv v = strv_of(file);

	if (v.len <= 4 || v.len > STORE_NAME_MAX + 4 || *file == '.' ||
	    !strv_ends_nocase(v, STRV(".pem")))
		return false;
	v.len -= 4;
	for (size_t i = 0; i < v.len; i++) {
		if (ascii_lower(v.ptr[i]) != v.ptr[i])
			return false;
		out[i] = v.ptr[i];
	}
	out[v.len] = '\0';
	return true;
}

static struct store_entry *
add(struct store *s, const char *name)
{
	struct store_entry *names;

	if (s->count == STORE_NAMES_MAX) {
		warn("more than %d certificates in %s", STORE_NAMES_MAX,
		    STORE_NAMES_DIR);
		return NULL;
	}
	names = realloc(s->names, (s->count + 1) * sizeof(*names));
	if (names == NULL)
		return NULL;
	s->names = names;
	names += s->count;
	*names = (struct store_entry){ .name = strdup(name) };
	if (names->name == NULL)
		return NULL;
	s->count++;
	return names;
}

/* Marks what is there; what is new is at the end until it is sorted. */
static void
list(struct store *s, DIR *dir)
{
	const struct dirent *entry;
	char name[STORE_NAME_MAX + 1];
	size_t old = s->count;
	bool is_full = false;

	while ((entry = readdir(dir)) != NULL) {
		struct store_entry *e;
		size_t all = s->count;

		if (!name_of(entry->d_name, name))
			continue;
		s->count = old; /* only these are sorted */
		e = find(s, name);
		s->count = all;
		if (e == NULL && !is_full)
			e = add(s, name);
		if (e == NULL)
			is_full = true; /* those that are known stay */
		else
			e->is_there = true;
	}
	qsort(s->names, s->count, sizeof(*s->names), compare);
}

static void
drop_missing(struct store *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->count; i++) {
		if (s->names[i].is_there) {
			s->names[kept++] = s->names[i];
			continue;
		}
		set(s, &s->names[i], NULL);
		free(s->names[i].name);
	}
	s->count = kept;
}

static void
refresh_names(struct store *s)
{
	int64_t now = clock_mono_ms();
	struct stat st = { .st_ino = 0 };
	DIR *dir;

	if (stat(STORE_NAMES_DIR, &st) < 0 && s->count == 0)
		return;
	if (s->looked != 0 && is_same(&st, &s->directory) &&
	    now - s->looked < STORE_LOOK_MS)
		return;
	s->looked = now;
	s->directory = st;
	for (size_t i = 0; i < s->count; i++)
		s->names[i].is_there = false;
	dir = opendir(STORE_NAMES_DIR);
	if (dir != NULL) {
		list(s, dir);
		closedir(dir);
	} else if (errno != ENOENT) {
		warn("unable to read %s: %s", STORE_NAMES_DIR,
		    error_text(errno));
		return;
	}
	drop_missing(s);
	for (size_t i = 0; i < s->count; i++) {
		char path[PATH_SIZE];

		snprintf(path, sizeof(path), "%s/%s.pem", STORE_NAMES_DIR,
		    s->names[i].name);
		refresh_entry(s, &s->names[i], path);
	}
}

bool
store_refresh(struct store *s)
{
	refresh_entry(s, &s->everybody, s->path);
	refresh_names(s);
	return s->everybody.ctx != NULL;
}
