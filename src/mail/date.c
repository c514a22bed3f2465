/*
 * Dates in the three forms the suite writes.  The calendar is computed here:
 * gmtime(3) looks up the time zone first, which costs system calls in
 * programs that run once per message.
 */
#include "mail/date.h"
#include "base/error.h"

#include <inttypes.h>

enum {
	DAY_SECONDS = 86400,
	ERA_DAYS = 146097,   /* of 400 years of the Gregorian calendar */
	EPOCH_SHIFT = 719468 /* days from 1 March of year 0 to 1970 */
};

struct moment {
	int64_t year;
	unsigned month; /* 0 ... 11 */
	unsigned day;   /* 1 ... 31 */
	unsigned hour, minute, second;
	unsigned weekday; /* 0: Sunday */
};

static const char month_names[12][4] = { "Jan", "Feb", "Mar", "Apr", "May",
	"Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
static const char weekday_names[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu",
	"Fri", "Sat" };

static int64_t
floor_divide(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* Years are counted from 1 March, so that the leap day comes last. */
static void
split_days(int64_t days, struct moment *m)
{
	int64_t shifted = days + EPOCH_SHIFT;
	int64_t era = floor_divide(shifted, ERA_DAYS);
	unsigned in_era = (unsigned)(shifted - era * ERA_DAYS);
	unsigned years = (in_era - in_era / 1460 + in_era / 36524 -
			     in_era / (ERA_DAYS - 1)) /
			 365;
	unsigned in_year = in_era - (365 * years + years / 4 - years / 100);
	unsigned march_month = (5 * in_year + 2) / 153;

	m->day = in_year - (153 * march_month + 2) / 5 + 1;
	m->month = (march_month + 2) % 12;
	m->year = era * 400 + years + (march_month >= 10);
	m->weekday = (unsigned)(days - 7 * floor_divide(days + 4, 7) + 4);
}

static struct moment
moment_of(int64_t unix_time)
{
	struct moment m;
	int64_t days = floor_divide(unix_time, DAY_SECONDS);
	int64_t left = unix_time % DAY_SECONDS;
	unsigned rest = (unsigned)(left < 0 ? left + DAY_SECONDS : left);

	split_days(days, &m);
	m.hour = rest / 3600;
	m.minute = rest / 60 % 60;
	m.second = rest % 60;
	return m;
}

void
date_add_822(struct buf *out, int64_t unix_time)
{
	struct moment m = moment_of(unix_time);

	buf_addf(out, "%u %s %04" PRId64 " %02u:%02u:%02u -0000", m.day,
	    month_names[m.month], m.year, m.hour, m.minute, m.second);
}

void
date_add_ctime(struct buf *out, int64_t unix_time)
{
	struct moment m = moment_of(unix_time);

	buf_addf(out, "%s %s %02u %02u:%02u:%02u %04" PRId64,
	    weekday_names[m.weekday], month_names[m.month], m.day, m.hour,
	    m.minute, m.second, m.year);
}

void
date_add_compact(struct buf *out, int64_t unix_time)
{
	struct moment m = moment_of(unix_time);

	buf_addf(out, "%04" PRId64 "%02u%02u%02u%02u%02u", m.year, m.month + 1,
	    m.day, m.hour, m.minute, m.second);
}

static bool
is_leap(int64_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

int
date_to_day(int64_t year, unsigned month, unsigned day, int64_t *out)
{
	static const unsigned char lengths[12] = { 31, 28, 31, 30, 31, 30, 31,
		31, 30, 31, 30, 31 };
	int64_t march_year, era, in_era;
	unsigned length;

	if (year < 0 || year > 9999 || month < 1 || month > 12)
		return QE_SYNTAX;
	length = lengths[month - 1] + (month == 2 && is_leap(year) ? 1U : 0U);
	if (day < 1 || day > length)
		return QE_SYNTAX;
	march_year = month > 2 ? year : year - 1;
	era = floor_divide(march_year, 400);
	in_era = march_year - era * 400;
	*out = era * ERA_DAYS + 365 * in_era + in_era / 4 - in_era / 100 +
	       (153 * ((month + 9) % 12) + 2) / 5 + day - 1 - EPOCH_SHIFT;
	return 0;
}
