/* Descriptor 3 of the checkpassword interface (checkpassword(8)). */
#include "auth/credentials.h"
#include "base/error.h"
#include "base/io.h"

#include <string.h>

static int
credentials_fill(int fd, struct credentials *c)
{
	c->len = 0;
	for (;;) {
		ssize_t got =
		    io_read(fd, c->bytes + c->len, sizeof c->bytes - c->len);

		if (got < 0)
			return QE_SYS;
		if (got == 0)
			return 0;
		c->len += (size_t)got;
		if (c->len > CREDENTIALS_MAX)
			return QE_LIMIT;
	}
}

/* The string at *at, which moves behind its NUL; NULL if there is none. */
static const char *
credentials_field(const struct credentials *c, size_t *at)
{
	const char *start = c->bytes + *at;
	const char *end = memchr(start, '\0', c->len - *at);

	if (end == NULL)
		return NULL;
	*at = (size_t)(end - c->bytes) + 1;
	return start;
}

static int
credentials_split(struct credentials *c)
{
	size_t at = 0;

	c->login = credentials_field(c, &at);
	c->a = c->login == NULL ? NULL : credentials_field(c, &at);
	c->b = c->a == NULL ? NULL : credentials_field(c, &at);
	if (c->b == NULL || c->login[0] == '\0')
		return QE_SYNTAX;
	return 0;
}

int
credentials_read(int fd, struct credentials *out)
{
	int r = credentials_fill(fd, out);

	io_close(&fd);
	if (r == 0)
		r = credentials_split(out);
	if (r != 0)
		credentials_wipe(out);
	return r;
}

int
credentials_take(struct strv bytes, struct credentials *out)
{
	int r = QE_LIMIT;

	if (bytes.len <= CREDENTIALS_MAX) {
		memcpy(out->bytes, bytes.ptr, bytes.len);
		out->len = bytes.len;
		r = credentials_split(out);
	}
	if (r != 0)
		credentials_wipe(out);
	return r;
}

void
credentials_wipe(struct credentials *c)
{
	explicit_bzero(c, sizeof *c);
}
