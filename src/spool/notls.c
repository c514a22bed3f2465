/*
 * A hint that several qmail-remote share, a fixed number of records: 16 bytes
 * of address (IPv4 mapped into IPv6), 8 of time, 8 unused.  Every failure
 * means "not remembered"; the worst that a torn record does is one more try.
 */
#include "spool/notls.h"
#include "base/io.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { NOTLS_BYTES = NOTLS_RECORDS * NOTLS_RECORD_BYTES, KEY_BYTES = 16 };

static const char notls_path[] = "cache/remote/notls";

static void
encode_key(const struct ipaddr *ip, unsigned char key[KEY_BYTES])
{
	memset(key, 0, KEY_BYTES);
	if (ip->family == AF_INET) {
		key[10] = key[11] = 0xff;
		memcpy(key + 12, ip->bytes, 4);
	} else {
		memcpy(key, ip->bytes, KEY_BYTES);
	}
}

static int64_t
decode_time(const unsigned char *record)
{
	uint64_t when = 0;

	for (int i = 7; i >= 0; i--)
		when = when << 8 | record[KEY_BYTES + i];
	return when > INT64_MAX ? 0 : (int64_t)when;
}

static void
encode_record(
    unsigned char *record, const unsigned char key[KEY_BYTES], int64_t now)
{
	memset(record, 0, NOTLS_RECORD_BYTES);
	memcpy(record, key, KEY_BYTES);
	for (int i = 0; i < 8; i++)
		record[KEY_BYTES + i] =
		    (unsigned char)((uint64_t)now >> (8 * i) & 0xff);
}

/* A short file has free records at its end. */
static bool
read_all(int flags, int *fd, unsigned char bytes[NOTLS_BYTES])
{
	memset(bytes, 0, NOTLS_BYTES);
	*fd = open(notls_path, flags | O_CLOEXEC, 0644);
	if (*fd >= 0 && pread(*fd, bytes, NOTLS_BYTES, 0) >= 0)
		return true;
	io_close(fd);
	return false;
}

bool
notls_has(const struct ipaddr *ip, int64_t now)
{
	unsigned char bytes[NOTLS_BYTES], key[KEY_BYTES];
	int fd;

	if (!read_all(O_RDONLY, &fd, bytes))
		return false;
	io_close(&fd);
	encode_key(ip, key);
	for (size_t i = 0; i < NOTLS_BYTES; i += NOTLS_RECORD_BYTES) {
		int64_t when = decode_time(bytes + i);

		if (memcmp(bytes + i, key, KEY_BYTES) == 0 && when <= now &&
		    now - when < NOTLS_SECONDS)
			return true;
	}
	return false;
}

/* That of the same address, else the oldest; free ones are oldest of all. */
static size_t
find_slot(const unsigned char *bytes, const unsigned char key[KEY_BYTES])
{
	size_t oldest = 0;

	for (size_t i = 0; i < NOTLS_BYTES; i += NOTLS_RECORD_BYTES) {
		if (memcmp(bytes + i, key, KEY_BYTES) == 0)
			return i;
		if (decode_time(bytes + i) < decode_time(bytes + oldest))
			oldest = i;
	}
	return oldest;
}

void
notls_note(const struct ipaddr *ip, int64_t now)
{
	unsigned char bytes[NOTLS_BYTES], key[KEY_BYTES];
	unsigned char record[NOTLS_RECORD_BYTES];
	size_t at;
	int fd;

	/* Made by the first note, where the directory is. */
	if (!read_all(O_RDWR | O_CREAT, &fd, bytes))
		return;
	encode_key(ip, key);
	at = find_slot(bytes, key);
	encode_record(record, key, now);
	(void)!pwrite(fd, record, sizeof(record), (off_t)at);
	io_close(&fd);
}
