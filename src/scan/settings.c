/* control/scan*: where the database is, and what a scan may cost. */
#include "scan/settings.h"
#include "base/error.h"
#include "conf/control_file.h"

static int
load_numbers(struct scan_settings *out, struct control_error *err)
{
	const struct {
		enum ctl id;
		int64_t *value;
	} numbers[] = {
		{CTL_SCANWORKERS, &out->workers    },
		{ CTL_SCANSIZE,   &out->message_max},
		{ CTL_SCANDATA,   &out->data_max   },
		{ CTL_SCANFILE,   &out->file_max   },
		{ CTL_SCANDEPTH,  &out->depth_max  },
		{ CTL_SCANFILES,  &out->files_max  },
		{ CTL_SCANTIME,   &out->seconds    },
		{ CTL_SCANMEMORY, &out->memory_mib },
	};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		int r = control_int(numbers[i].id, numbers[i].value, err);

		if (r != 0)
			return r;
	}
	return 0;
}

static int
load_alerts(struct scan_settings *out, struct control_error *err)
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

int
scan_settings_load(struct scan_settings *out, struct control_error *err)
{
	int r;

	*out = (struct scan_settings){ .database = BUF_LIMIT(4096) };
	r = control_line(CTL_SCANDB, &out->database, err);
	if (r == 0 && buf_cstr(&out->database) == NULL)
		r = QE_NOMEM;
	if (r == 0)
		r = load_numbers(out, err);
	if (r == 0)
		r = load_alerts(out, err);
	return r;
}

void
scan_settings_free(struct scan_settings *settings)
{
	buf_free(&settings->database);
}
