/* inject/rewrite: which fields are rewritten, whose addresses are used. */
#include "inject/rewrite.h"
#include "unit.h"

static const struct address_rules rules = {
	{"h.example",  9},
        { "d.example", 9},
        { "p.example", 9}
};

static void
read_fields(const char *text, struct header *h)
{
	char path[64], file[80], block[512];
	struct source in;
	int fd;

	unit_make_dir(path);
	snprintf(file, sizeof(file), "%s/text", path);
	unit_write(file, strv_of(text));
	fd = open(file, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	source_init(&in, fd, block, sizeof(block));
	assert_int_equal(header_read(&in, h), 0);
	close(fd);
	unit_remove(path);
}

struct rewrite_case {
	const char *text;
	bool want;
	int result;
	const char *fields;     /* after */
	const char *recipients; /* "a b" */
};

static const struct rewrite_case cases[] = {
	{"To: a, b\nCc: c\n",				  true,  0,
         "To: a@h.example, b@h.example\nCc: c@h.example\n",							  "b@h.example a@h.example c@h.example"},
	{ "To: a\n",					   false, 0,         "To: a@h.example\n",                ""                                   },
	{ "Subject: a\nX-To: b\n",                             true,  0,         "Subject: a\nX-To: b\n",            ""                                   },
	{ "tO : a\n",					  true,  0,         "tO: a@h.example\n",                "a@h.example"                        },
	{ "To:\n",					     true,  0,         "To:\n",                            ""                                   },
	{ "Bcc: a\nApparently-To: b\n",                        true,  0,
         "Bcc: a@h.example\nApparently-To: b@h.example\n",							   "a@h.example b@h.example"            },
	{ "From: a\nSender: b\nReply-To: c\nErrors-To: d\n"
	  "Return-Receipt-To: e\nReturn-Path: <f>\n", true,  0,
         "From: a@h.example\nSender: b@h.example\nReply-To: c@h.example\n"
	    "Errors-To: d@h.example\nReturn-Receipt-To: e@h.example\n"
	    "Return-Path: <f@h.example>\n",									  ""				   },
	{ "To: a\nResent-To: b\nResent-Bcc: c\n",              true,  0,
         "To: a@h.example\nResent-To: b@h.example\n"
	    "Resent-Bcc: c@h.example\n",									     "b@h.example c@h.example"            },
	{ "To: a@\n",					  true,  QE_SYNTAX, "",                                 ""                                   },
	{ "To: a@\n",					  false, 0,         "To: a@\n",                         ""                                   },
	{ "To: a@\nResent-To: b\n",                            true,  0,         "To: a@\nResent-To: b@h.example\n",
         "b@h.example"																    },
	{ "Resent-To: a@\n",				   true,  QE_SYNTAX, "",                                 ""                                   },
	{ "Bcc: a@\n",					 true,  QE_SYNTAX, "",                                 ""                                   },
	{ "From: a@\n",					false, QE_SYNTAX, "",                                 ""                                   },
	{ "Return-Path: a@\n",				 false, QE_SYNTAX, "",                                 ""                                   },
	{ "To: <>\n",					  true,  0,         "To: <>\n",                         ""                                   },
};

static void
check(const struct rewrite_case *c)
{
	struct rewriting r = { .rules = &rules, .want_recipients = c->want };
	struct buf out = BUF_INIT;
	struct header h;

	read_fields(c->text, &h);
	assert_int_equal(rewrite_header(&r, &h), c->result);
	for (size_t i = 0; c->result == 0 && i < h.count; i++)
		buf_add_view(&out, r.fields[i]);
	assert_same(buf_view(&out), strv_of(c->fields));
	for (size_t i = 0; i < r.recipients.len; i++)
		if (r.recipients.data[i] == '\0')
			r.recipients.data[i] = ' ';
	if (c->result == 0)
		assert_same(strv_trim_end(buf_view(&r.recipients)),
		    strv_of(c->recipients));
	else
		assert_same(r.culprit, buf_view(&h.bytes));
	buf_free(&out);
	rewriting_free(&r);
	header_free(&h);
}

static void
test_rewrite_fields(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		check(&cases[i]);
}

static void
test_rewrite_takes_the_first_return_path(void **state)
{
	struct rewriting r = { .rules = &rules };
	struct header h;

	(void)state;
	read_fields("Return-Path: <a@x.y>, b\nReturn-Path: c\n", &h);
	assert_int_equal(rewrite_header(&r, &h), 0);
	assert_true(r.has_return_path);
	assert_buf(&r.return_path, "a@x.y");
	rewriting_free(&r);
	header_free(&h);
}

static void
test_rewrite_collects_followups(void **state)
{
	struct rewriting r = { .rules = &rules };
	struct control_set list;
	struct control_error err;
	struct header h;

	(void)state;
	assert_int_equal(
	    control_set_parse(STRV("List@x.y\n"), CT_LIST, "l", &list, &err),
	    0);
	r.followup_list = &list;
	read_fields("Cc: c\nTo: a, list@X.Y\nBcc: b\n", &h);
	assert_int_equal(rewrite_header(&r, &h), 0);
	assert_true(r.followup_matches);
	assert_buf(&r.followup, "c@h.example,\n  a@h.example,\n  list@X.Y");
	rewriting_free(&r);
	header_free(&h);
	control_set_free(&list);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rewrite_fields),
		cmocka_unit_test(test_rewrite_takes_the_first_return_path),
		cmocka_unit_test(test_rewrite_collects_followups),
	};

	return RUN_TESTS(tests);
}
