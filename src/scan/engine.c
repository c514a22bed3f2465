/*
 * The scanner itself: libclamav with limits on everything that a message can
 * make it do.  Time and memory are limited from outside, where it cannot
 * forget them.
 */
#include "scan/engine.h"
#include "base/error.h"

#include <clamav.h>
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

struct engine {
	struct cl_engine *cl;
	struct cl_scan_options options;
};

int
engine_begin(void)
{
	return cl_init(CL_INIT_DEFAULT) == CL_SUCCESS ? 0 : QE_CORRUPT;
}

const char *
engine_library(void)
{
	return cl_retver();
}

static int
set_limits(struct cl_engine *cl, const struct scan_settings *s)
{
	/*
	 * A message that was taken is looked at, all of it.  The time limit is
	 * not libclamav's, which would end as clean; nor is there a cache, so
	 * that of one message nothing is left for the next.
	 */
	int64_t file_max =
	    s->file_max > s->message_max ? s->file_max : s->message_max;
	const struct {
		enum cl_engine_field field;
		int64_t value;
	} limits[] = {
		{CL_ENGINE_MAX_SCANSIZE,
                 s->data_max > file_max ? s->data_max : file_max},
		{ CL_ENGINE_MAX_FILESIZE,  file_max             },
		{ CL_ENGINE_MAX_RECURSION, s->depth_max         },
		{ CL_ENGINE_MAX_FILES,     s->files_max         },
		{ CL_ENGINE_MAX_SCANTIME,  0                    },
		{ CL_ENGINE_DISABLE_CACHE, 1                    },
	};

	for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++)
		if (cl_engine_set_num(cl, limits[i].field, limits[i].value) !=
		    CL_SUCCESS)
			return QE_CORRUPT;
	/* The sandbox allows no memory that is written and executed. */
	(void)cl_engine_set_num(
	    cl, CL_ENGINE_BYTECODE_MODE, CL_BYTECODE_MODE_INTERPRETER);
	/* Each worker has a directory of its own and stands in it. */
	return cl_engine_set_str(cl, CL_ENGINE_TMPDIR, ".") == CL_SUCCESS
		   ? 0
		   : QE_CORRUPT;
}

static struct cl_scan_options
options_of(const struct scan_settings *s)
{
	struct cl_scan_options o = { .general = CL_SCAN_GENERAL_HEURISTICS,
		.parse = ~UINT32_C(0) };

	if (s->alerts.encrypted)
		o.heuristic |= CL_SCAN_HEURISTIC_ENCRYPTED_ARCHIVE |
			       CL_SCAN_HEURISTIC_ENCRYPTED_DOC;
	if (s->alerts.exceeded)
		o.heuristic |= CL_SCAN_HEURISTIC_EXCEEDS_MAX;
	if (s->alerts.macros)
		o.heuristic |= CL_SCAN_HEURISTIC_MACROS;
	if (s->alerts.broken)
		o.heuristic |=
		    CL_SCAN_HEURISTIC_BROKEN | CL_SCAN_HEURISTIC_BROKEN_MEDIA;
	return o;
}

/* As the VERSION command of clamd tells it, and how many signatures. */
static void
describe(struct cl_engine *cl, unsigned signatures, struct buf *about)
{
	time_t date = (time_t)cl_engine_get_num(cl, CL_ENGINE_DB_TIME, NULL);
	struct tm tm;
	char text[32] = "";

	if (date > 0 && gmtime_r(&date, &tm) != NULL)
		strftime(text, sizeof(text), "%a %b %e %H:%M:%S %Y", &tm);
	buf_addf(about, "%u/%lld/%s", signatures,
	    cl_engine_get_num(cl, CL_ENGINE_DB_VERSION, NULL), text);
}

static int
fill(struct cl_engine *cl, const struct scan_settings *s, struct buf *about)
{
	unsigned signatures = 0;
	cl_error_t r = CL_ERROR;

	if (set_limits(cl, s) == 0)
		r = cl_load(s->database.data, cl, &signatures, CL_DB_STDOPT);
	if (r == CL_SUCCESS)
		r = cl_engine_compile(cl);
	if (r != CL_SUCCESS) {
		buf_add_str(about, cl_strerror(r));
		return QE_CORRUPT;
	}
	if (signatures == 0) {
		/* It would find nothing, and everybody would believe it. */
		buf_add_str(about, "no signatures in there");
		return QE_CORRUPT;
	}
	describe(cl, signatures, about);
	return 0;
}

int
engine_load(const struct scan_settings *settings, struct buf *about,
    struct engine **out)
{
	struct engine *engine = calloc(1, sizeof(*engine));

	if (engine != NULL)
		engine->cl = cl_engine_new();
	if (engine == NULL || engine->cl == NULL) {
		free(engine);
		buf_add_str(about, "out of memory");
		return QE_CORRUPT;
	}
	if (fill(engine->cl, settings, about) != 0) {
		cl_engine_free(engine->cl);
		free(engine);
		return QE_CORRUPT;
	}
	engine->options = options_of(settings);
	*out = engine;
	return 0;
}

enum engine_verdict
engine_scan(struct engine *engine, int fd, struct buf *about)
{
	const char *name = NULL;
	unsigned long scanned = 0;
	struct cl_scan_options options = engine->options;
	cl_error_t r =
	    cl_scandesc(fd, NULL, &name, &scanned, engine->cl, &options);

	if (r == CL_CLEAN)
		return ENGINE_CLEAN;
	if (r == CL_VIRUS) {
		buf_add_str(
		    about, name == NULL ? "Heuristics.Limits.Exceeded" : name);
		return ENGINE_FOUND;
	}
	buf_add_str(about, cl_strerror(r));
	return ENGINE_FAILED;
}
