/* inject/header: where headers end, what their fields are, how large. */
#include "inject/header.h"
#include "unit.h"

/* Reads text through a pipe-sized file, with a small buffer. */
static int
read_text(struct strv text, struct header *h, struct buf *rest)
{
	char path[64], file[80], block[7];
	struct source in;
	int fd, r;

	unit_make_dir(path);
	snprintf(file, sizeof(file), "%s/text", path);
	unit_write(file, text);
	fd = open(file, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	source_init(&in, fd, block, sizeof(block));
	r = header_read(&in, h);
	if (r == 0)
		buf_add_view(rest, buf_view(&h->body));
	while (r == 0 && source_fill(&in, IO_FOREVER) == 0) {
		struct strv bytes = source_peek(&in);

		buf_add_view(rest, bytes);
		source_take(&in, bytes.len);
	}
	close(fd);
	unit_remove(path);
	return r;
}

struct header_case {
	const char *text;
	const char *fields; /* all fields, one behind the other */
	size_t count;
	const char *body;
};

static const struct header_case cases[] = {
	{"To: a\r\nX: b\r\n c\r\n\r\nd\r\n", "To: a\nX: b\n c\n",                2, "d\r\n"           },
	{ "To: a\nX: b\r\n\r\nd\r\n",        "To: a\nX: b\r\n",                  2, "\r\nd\r\n"       },
	{ "",				"",				 0, ""                },
	{ "\n",			      "",				 0, ""                },
	{ "\nbody\n",			"",				 0, "body\n"          },
	{ "body",			    "",				 0, "body"            },
	{ "To: a\n\nbody",                   "To: a\n",                          1, "body"            },
	{ "To: a\n b\n\tc\nCc:d\n\nX: y\n",  "To: a\n b\n\tc\nCc:d\n",           2,
         "X: y\n"										     },
	{ "To: a",			   "To: a\n",                          1, ""                },
	{ "To: a\n b",		       "To: a\n b\n",                      1, ""                },
	{ "To: a\nno field\nX: y\n",         "To: a\n",                          1, "no field\nX: y\n"},
	{ "To: a\n no field\n",              "To: a\n no field\n",               1, ""                },
	{ " To: a\n",			"",				 0, " To: a\n"        },
	{ "From joe Mon\nTo: a\n",           "MBOX-Line: From joe Mon\nTo: a\n", 2, ""                },
	{ "From : joe\n",                    "From : joe\n",                     1, ""                },
	{ ": x\n",			   "",				 0, ": x\n"           },
	{ "To: a\r\n\r\nb\r\n",              "To: a\n",                          1, "b\r\n"           },
	{ "T\xc3\xb6: a\n",                  "",				 0, "T\xc3\xb6: a\n"  },
};

static void
test_inject_header_finds_its_end(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct buf rest = BUF_INIT;
		struct header h;

		assert_int_equal(
		    read_text(strv_of(cases[i].text), &h, &rest), 0);
		assert_int_equal(h.count, cases[i].count);
		assert_same(buf_view(&h.bytes), strv_of(cases[i].fields));
		assert_same(buf_view(&rest), strv_of(cases[i].body));
		header_free(&h);
		buf_free(&rest);
	}
}

static void
test_inject_header_knows_fields(void **state)
{
	struct buf rest = BUF_INIT;
	struct header h;

	(void)state;
	assert_int_equal(read_text(STRV("tO : a\nMESSAGE-id: <x>\nResent-date: "
					"x\nX-To: y\nBcc: z\n"),
			     &h, &rest),
	    0);
	assert_int_equal(h.fields[0].id, FIELD_TO);
	assert_int_equal(h.fields[1].id, FIELD_MESSAGE_ID);
	assert_int_equal(h.fields[2].id, FIELD_R_DATE);
	assert_int_equal(h.fields[3].id, FIELD_OTHER);
	assert_int_equal(h.fields[4].id, FIELD_BCC);
	assert_true(h.is_resent);
	assert_true(h.has[FIELD_TO] && h.has[FIELD_BCC]);
	assert_false(h.has[FIELD_CC]);
	header_drop(&h, FIELD_MESSAGE_ID);
	assert_int_equal(h.count, 4);
	assert_false(h.has[FIELD_MESSAGE_ID]);
	assert_view(header_field_text(&h, &h.fields[1]), "Resent-date: x\n");
	header_free(&h);
	buf_free(&rest);
}

static void
test_inject_header_is_bounded(void **state)
{
	struct buf text = BUF_LIMIT(64 << 20), rest = BUF_LIMIT(64 << 20);
	struct header h;

	(void)state;
	buf_add_str(&text, "X: ");
	while (text.len <= HEADER_BYTES_MAX)
		buf_add_str(&text, "0123456789abcdef0123456789abcdef\n ");
	assert_int_equal(read_text(buf_view(&text), &h, &rest), QE_LIMIT);
	buf_reset(&text);
	for (int i = 0; i <= HEADER_FIELDS_MAX; i++)
		buf_add_str(&text, "a:\n");
	assert_int_equal(read_text(buf_view(&text), &h, &rest), QE_LIMIT);
	buf_free(&text);
	buf_free(&rest);
}

/* A body without line ends is no header line, however long. */
static void
test_inject_header_leaves_a_long_body(void **state)
{
	struct buf text = BUF_LIMIT(64 << 20), rest = BUF_LIMIT(64 << 20);
	struct header h;

	(void)state;
	for (int i = 0; i < 20 << 16; i++)
		buf_add_str(&text, "0123456789abcdef");
	assert_int_equal(read_text(buf_view(&text), &h, &rest), 0);
	assert_int_equal(h.count, 0);
	assert_true(h.body.len < 2000);
	assert_same(buf_view(&rest), buf_view(&text));
	header_free(&h);
	buf_free(&text);
	buf_free(&rest);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_inject_header_finds_its_end),
		cmocka_unit_test(test_inject_header_knows_fields),
		cmocka_unit_test(test_inject_header_is_bounded),
		cmocka_unit_test(test_inject_header_leaves_a_long_body),
	};

	return RUN_TESTS(tests);
}
