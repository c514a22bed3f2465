/* mail/address: what parses comes back whole after quoting. */
#include "fuzz.h"
#include "mail/address.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strv in = fuzz_input(data, size);
	struct buf out = BUF_LIMIT(1000), wire = BUF_INIT, back = BUF_INIT;
	struct strv rest;
	bool brackets;

	if (address_parse_path(in, &out, &brackets, &rest) == 0) {
		require(out.len <= in.len && rest.len <= in.len);
		require(!address_is_poisoned(buf_view(&out)));
		buf_add_char(&wire, '<');
		address_add_quoted(&wire, buf_view(&out));
		buf_add_char(&wire, '>');
		if (!address_breaks_path(buf_view(&out))) {
			require(address_parse_path(buf_view(&wire), &back,
				    &brackets, &rest) == 0);
			require(rest.len == 0 &&
				strv_eq(buf_view(&out), buf_view(&back)));
		}
	} else {
		require(out.len == 0);
	}
	buf_free(&out);
	buf_free(&wire);
	buf_free(&back);
	return 0;
}
