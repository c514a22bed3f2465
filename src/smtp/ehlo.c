/*
 * The answer to EHLO: a line with the server's name, and one for each
 * extension, a keyword and what it says of it.
 */
#include "smtp/ehlo.h"

enum { CODE_BYTES = 4 /* "250-" in front of each line */ };

static const struct {
	const char *keyword;
	enum ehlo_extension extension;
} keywords[] = {
	{"PIPELINING", EHLO_PIPELINING},
	{ "SIZE",      EHLO_SIZE      },
	{ "8BITMIME",  EHLO_8BITMIME  },
	{ "STARTTLS",  EHLO_STARTTLS  },
	{ "AUTH",      EHLO_AUTH      },
};

void
ehlo_init(struct ehlo *ehlo)
{
	ehlo->auth = (struct buf)BUF_LIMIT(EHLO_AUTH_MAX);
	ehlo->extensions = 0;
	ehlo->size_limit = 0;
}

void
ehlo_reset(struct ehlo *ehlo)
{
	ehlo->extensions = 0;
	ehlo->size_limit = 0;
	buf_reset(&ehlo->auth);
}

/* Of a line that is there twice both count; only what fits is kept. */
static void
add_methods(struct ehlo *ehlo, struct strv methods)
{
	if (ehlo->auth.len + 1 + methods.len > EHLO_AUTH_MAX)
		return;
	buf_add_char(&ehlo->auth, ' ');
	buf_add_view(&ehlo->auth, methods);
}

static void
take_line(struct ehlo *ehlo, struct strv line)
{
	struct strv keyword = strv_cut(&line, ' ', NULL);
	unsigned found = 0;
	uint64_t limit;

	for (size_t i = 0; i < sizeof(keywords) / sizeof(*keywords); i++)
		if (strv_eq_nocase(keyword, strv_of(keywords[i].keyword)))
			found = keywords[i].extension;
	ehlo->extensions |= found;
	line = strv_trim_blanks(line);
	if (found == EHLO_AUTH)
		add_methods(ehlo, line);
	if (found == EHLO_SIZE && strv_to_u64(line, INT64_MAX, &limit) == 0)
		ehlo->size_limit = limit;
}

void
ehlo_parse(struct ehlo *ehlo, struct strv reply)
{
	ehlo_reset(ehlo);
	(void)strv_cut(&reply, '\n', NULL); /* the server's name */
	while (reply.len > 0) {
		struct strv line = strv_cut(&reply, '\n', NULL);

		take_line(ehlo, strv_trim_end(strv_skip(line, CODE_BYTES)));
	}
}

void
ehlo_free(struct ehlo *ehlo)
{
	buf_free(&ehlo->auth);
}
