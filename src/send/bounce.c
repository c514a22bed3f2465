/*
 * Bounces: the paragraphs that gather in bounce/, and the message around them
 * (qmail-send(8)).  Others parse it; every byte counts.
 */
#include "base/error.h"
#include "base/io.h"
#include "mail/address.h"
#include "mail/date.h"
#include "send/send.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static const char give_up_text[] =
    "I'm afraid I wasn't able to deliver your message to the following "
    "addresses.\n"
    "This is a permanent error; I've given up. Sorry it didn't work out.\n";
static const char double_text[] = "I tried to deliver a bounce message to this "
				  "address, but the bounce bounced!\n";

/*
 * A line end that follows a line end becomes a slash, so that the paragraph
 * has no empty line but the one that ends it.
 */
void
bounce_add_paragraph(struct buf *out, struct strv recipient, struct strv report)
{
	bool at_start = true;

	buf_add_char(out, '<');
	for (size_t i = 0; i < recipient.len; i++)
		buf_add_char(
		    out, recipient.ptr[i] == '\n' ? '_' : recipient.ptr[i]);
	buf_add_str(out, ">:\n");
	for (size_t i = 0; i < report.len; i++) {
		bool is_end = report.ptr[i] == '\n';

		buf_add_char(out, is_end && at_start ? '/' : report.ptr[i]);
		at_start = is_end;
	}
	/* What a slash stands for at the end has not ended its line. */
	if (out->err == 0 && out->data[out->len - 1] != '\n')
		buf_add_char(out, '\n');
	buf_add_char(out, '\n');
}

int
bounce_append(const char *path, struct strv paragraphs)
{
	struct stat st;
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	int r = QE_SYS;

	if (fd < 0)
		return QE_SYS;
	if (fstat(fd, &st) == 0) {
		r = io_write_all(fd, paragraphs.ptr, paragraphs.len);
		/* Half a paragraph must not stay: all is written again. */
		if (r != 0 && ftruncate(fd, st.st_size) < 0)
			errno = EIO;
	}
	io_close(&fd);
	return r;
}

struct strv
bounce_original_sender(struct strv sender)
{
	if (strv_ends_nocase(sender, STRV("-@[]")))
		return strv_head(sender, sender.len - 4);
	return sender;
}

int
bounce_address(
    struct bounce *b, const struct send_config *config, struct strv sender)
{
	*b = (struct bounce){ .is_triple = strv_eq(sender, STRV("#@[]")),
		.is_double = sender.len == 0 };
	if (b->is_double) {
		buf_add_str(&b->sender, "#@[]");
		buf_add_view(&b->recipient, buf_view(&config->doublebounceto));
		buf_add_char(&b->recipient, '@');
		buf_add_view(
		    &b->recipient, buf_view(&config->doublebouncehost));
	} else {
		buf_add_view(&b->recipient, bounce_original_sender(sender));
	}
	return b->sender.err != 0 ? b->sender.err : b->recipient.err;
}

void
bounce_add_fields(struct buf *out, const struct send_config *config,
    const struct bounce *b, int64_t now)
{
	struct buf from = BUF_INIT;

	buf_add_view(&from, buf_view(&config->bouncefrom));
	buf_add_char(&from, '@');
	buf_add_view(&from, buf_view(&config->bouncehost));
	out->err = out->err != 0 ? out->err : from.err;
	buf_add_str(out, "Date: ");
	date_add_822(out, now);
	buf_add_str(out, "\nFrom: ");
	address_add_quoted(out, buf_view(&from));
	buf_add_str(out, "\nTo: ");
	address_add_quoted(out, buf_view(&b->recipient));
	buf_add_str(out, "\nSubject: failure notice\n");
	buf_free(&from);
}

void
bounce_add_text(
    struct buf *out, const struct send_config *config, const struct bounce *b)
{
	buf_add_str(out, "Hi. This is the qmail-send program at ");
	buf_add_view(out, buf_view(&config->bouncehost));
	buf_add_str(out, ".\n");
	buf_add_str(out, b->is_double ? double_text : give_up_text);
	buf_add_char(out, '\n');
}

void
bounce_add_head(struct buf *out, const struct send_config *config,
    const struct bounce *b, int64_t now)
{
	bounce_add_fields(out, config, b, now);
	buf_add_char(out, '\n');
	bounce_add_text(out, config, b);
}

void
bounce_add_return_path(struct buf *out, struct strv sender)
{
	buf_add_str(out, "Return-Path: <");
	address_add_quoted(out, bounce_original_sender(sender));
	buf_add_str(out, ">\n");
}

void
bounce_add_middle(struct buf *out, const struct bounce *b, struct strv sender)
{
	buf_add_str(out,
	    b->is_double ? "--- Below this line is the original bounce.\n\n"
			 : "--- Below this line is a copy of the message.\n\n");
	bounce_add_return_path(out, sender);
}
