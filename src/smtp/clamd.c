/* clamd's protocol as bytes; who sends and waits is elsewhere. */
#include "smtp/clamd.h"
#include "base/error.h"

enum { BYTE_BITS = 8, PRINTABLE_FIRST = 0x20, PRINTABLE_END = 0x7f };

void
clamd_add_instream(struct buf *out)
{
	buf_add_view(out, STRV("zINSTREAM\0"));
}

static void
add_length(struct buf *out, uint32_t n)
{
	for (int shift = 3 * BYTE_BITS; shift >= 0; shift -= BYTE_BITS)
		buf_add_char(out, (char)(unsigned char)(n >> shift));
}

void
clamd_add_chunk(struct buf *out, struct strv bytes)
{
	while (bytes.len > 0) {
		struct strv piece = strv_head(bytes, UINT32_MAX);

		add_length(out, (uint32_t)piece.len);
		buf_add_view(out, piece);
		bytes = strv_skip(bytes, piece.len);
	}
}

void
clamd_add_end(struct buf *out)
{
	add_length(out, 0);
}

/* Takes " WORD" off the end of *text, if something is left before it. */
static bool
cut_last_word(struct strv *text, struct strv word)
{
	if (text->len < word.len + 2 || !strv_ends_nocase(*text, word) ||
	    text->ptr[text->len - word.len - 1] != ' ')
		return false;
	*text = strv_head(*text, text->len - word.len - 1);
	return true;
}

enum clamd_verdict
clamd_reply_parse(struct strv reply, struct strv *about)
{
	static const struct strv stream = { "stream: ", 8 };
	struct strv text = reply;
	bool of_stream = strv_starts(text, stream);

	*about = reply;
	if (strv_starts(text, STRV("INSTREAM size limit exceeded")))
		return CLAMD_TOO_LARGE;
	if (of_stream)
		text = strv_skip(text, stream.len);
	if (of_stream && strv_eq(text, STRV("OK")))
		return CLAMD_CLEAN;
	if (of_stream && cut_last_word(&text, STRV("FOUND"))) {
		*about = text;
		return CLAMD_FOUND;
	}
	if (cut_last_word(&text, STRV("ERROR"))) {
		*about = text;
		return CLAMD_FAILED;
	}
	return CLAMD_NONSENSE;
}

void
clamd_add_name(struct buf *out, struct strv name)
{
	name = strv_head(name, CLAMD_NAME_MAX);
	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.ptr[i];
		bool plain = c >= PRINTABLE_FIRST && c < PRINTABLE_END &&
			     c != '"' && c != '\\';

		buf_add_char(out, plain ? (char)c : '?');
	}
}

static enum clamd_command
command_of(struct strv word)
{
	static const struct strv words[] = {
		[CLAMD_PING] = {"PING",      4},
		[CLAMD_VERSION] = { "VERSION",  7},
		[CLAMD_INSTREAM] = { "INSTREAM", 8},
		[CLAMD_RELOAD] = { "RELOAD",   6},
		[CLAMD_STATS] = { "STATS",    5},
	};

	for (int i = 0; i < CLAMD_UNKNOWN; i++)
		if (strv_eq(word, words[i]))
			return (enum clamd_command)i;
	return CLAMD_UNKNOWN;
}

int
clamd_command_parse(struct strv input, enum clamd_command *command,
    char *terminator, size_t *used)
{
	char first = input.len == 0 ? '\0' : input.ptr[0];
	size_t prefix = first == 'z' || first == 'n' ? 1 : 0;
	char end = first == 'z' ? '\0' : '\n';
	size_t length = strv_find(input, end);
	struct strv word;

	if (length == STRV_NPOS || length > CLAMD_COMMAND_MAX) {
		/* Some send a plain word and wait, with nothing behind it. */
		*command = prefix == 0 ? command_of(input) : CLAMD_UNKNOWN;
		if (*command == CLAMD_UNKNOWN || *command == CLAMD_INSTREAM)
			return input.len > CLAMD_COMMAND_MAX ? QE_LIMIT
							     : QE_EOF;
		length = input.len;
	}
	word = strv_skip(strv_head(input, length), prefix);
	if (word.len > 0 && end == '\n' && word.ptr[word.len - 1] == '\r')
		word.len--;
	*command = command_of(word);
	*terminator = end;
	*used = length < input.len ? length + 1 : length;
	return 0;
}

/* Bytes of a length; true when it is whole. */
static bool
take_length(struct clamd_stream *s, struct strv *input)
{
	while (s->seen < CLAMD_LENGTH_BYTES && input->len > 0) {
		s->left = s->left << BYTE_BITS | (unsigned char)input->ptr[0];
		*input = strv_skip(*input, 1);
		s->seen++;
	}
	return s->seen == CLAMD_LENGTH_BYTES;
}

void
clamd_stream_take(struct clamd_stream *s, struct strv *input, struct strv *data)
{
	*data = STRV_EMPTY;
	if (s->done || !take_length(s, input))
		return;
	s->done = s->left == 0;
	*data = strv_head(*input, s->left);
	*input = strv_skip(*input, data->len);
	s->left -= (uint32_t)data->len;
	if (s->left == 0) /* the next length comes */
		s->seen = 0;
}
