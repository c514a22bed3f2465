/* A private working directory for a test; relative paths, as in a home. */
#ifndef SCRATCH_H
#define SCRATCH_H

#include "unit.h"

struct scratch {
	char path[64];
	int home; /* where the test came from */
};

static inline int
scratch_enter(void **state)
{
	struct scratch *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return -1;
	s->home = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	unit_make_dir(s->path);
	if (s->home < 0 || chdir(s->path) < 0)
		return -1;
	*state = s;
	return 0;
}

/* The same, with an empty control/. */
static inline int
scratch_enter_control(void **state)
{
	int r = scratch_enter(state);

	return r == 0 ? mkdir("control", 0700) : r;
}

static inline int
scratch_leave(void **state)
{
	struct scratch *s = *state;
	int r = fchdir(s->home);

	close(s->home);
	unit_remove(s->path);
	free(s);
	return r;
}

static inline void
scratch_write(const char *path, const void *data, size_t n, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, n), (ssize_t)n);
	close(fd);
}

#endif
