/* base/cdb: a damaged file gives an error, never a wrong place in memory. */
#include "base/cdb.h"
#include "base/error.h"
#include "base/io.h"
#include "fuzz.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

static void
check_key(struct cdb_reader *reader, struct strv key, size_t size)
{
	struct strv value;
	int r = cdb_reader_find(reader, key, &value);
	size_t sum = 0;

	require(r == 0 || r == QE_ABSENT || r == QE_CORRUPT);
	if (r != 0)
		return;
	require(value.len < size);
	for (size_t i = 0; i < value.len; i++)
		sum += (unsigned char)value.ptr[i];
	require(sum <= value.len * 255);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strv in = fuzz_input(data, size);
	struct cdb_reader *reader = NULL;
	char path[64];
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	int r;

	require(fd >= 0);
	require(io_write_all(fd, in.ptr, in.len) == 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = cdb_reader_open(path, &reader);
	if (r == 0) {
		check_key(reader, STRV_EMPTY, size);
		check_key(reader, STRV("one"), size);
		check_key(reader, STRV("!two"), size);
		/* Bytes of the first record, which may well be its key. */
		for (size_t n = 0; n < 8; n++)
			check_key(reader, strv_head(strv_skip(in, 2048 + 8), n),
			    size);
	} else {
		require(r == QE_CORRUPT);
	}
	cdb_reader_free(&reader);
	close(fd);
	return 0;
}
