/* SPDX-License-Identifier: Apache-2.0 */
/* Strict parsers for numbers, sizes and spans. */
#include "base/parse.h"

#include "base/macro.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* Digits at *s; moves *s behind them. -EINVAL without a digit, -ERANGE past 64 bits. */
static int take_digits(const char **s, uint64_t *ret)
{
	uint64_t v = 0;

	if (!isdigit((unsigned char)**s))
		return -EINVAL;
	while (isdigit((unsigned char)**s)) {
		if (__builtin_mul_overflow(v, 10, &v) ||
			__builtin_add_overflow(v, (uint64_t)(**s - '0'), &v))
			return -ERANGE;
		(*s)++;
	}
	*ret = v;
	return 0;
}

int parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret)
{
	uint64_t v;
	int r = take_digits(&s, &v);

	if (r < 0)
		return r;
	if (*s)
		return -EINVAL;
	if (v < min || v > max)
		return -ERANGE;
	*ret = v;
	return 0;
}

int parse_uint(const char *s, unsigned min, unsigned max, unsigned *ret)
{
	uint64_t v;
	int r = parse_u64(s, min, max, &v);

	if (r < 0)
		return r;
	*ret = (unsigned)v;
	return 0;
}

int parse_port(const char *s, uint16_t *ret)
{
	uint64_t v;
	int r = parse_u64(s, 1, UINT16_MAX, &v);

	if (r < 0)
		return r;
	*ret = (uint16_t)v;
	return 0;
}

int parse_bool(const char *s, bool *ret)
{
	static const char *const yes[] = { "yes", "true", "on", "1" };
	static const char *const no[] = { "no", "false", "off", "0" };

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		if (strcasecmp(s, yes[i]) == 0) {
			*ret = true;
			return 0;
		}
		if (strcasecmp(s, no[i]) == 0) {
			*ret = false;
			return 0;
		}
	}
	return -EINVAL;
}

/* Suffix to bytes as a shift; "" is bytes. */
static int size_shift(const char *suffix)
{
	static const char letters[] = "KMGT";

	if (!*suffix || strcmp(suffix, "B") == 0)
		return 0;
	const char *at = strchr(letters, toupper((unsigned char)*suffix));
	if (!at)
		return -EINVAL;
	/* "6G", "6GB" and "6GiB" are all read as 1024-based, as systemd and qemu-img read them. */
	if (suffix[1] && strcmp(suffix + 1, "B") != 0 && strcmp(suffix + 1, "iB") != 0)
		return -EINVAL;
	return 10 * (int)(at - letters + 1);
}

int parse_size_kib(const char *s, uint64_t *ret_kib)
{
	uint64_t v;
	int r = take_digits(&s, &v);

	if (r < 0)
		return r;
	int shift = size_shift(s);
	if (shift < 0)
		return shift;
	if (v > (UINT64_C(1) << 63) >> shift)
		return -ERANGE;
	v <<= shift;
	if (v % 1024)
		return -EINVAL;
	*ret_kib = v / 1024;
	return 0;
}

static usec_t span_unit(const char *s, size_t len)
{
	static const struct {
		const char *name;
		usec_t usec;
	} names[] = {
		{ "", USEC_PER_SEC },
		{ "us", 1 },
		{ "usec", 1 },
		{ "ms", USEC_PER_MSEC },
		{ "msec", USEC_PER_MSEC },
		{ "s", USEC_PER_SEC },
		{ "sec", USEC_PER_SEC },
		{ "second", USEC_PER_SEC },
		{ "seconds", USEC_PER_SEC },
		{ "m", USEC_PER_MINUTE },
		{ "min", USEC_PER_MINUTE },
		{ "minute", USEC_PER_MINUTE },
		{ "minutes", USEC_PER_MINUTE },
		{ "h", USEC_PER_HOUR },
		{ "hr", USEC_PER_HOUR },
		{ "hour", USEC_PER_HOUR },
		{ "hours", USEC_PER_HOUR },
		{ "d", USEC_PER_DAY },
		{ "day", USEC_PER_DAY },
		{ "days", USEC_PER_DAY },
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strlen(names[i].name) == len && memcmp(names[i].name, s, len) == 0)
			return names[i].usec;
	return 0;
}

int parse_timespan(const char *s, usec_t *ret)
{
	usec_t sum = 0;

	if (strcmp(s, "infinity") == 0) {
		*ret = USEC_INFINITY;
		return 0;
	}
	if (!*s)
		return -EINVAL;
	while (*s) {
		uint64_t v;
		int r = take_digits(&s, &v);
		if (r < 0)
			return r;
		size_t len = strspn(s, "abcdefghijklmnopqrstuvwxyz");
		usec_t unit = span_unit(s, len);
		if (unit == 0)
			return -EINVAL;
		if (__builtin_mul_overflow(v, unit, &v) || __builtin_add_overflow(sum, v, &sum) ||
			sum == USEC_INFINITY)
			return -ERANGE;
		s += len;
		/* One space may part two terms; a trailing one is no part of a span. */
		if (*s == ' ' && s[1])
			s++;
	}
	*ret = sum;
	return 0;
}

char *format_size_kib(char *buf, size_t size, uint64_t kib)
{
	static const char *const names[] = { "KiB", "MiB", "GiB", "TiB" };
	double v = (double)kib;
	size_t i = 0;

	while (v >= 1024 && i + 1 < ARRAY_SIZE(names)) {
		v /= 1024;
		i++;
	}
	(void)snprintf(buf, size, i < 2 ? "%.0f %s" : "%.1f %s", v, names[i]);
	return buf;
}
