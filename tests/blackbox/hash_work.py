"""Counts the expensive calls of password checkers, with their parameters.

A library put before libcrypt and libcrypto notes what is asked of them, so
that equal work can be proved without a clock.
"""
import os
import subprocess

from home import DEADLINE, own, write_file

SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
note(const char *line)
{
	const char *path = getenv("HASH_WORK");
	int fd = path ? open(path, O_WRONLY | O_APPEND | O_CLOEXEC) : -1;

	if (fd < 0 || write(fd, line, strlen(line)) != (ssize_t)strlen(line))
		abort();
	close(fd);
}

char *
crypt_rn(const char *phrase, const char *setting, void *data, int size)
{
	char *(*real)(const char *, const char *, void *, int) =
	    (char *(*)(const char *, const char *, void *, int))dlsym(
		RTLD_NEXT, "crypt_rn");
	char line[600];

	snprintf(line, sizeof(line), "crypt %s\n", setting);
	note(line);
	return real(phrase, setting, data, size);
}

int
PKCS5_PBKDF2_HMAC(const char *pass, int pass_size, const unsigned char *salt,
    int salt_size, int iterations, const void *digest, int size,
    unsigned char *out)
{
	int (*real)(const char *, int, const unsigned char *, int, int,
	    const void *, int, unsigned char *) =
	    (int (*)(const char *, int, const unsigned char *, int, int,
		const void *, int, unsigned char *))dlsym(
		RTLD_NEXT, "PKCS5_PBKDF2_HMAC");
	char line[100];

	snprintf(line, sizeof(line), "pbkdf2 %d %d\n", iterations, size);
	note(line);
	return real(pass, pass_size, salt, salt_size, iterations, digest, size,
	    out);
}
"""


def cost(line):
    """A noted call without its salt and digest: the method and its rounds."""
    words = line.split()
    if words[0] != "crypt":
        return tuple(words)
    _, method, parameters, *_ = words[1].split("$")
    return ("crypt", method, parameters if method not in "56" or
            parameters.startswith("rounds=") else "")


class HashWork:
    """The library, and the environment of programs that it looks at."""

    def __init__(self, scratch):
        source = write_file(os.path.join(scratch, "hash_work.c"), SOURCE)
        library = os.path.join(scratch, "hash_work.so")
        subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source,
                        "-ldl"], check=True, timeout=DEADLINE)
        own(library)
        self.path = write_file(os.path.join(scratch, "hash_work"), "", 0o600)
        self.environment = {"LD_PRELOAD": library, "HASH_WORK": self.path}

    def of(self, function):
        """The costs of the calls that are made while the function runs."""
        with open(self.path) as f:
            f.seek(0, os.SEEK_END)
            function()
            return [cost(line) for line in f]
