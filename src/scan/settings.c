/* control/scan*: where the database is, and what a scan may cost. */
#include "scan/settings.h"
#include "base/error.h"
#include "conf/control.h"

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
		r = scan_alerts_load(&out->alerts, err);
	return r;
}

void
scan_settings_free(struct scan_settings *settings)
{
	buf_free(&settings->database);
}
