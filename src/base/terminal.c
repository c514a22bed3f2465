/*
 * Without signals: a key that would end us is taken for the end of the line,
 * so that nothing has to be put in order behind our back.
 */
#include "base/terminal.h"
#include "base/error.h"
#include "base/io.h"

#include <stdbool.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* keys: those of a terminal that give up; NULL for what is none. */
static int
read_line(const cc_t *keys, char *line, size_t max, size_t *len)
{
	*len = 0;
	for (;;) {
		unsigned char c;
		ssize_t got = io_read(STDIN_FILENO, &c, 1);

		if (got < 0)
			return QE_SYS;
		if (got == 0 || c == '\n')
			return 0;
		if (keys != NULL && (c == keys[VINTR] || c == keys[VQUIT]))
			return QE_EOF;
		if (*len == max)
			return QE_LIMIT;
		line[(*len)++] = (char)c;
	}
}

int
terminal_read_secret(const char *prompt, char *line, size_t max, size_t *len)
{
	struct termios before, hidden;
	int r;

	if (tcgetattr(STDIN_FILENO, &before) != 0)
		return read_line(NULL, line, max, len);
	hidden = before;
	hidden.c_lflag &= ~(tcflag_t)(ECHO | ISIG);
	hidden.c_cc[VEOL] = before.c_cc[VINTR];
	hidden.c_cc[VEOL2] = before.c_cc[VQUIT];
	(void)io_write_all(STDERR_FILENO, prompt, strlen(prompt));
	if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden) != 0)
		return QE_SYS;
	r = read_line(before.c_cc, line, max, len);
	/* With what is left of a line that was too long. */
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
	(void)io_write_all(STDERR_FILENO, "\n", 1);
	return r;
}
