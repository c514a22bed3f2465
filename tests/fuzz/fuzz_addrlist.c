/* mail/addrlist: bounded, and what was printed reads the same again. */
#include "fuzz.h"
#include "mail/address.h"
#include "mail/addrlist.h"

static const struct address_rules rules = {
	{"h",          1},
        { "d.example", 9},
        { "p.example", 9}
};

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct addrlist list = ADDRLIST_INIT, again = ADDRLIST_INIT;
	struct strv in = fuzz_input(data, size), all;

	if (addrlist_parse(in, &rules, size % 80, &list) == 0) {
		all = buf_view(&list.addresses);
		for (size_t i = 0; i < list.count; i++) {
			struct strv one = strv_cut(&all, '\0', NULL);

			require(one.len <= ADDRLIST_ADDRESS_MAX);
			require(!address_is_poisoned(one));
		}
		require(all.len == 0);
		require(strv_find(buf_view(&list.printed), '\r') == STRV_NPOS);
		require(addrlist_parse(
			    buf_view(&list.printed), &rules, 0, &again) == 0);
		require(again.count == list.count);
		require(strv_eq(
		    buf_view(&list.addresses), buf_view(&again.addresses)));
	}
	addrlist_free(&list);
	addrlist_free(&again);
	return 0;
}
