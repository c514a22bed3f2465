/* listen/rules: whatever a rule holds, no client gets half of one. */
#include "base/error.h"
#include "base/io.h"
#include "fuzz.h"
#include "listen/rules.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static void
check(const struct ruling *ruling)
{
	size_t n = 0;

	require(ruling->count <= RULE_VARIABLES_MAX);
	for (; ruling->variables[n] != NULL; n++) {
		const char *equals = strchr(ruling->variables[n], '=');

		require(equals != NULL && equals != ruling->variables[n]);
		for (size_t i = 0; i < n; i++)
			require(
			    strncmp(ruling->variables[i], ruling->variables[n],
				(size_t)(equals - ruling->variables[n]) + 1) !=
			    0);
	}
	require(n == ruling->count);
}

/* Addresses whose rules the corpus has, and one that comes from the input. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned char known[] = { 192, 0, 2, 1 };
	struct strv in = fuzz_input(data, size);
	struct ruling ruling = { 0 };
	struct rules rules = { 0 };
	struct ipaddr client;
	char path[64];
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	require(fd >= 0);
	require(io_write_all(fd, in.ptr, in.len) == 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	rules.path = path;
	ipaddr_set(&client, AF_INET, known);
	for (int i = 0; i < 2; i++) {
		int r = rules_find(&rules, &client, &ruling);

		require(r == 0 || r == QE_CORRUPT || r == QE_LIMIT);
		if (r == 0)
			check(&ruling);
		memset(client.bytes, 0, sizeof(client.bytes));
		client.family = AF_INET6;
		memcpy(client.bytes, in.ptr, in.len < 16 ? in.len : 16);
	}
	rules_free(&rules, &ruling);
	close(fd);
	return 0;
}
