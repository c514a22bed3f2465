/*
 * qreceipt address: answers a message that asks for a notice of its delivery
 * to that address; qreceipt(1).
 *
 * Run from a .qmail file, with the message on descriptor 0.  Looks at the
 * first HEAD_MAX bytes of it.
 */
#include "base/die.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/io.h"
#include "base/program.h"
#include "local/tool.h"
#include "mail/address.h"
#include "mail/addrlist.h"
#include "mail/header.h"
#include "spool/submit.h"

enum { HEAD_MAX = 256 * 1024, NOTICE_MAX = 512 * 1024 };

static const struct program program = { .name = "qreceipt",
	.flags = PROGRAM_FD0 | PROGRAM_KEEP_UMASK };

struct request {
	bool wanted;
	struct strv message_id; /* the whole field */
};

/* All addresses of a list, each ended by NUL; hosts get the same ending. */
static int
parse(struct strv value, struct addrlist *list)
{
	const struct address_rules rules = { STRV("localhost"),
		STRV("localdomain"), STRV("localdomain") };
	int r = addrlist_parse(value, &rules, 0, list);

	/* That it names nobody is not what we know then. */
	if (r == QE_NOMEM)
		die_nomem();
	return r;
}

/* Is the address, as a field writes it, one of the field's? */
static bool
names(struct strv value, const char *address)
{
	struct addrlist list = ADDRLIST_INIT, wanted = ADDRLIST_INIT;
	struct buf quoted = BUF_INIT;
	struct strv rest = STRV_EMPTY, one = STRV_EMPTY;
	bool found = false;

	address_add_quoted(&quoted, strv_of(address));
	if (quoted.err != 0)
		die_nomem();
	if (parse(value, &list) == 0 &&
	    strv_find(strv_of(address), '@') != STRV_NPOS &&
	    parse(buf_view(&quoted), &wanted) == 0) {
		rest = buf_view(&list.addresses);
		one = buf_view(&wanted.addresses);
		one = strv_cut(&one, '\0', NULL);
	}
	while (!found && rest.len > 0)
		found = strv_eq(strv_cut(&rest, '\0', NULL), one);
	addrlist_free(&list);
	addrlist_free(&wanted);
	buf_free(&quoted);
	return found;
}

static struct request
find_request(struct strv message, const char *address)
{
	const struct strv wish = STRV("Notice-Requested-Upon-Delivery-To");
	struct request request = { .message_id = STRV_EMPTY };
	struct strv field;

	while (header_next(&message, &field)) {
		if (header_field_is(field, wish))
			request.wanted |=
			    names(header_field_value(field), address);
		else if (header_field_is(field, STRV("Message-ID")))
			request.message_id = field;
	}
	return request;
}

static void
read_head(struct buf *head)
{
	char block[8192];
	ssize_t got = 1;

	while (got > 0 && head->len < HEAD_MAX) {
		got = io_read(0, block, sizeof(block));
		if (got < 0)
			die_errno(EX_TEMPORARY, "unable to read message");
		buf_add(head, block, (size_t)got);
	}
	if (head->err != 0)
		die_nomem();
}

static void
compose(struct buf *out, const char *sender, const char *address,
    struct strv message_id)
{
	struct buf to = BUF_INIT;

	buf_add_char(&to, '<');
	address_add_quoted(&to, strv_of(sender));
	buf_add_char(&to, '>');
	buf_addf(out,
	    "From: DELIVERY NOTICE SYSTEM %s\nTo: %s\n"
	    "Subject: success notice\n\n"
	    "Hi! This is the qreceipt program. Your message was delivered to "
	    "the\nfollowing address: %s. Thanks for asking.\n",
	    to.err == 0 ? buf_cstr(&to) : "", to.err == 0 ? to.data : "",
	    address);
	if (message_id.len > 0) {
		buf_add_str(out, "Your ");
		buf_add_view(out, message_id);
		buf_add_char(out, '\n');
	}
	if (to.err != 0 || out->err != 0)
		die_nomem();
	buf_free(&to);
}

static void
send_notice(struct strv notice, const char *sender)
{
	struct submit_result result;
	struct submit s;

	if (submit_open(&s) != 0)
		die_errno(EX_TEMPORARY, "unable to fork");
	submit_message(&s, notice);
	submit_sender(&s, STRV_EMPTY);
	submit_recipient(&s, strv_of(sender));
	submit_close(&s, IO_FOREVER, &result);
	if (!result.ok)
		die(result.permanent ? EX_PERMANENT : EX_TEMPORARY, "%s",
		    result.text);
}

int
main(int argc, char **argv)
{
	struct buf head = BUF_LIMIT(HEAD_MAX + 8192);
	struct buf notice = BUF_LIMIT(NOTICE_MAX);
	struct request request;
	struct strv sender;

	program_begin(&program);
	if (argc != 2)
		die_usage("qreceipt deliveryaddress");
	sender = tool_variable("SENDER");
	/* No notice about a bounce: it would go round in circles. */
	if (sender.len == 0 || strv_eq(sender, STRV("#@[]")) ||
	    address_is_poisoned(sender))
		return EX_SUCCESS;
	read_head(&head);
	request = find_request(buf_view(&head), argv[1]);
	if (!request.wanted)
		return EX_SUCCESS;
	compose(&notice, sender.ptr, argv[1], request.message_id);
	send_notice(buf_view(&notice), sender.ptr);
	return EX_SUCCESS;
}
