/* Requests of the front to the keeper, made and parsed; see the header. */
#include "pop3/link.h"
#include "base/error.h"
#include "base/io.h"

#include <errno.h>
#include <string.h>

enum { FIELD_MAX = 4096 };

void
link_encode_tls(struct buf *out, const struct tls_facts *facts)
{
	buf_add_char(out, LINK_TLS);
	buf_add(out, (const char *)facts, sizeof(*facts));
}

static void
add_field(struct buf *out, struct strv field)
{
	if (field.len > FIELD_MAX) {
		out->err = QE_LIMIT;
		return;
	}
	buf_add_char(out, (char)(field.len >> 8));
	buf_add_char(out, (char)(field.len & 0xff));
	buf_add_view(out, field);
}

void
link_encode_login(struct buf *out, const struct sasl *x)
{
	buf_add_char(out, LINK_LOGIN);
	add_field(out, strv_of(x->mechanism == NULL ? "" : x->mechanism->name));
	add_field(out, strv_of(x->program));
	add_field(out, buf_view(&x->user));
	add_field(out, buf_view(&x->a));
	add_field(out, buf_view(&x->b));
	add_field(out, buf_view(&x->facts));
}

/* Ended, and nothing in it that could harm a log or a program. */
static void
clean(char *text, size_t size)
{
	text[size - 1] = '\0';
	for (; *text != '\0'; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

static int
decode_tls(struct strv rest, struct tls_facts *facts)
{
	if (rest.len != sizeof(*facts))
		return QE_SYNTAX;
	memcpy(facts, rest.ptr, sizeof(*facts));
	clean(facts->protocol, sizeof(facts->protocol));
	clean(facts->cipher, sizeof(facts->cipher));
	clean(facts->server_name, sizeof(facts->server_name));
	clean(facts->client_name, sizeof(facts->client_name));
	clean(facts->outcome, sizeof(facts->outcome));
	clean(facts->error, sizeof(facts->error));
	return 0;
}

static int
take_field(struct strv *rest, size_t max, struct strv *field)
{
	size_t len;

	if (rest->len < 2)
		return QE_SYNTAX;
	len = (size_t)(unsigned char)rest->ptr[0] << 8 |
	      (unsigned char)rest->ptr[1];
	*rest = strv_skip(*rest, 2);
	if (len > max || len > rest->len)
		return QE_SYNTAX;
	*field = strv_head(*rest, len);
	*rest = strv_skip(*rest, len);
	return 0;
}

static bool
is_name(struct strv v)
{
	for (size_t i = 0; i < v.len; i++)
		if (!ascii_is_digit(v.ptr[i]) && !ascii_is_alpha(v.ptr[i]) &&
		    v.ptr[i] != '-')
			return false;
	return v.len > 0;
}

static int
decode_login(struct strv rest, struct link_request *out)
{
	if (take_field(&rest, LINK_NAME_MAX, &out->mechanism) != 0 ||
	    take_field(&rest, LINK_NAME_MAX, &out->program) != 0 ||
	    take_field(&rest, SASL_USER_MAX, &out->user) != 0 ||
	    take_field(&rest, SASL_CREDENTIALS_MAX, &out->a) != 0 ||
	    take_field(&rest, SASL_CREDENTIALS_MAX, &out->b) != 0 ||
	    take_field(&rest, SASL_FACTS_MAX, &out->private_file) != 0)
		return QE_SYNTAX;
	if (rest.len != 0 || !is_name(out->program) || out->user.len == 0 ||
	    (out->mechanism.len != 0 && !is_name(out->mechanism)))
		return QE_SYNTAX;
	if (strv_find(out->user, '\0') != STRV_NPOS ||
	    strv_find(out->a, '\0') != STRV_NPOS ||
	    strv_find(out->b, '\0') != STRV_NPOS)
		return QE_SYNTAX;
	return 0;
}

int
link_decode(struct strv datagram, struct link_request *out)
{
	struct strv rest = strv_skip(datagram, 1);

	*out = (struct link_request){ .user = STRV_EMPTY };
	if (datagram.len == 0)
		return QE_SYNTAX;
	switch (datagram.ptr[0]) {
	case LINK_TLS:
		out->kind = LINK_TLS;
		return decode_tls(rest, &out->facts);
	case LINK_LOGIN:
		out->kind = LINK_LOGIN;
		return decode_login(rest, out);
	}
	return QE_SYNTAX;
}

int
link_send(int fd, struct strv datagram)
{
	if (io_write_all(fd, datagram.ptr, datagram.len) != 0)
		return errno == EPIPE || errno == ECONNRESET ? QE_EOF : QE_SYS;
	return 0;
}

int
link_receive(int fd, struct buf *out)
{
	ssize_t got;
	char *to;

	buf_reset(out);
	to = buf_reserve(out, LINK_MAX);
	if (to == NULL)
		return QE_NOMEM;
	got = io_read(fd, to, LINK_MAX);
	if (got <= 0)
		return got == 0 || errno == ECONNRESET ? QE_EOF : QE_SYS;
	out->len = (size_t)got;
	return 0;
}
