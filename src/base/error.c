/*
 * The fixed English texts for system errors and the set of errno values that
 * mean "try again later".  Log readers depend on the texts, so the C
 * library's, which change with locale and version, are never used.
 */
#include "base/error.h"

#include <errno.h>
#include <stddef.h>

struct error_row {
	int errnum;
	char text[36]; /* without a pointer: nothing to relocate at start */
};

/* errno, text */
static const struct error_row error_rows[] = {
	{ENOENT,        "file does not exist"           },
	{ EPERM,        "permission denied"             },
	{ EACCES,       "access denied"                 },
	{ EEXIST,       "file already exists"           },
	{ ENOTDIR,      "not a directory"               },
	{ EISDIR,       "is a directory"                },
	{ ENOSPC,       "out of disk space"             },
	{ EDQUOT,       "disk quota exceeded"           },
	{ EIO,          "input/output error"            },
	{ EROFS,        "read-only file system"         },
	{ ENOMEM,       "out of memory"                 },
	{ EAGAIN,       "temporary failure"             },
	{ EINTR,        "interrupted system call"       },
	{ ETXTBSY,      "text busy"                     },
	{ ETIMEDOUT,    "timed out"                     },
	{ ECONNREFUSED, "connection refused"            },
	{ EPIPE,        "broken pipe"                   },
	{ EMFILE,       "process cannot open more files"},
	{ ENFILE,       "system cannot open more files" },
	{ ELOOP,        "symbolic link loop"            },
	{ ENAMETOOLONG, "file name too long"            },
	{ ESTALE,       "stale NFS file handle"         },
	{ ENOLCK,       "no locks available"            },
	{ EFBIG,        "file too big"                  },
	{ ENOEXEC,      "exec format error"             },
	{ ECONNRESET,   "connection reset by peer"      },
	{ EHOSTUNREACH, "host unreachable"              },
	{ ENETUNREACH,  "network unreachable"           },
	{ EADDRINUSE,   "address already in use"        },
	{ EINVAL,       "invalid argument"              },
	{ EBADF,        "bad file descriptor"           },
	{ ENXIO,        "device not configured"         },
	{ EXDEV,        "cross-device link"             },
	{ EMLINK,       "too many links"                },
	{ ENOTEMPTY,    "directory not empty"           },
	{ EBUSY,        "device busy"                   },
};

const char *
error_text(int errnum)
{
	for (size_t i = 0; i < sizeof(error_rows) / sizeof(*error_rows); i++)
		if (error_rows[i].errnum == errnum)
			return error_rows[i].text;
	return "unknown error";
}

bool
error_is_temporary(int errnum)
{
	static const int temporary[] = { EINTR, ENOMEM, ETXTBSY, EIO, ETIMEDOUT,
		EAGAIN, EDEADLK, EBUSY, ENFILE, EMFILE, EFBIG, ENOSPC, ENETDOWN,
		ENETUNREACH, ENETRESET, ECONNABORTED, ECONNRESET, ENOBUFS,
		ETOOMANYREFS, ECONNREFUSED, EHOSTDOWN, EHOSTUNREACH, EUSERS,
		EDQUOT, ESTALE, ENOLCK };

	for (size_t i = 0; i < sizeof(temporary) / sizeof(*temporary); i++)
		if (temporary[i] == errnum)
			return true;
	return false;
}

const char *
error_result_text(int result)
{
	switch ((enum qe)result) {
	case QE_OK:
		return "success";
	case QE_SYS:
		return error_text(errno);
	case QE_NOMEM:
		return "out of memory";
	case QE_LIMIT:
		return "too large";
	case QE_SYNTAX:
		return "syntax error";
	case QE_EOF:
		return "unexpected end";
	case QE_TIMEOUT:
		return "timed out";
	case QE_ABSENT:
		return "not found";
	case QE_DENIED:
		return "not permitted";
	case QE_TEMP:
		return "temporary failure";
	case QE_CORRUPT:
		return "damaged file";
	}
	return "unknown error";
}
