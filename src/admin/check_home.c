/*
 * The home, its queue and its programs: is all there, with the owners and
 * modes that the separation of the suite's users rests on?
 */
#include "admin/findings.h"
#include "base/account.h"
#include "base/error.h"
#include "spool/queue.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OWNER_ROOT = ROLE_COUNT, PLACE_PATH_MAX = QUEUE_PATH_MAX + 16 };

enum place_kind {
	PLACE_OPEN,  /* directory: only others' writing is checked */
	PLACE_DIR,   /* directory, exact mode */
	PLACE_SPLIT, /* the same, and so all its numbered directories */
	PLACE_TODO,  /* the same, but there need not be any */
	PLACE_FILE,
	PLACE_FIFO
};

struct place {
	const char *path;
	int owner; /* enum role or OWNER_ROOT */
	mode_t mode;
	enum place_kind kind;
};

/* path, owner, mode, kind */
static const struct place places[] = {
	{".",		     OWNER_ROOT,  0755,  PLACE_OPEN },
	{ "bin",		  OWNER_ROOT,  0755,  PLACE_OPEN },
	{ "control",              OWNER_ROOT,  0755,  PLACE_OPEN },
	{ "users",                OWNER_ROOT,  0755,  PLACE_OPEN },
	{ "alias",                ROLE_ALIAS,  02755, PLACE_OPEN },
	{ "queue",                ROLE_QUEUE,  0750,  PLACE_DIR  },
	{ "queue/pid",            ROLE_QUEUE,  0700,  PLACE_DIR  },
	{ "queue/intd",           ROLE_QUEUE,  0700,  PLACE_TODO },
	{ "queue/todo",           ROLE_QUEUE,  0750,  PLACE_TODO },
	{ "queue/mess",           ROLE_QUEUE,  0750,  PLACE_SPLIT},
	{ "queue/info",           ROLE_SEND,   0700,  PLACE_SPLIT},
	{ "queue/local",          ROLE_SEND,   0700,  PLACE_SPLIT},
	{ "queue/remote",         ROLE_SEND,   0700,  PLACE_SPLIT},
	{ "queue/bounce",         ROLE_SEND,   0700,  PLACE_DIR  },
	{ "queue/lock",           ROLE_QUEUE,  0750,  PLACE_DIR  },
	{ "queue/lock/sendmutex", ROLE_SEND,   0600,  PLACE_FILE },
	{ "queue/lock/tcpto",     ROLE_REMOTE, 0644,  PLACE_FILE },
	{ "queue/lock/trigger",   ROLE_SEND,   0622,  PLACE_FIFO },
};

/* Programs without which no mail moves. */
static const char *const programs[] = { "qmail-queue", "qmail-send",
	"qmail-todo", "qmail-clean", "qmail-lspawn", "qmail-rspawn",
	"qmail-local", "qmail-remote", "qmail-start" };

struct owners {
	uid_t uid[ROLE_COUNT + 1];
	bool known[ROLE_COUNT + 1];
};

static void
find_owners(struct findings *f, struct owners *owners)
{
	gid_t gid;

	for (int i = 0; i <= ROLE_COUNT; i++) {
		const char *user =
		    i == OWNER_ROOT ? "root" : role_user((enum role)i);
		int r = 0;

		owners->uid[i] = f->installation.owner;
		if (f->installation.by_root && i != OWNER_ROOT)
			r = account_user(user, &owners->uid[i], &gid);
		owners->known[i] = r == 0;
		if (r == QE_ABSENT)
			finding_problem(f, "user %s does not exist", user);
		else if (r != 0)
			finding_unseen(f, user, EAGAIN);
	}
}

static void
check_owner(struct findings *f, const char *path, const struct stat *st,
    int owner, const struct owners *owners)
{
	if (owners->known[owner] && st->st_uid != owners->uid[owner])
		finding_problem(f, "%s: owner is uid %lu, should be %lu", path,
		    (unsigned long)st->st_uid,
		    (unsigned long)owners->uid[owner]);
}

static bool
has_right_type(mode_t mode, enum place_kind kind)
{
	switch (kind) {
	case PLACE_FILE:
		return S_ISREG(mode);
	case PLACE_FIFO:
		return S_ISFIFO(mode);
	case PLACE_OPEN:
	case PLACE_DIR:
	case PLACE_SPLIT:
	case PLACE_TODO:
		return S_ISDIR(mode);
	}
	return false;
}

/* Type, owner and mode of one path; false if it is not there to look at. */
static bool
check_place(struct findings *f, const char *path, const struct place *place,
    const struct owners *owners)
{
	struct stat st;
	mode_t mode;

	if (stat(path, &st) < 0) {
		finding_unseen(f, path, errno);
		return false;
	}
	if (!has_right_type(st.st_mode, place->kind)) {
		finding_problem(f, "%s: is no %s", path,
		    place->kind == PLACE_FILE   ? "plain file"
		    : place->kind == PLACE_FIFO ? "named pipe"
						: "directory");
		return false;
	}
	mode = st.st_mode & 07777;
	if (place->kind == PLACE_OPEN && (mode & 022) != 0)
		finding_problem(f, "%s: mode is %04o: others can change it",
		    path, (unsigned)mode);
	else if (place->kind != PLACE_OPEN && mode != place->mode)
		finding_problem(f, "%s: mode is %04o, should be %04o", path,
		    (unsigned)mode, (unsigned)place->mode);
	/* Where all is one uid's, what root put there is safe, too. */
	if (st.st_uid != 0 || place->kind != PLACE_OPEN)
		check_owner(f, path, &st, place->owner, owners);
	return true;
}

static void
check_split(struct findings *f, const struct place *place, unsigned split,
    const struct owners *owners)
{
	char path[PLACE_PATH_MAX];
	struct stat st;

	for (unsigned i = 0; i < split; i++) {
		snprintf(path, sizeof(path), "%s/%u", place->path, i);
		check_place(f, path, place, owners);
	}
	snprintf(path, sizeof(path), "%s/%u", place->path, split);
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		finding_problem(
		    f, "%s: one directory more than queue/mess has", path);
}

/* The queue's own idea of its shape. */
static bool
read_layout(struct findings *f, struct queue_layout *layout)
{
	int r;

	if (chdir("queue") < 0)
		return false; /* check_place has told */
	r = queue_layout_read(layout);
	if (chdir("..") < 0)
		finding_unseen(f, ".", errno);
	return r == 0;
}

/* Messages are linked from one area to the next. */
static void
check_same_device(struct findings *f, const char *a, const char *b)
{
	struct stat one, other;

	if (stat(a, &one) == 0 && stat(b, &other) == 0 &&
	    one.st_dev != other.st_dev)
		finding_problem(f, "%s: not on the file system of %s", a, b);
}

static void
check_programs(struct findings *f, const struct owners *owners)
{
	char path[PLACE_PATH_MAX];
	struct stat st;

	for (size_t i = 0; i < sizeof(programs) / sizeof(*programs); i++) {
		int owner = i == 0 ? (int)ROLE_QUEUE : OWNER_ROOT;

		snprintf(path, sizeof(path), "bin/%s", programs[i]);
		if (stat(path, &st) < 0) {
			finding_unseen(f, path, errno);
			continue;
		}
		if ((st.st_mode & 022) != 0)
			finding_problem(f,
			    "%s: mode is %04o: others can change it", path,
			    (unsigned)st.st_mode & 07777);
		if (!f->installation.by_root)
			continue;
		check_owner(f, path, &st, owner, owners);
		if (i == 0 && (st.st_mode & 07777) != 04711)
			finding_problem(f, "%s: mode is %04o, should be 4711",
			    path, (unsigned)st.st_mode & 07777);
	}
}

void
check_home(struct findings *f)
{
	struct queue_layout layout = { 0, false };
	struct owners owners;
	bool has_layout;

	find_owners(f, &owners);
	has_layout = read_layout(f, &layout);
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		const struct place *place = &places[i];

		if (!check_place(f, place->path, place, &owners) || !has_layout)
			continue;
		if (place->kind == PLACE_SPLIT ||
		    (place->kind == PLACE_TODO && layout.todo_split))
			check_split(f, place, layout.split, &owners);
	}
	check_same_device(f, "queue/pid", "queue/mess");
	check_same_device(f, "queue/intd", "queue/todo");
	check_programs(f, &owners);
}
