/*
 * qbiff: tells a user who is logged in, at terminals with the x bit set for
 * their owner (biff y), that mail has come; qbiff(1).
 *
 * Run from a .qmail file.  Whatever happens it exits 0: nobody's mail depends
 * on it.
 */
#include "base/buf.h"
#include "base/env.h"
#include "base/io.h"
#include "base/program.h"
#include "mail/header.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utmpx.h>

enum {
	HEAD_BYTES = 16 * 1024, /* of the message that are looked at */
	SHOWN_COLUMNS = 78,
	INDENT = 4,
	NOTE_MAX = 4096
};

static const struct program program = { .name = "qbiff",
	.flags = PROGRAM_KEEP_UMASK };

/* Bytes that could drive a terminal become '_'. */
static void
add_plain(struct buf *out, struct strv text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		buf_add_char(out, c < ' ' || c >= 127 ? '_' : (char)c);
	}
}

/* The same with blanks, tabs and line ends as one blank each run. */
static void
add_words(struct buf *out, struct strv text, size_t end)
{
	bool blank = false;

	for (size_t i = 0; i < text.len && out->len < end; i++) {
		char c = text.ptr[i];

		if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
			blank = true;
			continue;
		}
		if (blank)
			buf_add_char(out, ' ');
		blank = false;
		if (out->len < end)
			add_plain(out, strv_from(&c, 1));
	}
	if (out->len < end)
		buf_add_char(out, ' ');
}

static struct strv
variable(const char *name)
{
	const char *value = env_get(name);

	return strv_of(value == NULL ? "" : value);
}

static void
compose(struct buf *out, struct strv message)
{
	struct strv field;
	size_t end;

	buf_add_str(out, "\r\n\a*** TO <");
	add_plain(out, strv_head(variable("LOCAL"), SHOWN_COLUMNS));
	buf_add_str(out, "> FROM <");
	add_plain(out, strv_head(variable("SENDER"), SHOWN_COLUMNS));
	buf_add_str(out, ">\r\n");
	end = out->len + SHOWN_COLUMNS;
	buf_add_str(out, "    ");
	while (header_next(&message, &field))
		if (header_field_is(field, STRV("Subject")))
			add_words(out,
			    strv_trim_blanks(header_field_value(field)), end);
	add_words(out, message, end);
	buf_add_str(out, "\r\n");
}

/* A terminal of ours whose owner wants to hear. */
static void
tell(const char *line, struct strv note)
{
	char path[64];
	struct stat st;
	int fd;

	if (line[0] == '\0' || line[0] == '/' || strstr(line, "..") != NULL)
		return;
	snprintf(path, sizeof(path), "/dev/%s", line);
	fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) &&
	    st.st_uid == getuid() && (st.st_mode & S_IXUSR) != 0 &&
	    write(fd, note.ptr, note.len) < 0)
		path[0] = '\0'; /* then not */
	io_close(&fd);
}

int
main(void)
{
	struct buf note = BUF_LIMIT(NOTE_MAX);
	struct strv user;
	struct utmpx *entry;
	char head[HEAD_BYTES];
	ssize_t got;

	program_begin(&program);
	user = variable("USER");
	got = io_read(0, head, sizeof(head));
	compose(&note, strv_from(head, got > 0 ? (size_t)got : 0));
	if (user.len == 0 || note.err != 0)
		return 0;
	setutxent();
	while ((entry = getutxent()) != NULL) {
		char name[sizeof(entry->ut_user) + 1] = "";
		char line[sizeof(entry->ut_line) + 1] = "";

		if (entry->ut_type != USER_PROCESS)
			continue;
		memcpy(name, entry->ut_user, sizeof(entry->ut_user));
		memcpy(line, entry->ut_line, sizeof(entry->ut_line));
		if (strv_eq(strv_of(name), user))
			tell(line, buf_view(&note));
	}
	endutxent();
	return 0;
}
