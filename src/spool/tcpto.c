/*
 * queue/lock/tcpto: addresses that timed out of late (qmail-queue(5)).
 *
 * A hint that several qmail-remote share: every failure means "not recorded".
 * Readers take no lock, for a torn record only costs or saves one attempt;
 * writers look again under the lock.
 */
#include "spool/tcpto.h"
#include "base/error.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum {
	TCPTO_COUNT_MAX = 10,
	TCPTO_COUNT_BAD = 2,   /* timeouts before an address is skipped */
	TCPTO_YOUNG = 120,     /* seconds in which one timeout counts once */
	TCPTO_WEIGHT = 1024,   /* seconds one count keeps a record alive */
	TCPTO_SKIP_UNITS = 60, /* of 64 seconds, plus up to 31 more */
	TCPTO_SKIP_UNIT = 64,
	CLASSIC_BYTES = 1024, /* what all programs know */
	FILE_BYTES = CLASSIC_BYTES + TCPTO_FAMILY_RECORDS * 32
};

static const char tcpto_path[] = "queue/lock/tcpto";

/* Where the records of a family are, and what is where in one. */
struct layout {
	int family;
	size_t start, bytes, ip_bytes, count_at, when_at;
};

static const struct layout layouts[] = {
	{AF_INET,   0,             16, 4,  4,  8 },
	{ AF_INET6, CLASSIC_BYTES, 32, 16, 16, 20},
};

enum { FAMILIES = sizeof(layouts) / sizeof(*layouts) };

static const struct layout *
layout_of(const struct ipaddr *ip)
{
	for (size_t i = 0; i < FAMILIES; i++)
		if (layouts[i].family == ip->family)
			return &layouts[i];
	return NULL;
}

static struct tcpto_record
record_decode(const struct layout *l, const unsigned char *bytes)
{
	struct tcpto_record r = { .ip = { .family = l->family },
		.count = bytes[l->count_at] };
	const unsigned char *when = bytes + l->when_at;

	memcpy(r.ip.bytes, bytes, l->ip_bytes);
	r.when = (int64_t)((uint32_t)when[0] | (uint32_t)when[1] << 8 |
			   (uint32_t)when[2] << 16 | (uint32_t)when[3] << 24);
	return r;
}

static void
record_encode(
    const struct layout *l, const struct tcpto_record *r, unsigned char *bytes)
{
	uint32_t when = (uint32_t)r->when;

	memset(bytes, 0, l->bytes);
	memcpy(bytes, r->ip.bytes, l->ip_bytes);
	bytes[l->count_at] = (unsigned char)r->count;
	for (unsigned i = 0; i < 4; i++)
		bytes[l->when_at + i] = (unsigned char)(when >> (8 * i) & 0xff);
}

/* A short file has free records at its end. */
static int
records_read(int fd, const struct layout *l,
    struct tcpto_record out[TCPTO_FAMILY_RECORDS])
{
	unsigned char bytes[FILE_BYTES] = { 0 };

	if (pread(fd, bytes, TCPTO_FAMILY_RECORDS * l->bytes, (off_t)l->start) <
	    0)
		return QE_SYS;
	for (size_t i = 0; i < TCPTO_FAMILY_RECORDS; i++)
		out[i] = record_decode(l, bytes + i * l->bytes);
	return 0;
}

static int
open_to_read(void)
{
	return open(tcpto_path, O_RDONLY | O_CLOEXEC);
}

int
tcpto_read(struct tcpto_record out[TCPTO_RECORDS])
{
	int fd = open_to_read();
	int r = 0;

	if (fd < 0)
		return errno == ENOENT ? QE_ABSENT : QE_SYS;
	for (size_t i = 0; i < FAMILIES && r == 0; i++)
		r = records_read(
		    fd, &layouts[i], out + i * TCPTO_FAMILY_RECORDS);
	io_close(&fd);
	return r;
}

/* Those of one family, as far as they can be read. */
static int
read_family(
    const struct layout *l, struct tcpto_record out[TCPTO_FAMILY_RECORDS])
{
	int fd = open_to_read();
	int r;

	if (fd < 0)
		return QE_SYS;
	r = records_read(fd, l, out);
	io_close(&fd);
	return r;
}

/* The record in use for ip, or NULL. */
static struct tcpto_record *
record_find(
    struct tcpto_record records[TCPTO_FAMILY_RECORDS], const struct ipaddr *ip)
{
	for (size_t i = 0; i < TCPTO_FAMILY_RECORDS; i++)
		if (records[i].count > 0 && ipaddr_eq(&records[i].ip, ip))
			return &records[i];
	return NULL;
}

/* Times are 32 bits wide; one in the future counts as very old. */
static uint32_t
record_age(const struct tcpto_record *r, int64_t now)
{
	return (uint32_t)now - (uint32_t)r->when;
}

bool
tcpto_should_skip(const struct ipaddr *ip, int64_t now, pid_t pid)
{
	struct tcpto_record records[TCPTO_FAMILY_RECORDS];
	const struct layout *l = layout_of(ip);
	const struct tcpto_record *r;
	uint32_t spread = (uint32_t)pid & 31;

	if (l == NULL || read_family(l, records) != 0)
		return false;
	r = record_find(records, ip);
	return r != NULL && r->count >= TCPTO_COUNT_BAD &&
	       record_age(r, now) <
		   (TCPTO_SKIP_UNITS + spread) * TCPTO_SKIP_UNIT;
}

static void
record_write(
    int fd, const struct layout *l, const struct tcpto_record *r, size_t slot)
{
	unsigned char bytes[32];
	off_t where = (off_t)(l->start + slot * l->bytes);

	record_encode(l, r, bytes);
	if (pwrite(fd, bytes, l->bytes, where) < 0)
		errno = 0; /* one hint less */
}

/* Opens for change and waits for the lock: a descriptor or -1. */
static int
open_locked(void)
{
	int fd = open(tcpto_path, O_RDWR | O_CLOEXEC);
	int r;

	if (fd < 0)
		return -1;
	do
		r = flock(fd, LOCK_EX);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		io_close(&fd);
	return fd;
}

/* A free slot, or the one that is least worth keeping. */
static size_t
slot_for_new(const struct tcpto_record records[TCPTO_FAMILY_RECORDS])
{
	size_t best = 0;
	int64_t least = INT64_MAX;

	for (size_t i = 0; i < TCPTO_FAMILY_RECORDS; i++) {
		int64_t worth =
		    records[i].when + (int64_t)TCPTO_WEIGHT * records[i].count;

		if (records[i].count == 0)
			return i;
		if (worth < least) {
			least = worth;
			best = i;
		}
	}
	return best;
}

static void
note_timeout_locked(
    int fd, const struct layout *l, const struct ipaddr *ip, int64_t now)
{
	struct tcpto_record records[TCPTO_FAMILY_RECORDS];
	struct tcpto_record *r;

	if (records_read(fd, l, records) != 0)
		return;
	r = record_find(records, ip);
	if (r != NULL && record_age(r, now) < TCPTO_YOUNG)
		return;
	if (r == NULL) {
		r = &records[slot_for_new(records)];
		r->ip = *ip;
		r->count = 0;
	}
	if (r->count < TCPTO_COUNT_MAX)
		r->count++;
	r->when = now;
	record_write(fd, l, r, (size_t)(r - records));
}

void
tcpto_note_timeout(const struct ipaddr *ip, int64_t now)
{
	const struct layout *l = layout_of(ip);
	int fd = l == NULL ? -1 : open_locked();

	if (fd < 0)
		return;
	note_timeout_locked(fd, l, ip, now);
	io_close(&fd);
}

void
tcpto_note_success(const struct ipaddr *ip)
{
	struct tcpto_record records[TCPTO_FAMILY_RECORDS];
	const struct layout *l = layout_of(ip);
	struct tcpto_record *r;
	int fd;

	if (l == NULL || read_family(l, records) != 0 ||
	    record_find(records, ip) == NULL)
		return;
	fd = open_locked();
	if (fd < 0)
		return;
	r = records_read(fd, l, records) == 0 ? record_find(records, ip) : NULL;
	if (r != NULL) {
		r->count = 0;
		record_write(fd, l, r, (size_t)(r - records));
	}
	io_close(&fd);
}

/* What is behind the classic records goes. */
int
tcpto_clear(void)
{
	static const char zero[CLASSIC_BYTES];
	int fd = open(tcpto_path, O_WRONLY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return QE_SYS;
	r = io_write_all(fd, zero, sizeof(zero));
	if (r == 0 && ftruncate(fd, CLASSIC_BYTES) < 0)
		r = QE_SYS;
	io_close(&fd);
	return r;
}
