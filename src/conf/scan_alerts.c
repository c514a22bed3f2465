/* The words of control/scanalerts. */
#include "conf/scan_alerts.h"
#include "base/error.h"
#include "conf/control_file.h"

int
scan_alerts_load(struct scan_alerts *out, struct control_error *err)
{
	const struct {
		struct strv word;
		bool *value;
	} words[] = {
		{{ "encrypted", 9 }, &out->encrypted},
		{ { "exceeded", 8 }, &out->exceeded },
		{ { "macros", 6 },   &out->macros   },
		{ { "broken", 6 },   &out->broken   },
	};
	struct control_set set;
	int r = control_set_load(CTL_SCANALERTS, &set, err);

	if (r != 0)
		return r;
	*out = (struct scan_alerts){ .broken = false };
	for (size_t i = 0; i < set.count && r == 0; i++) {
		size_t w = 0, count = sizeof(words) / sizeof(*words);

		while (w < count &&
		       !strv_eq_nocase(set.entries[i].key, words[w].word))
			w++;
		if (w < count) {
			*words[w].value = true;
			continue;
		}
		control_error_set(err, "control/scanalerts",
		    set.entries[i].line,
		    "neither encrypted, exceeded, macros nor broken");
		r = QE_SYNTAX;
	}
	control_set_free(&set);
	return r;
}
