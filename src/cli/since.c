/* SPDX-License-Identifier: Apache-2.0 */
/* Moments as people write them. */
#include "cli/since.h"

#include "base/macro.h"
#include "base/parse.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <time.h>

static int midnight(usec_t now, int days, usec_t *ret)
{
	time_t seconds = (time_t)(now / USEC_PER_SEC);
	struct tm tm;

	if (!localtime_r(&seconds, &tm))
		return -EINVAL;
	tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
	tm.tm_mday += days;
	tm.tm_isdst = -1;
	time_t t = mktime(&tm);
	if (t < 0)
		return -EINVAL;
	*ret = (usec_t)t * USEC_PER_SEC;
	return 0;
}

/* strptime() takes spaces and short numbers as it likes, so the shape is looked at first: 9 stands
 * for a digit. */
static bool has_shape(const char *text, const char *shape)
{
	for (; *text && *shape; text++, shape++)
		if (*shape == '9' ? !isdigit((unsigned char)*text) : *text != *shape)
			return false;
	return *text == *shape;
}

static int parse_clock(const char *text, usec_t now, usec_t *ret)
{
	static const struct {
		const char *shape, *format;
	} forms[] = {
		{ "9999-99-99 99:99:99", "%Y-%m-%d %H:%M:%S" },
		{ "9999-99-99 99:99", "%Y-%m-%d %H:%M" },
		{ "9999-99-99", "%Y-%m-%d" },
		{ "99:99:99", "%H:%M:%S" },
		{ "99:99", "%H:%M" },
	};
	time_t seconds = (time_t)(now / USEC_PER_SEC);

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		struct tm tm, as_written;

		if (!has_shape(text, forms[i].shape) || !localtime_r(&seconds, &tm))
			continue;
		tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
		const char *end = strptime(text, forms[i].format, &tm);
		if (!end || *end)
			return -EINVAL;
		as_written = tm;
		tm.tm_isdst = -1;
		time_t t = mktime(&tm);
		/* The 31st of February is no day, and mktime() would make one of it. */
		if (t < 0 || tm.tm_mday != as_written.tm_mday)
			return -EINVAL;
		*ret = (usec_t)t * USEC_PER_SEC;
		return 0;
	}
	return -EINVAL;
}

/* "2h", "-2h", "2h ago"; a bare number is more likely a slip than so many seconds. */
static int parse_back(const char *text, usec_t now, usec_t *ret)
{
	char span_text[64];
	size_t len = strlen(text);
	usec_t span;

	if (*text == '-') {
		text++;
		len--;
	} else if (len > 4 && strcmp(text + len - 4, " ago") == 0) {
		len -= 4;
	}
	if (len == 0 || len >= sizeof(span_text))
		return -EINVAL;
	memcpy(span_text, text, len);
	span_text[len] = '\0';
	if (strspn(span_text, "0123456789") == len || parse_timespan(span_text, &span) < 0 ||
		span == USEC_INFINITY)
		return -EINVAL;
	*ret = usec_sub(now, span);
	return 0;
}

int since_parse(const char *text, usec_t now, usec_t *ret_since, uint64_t *ret_after)
{
	usec_t since = 0;
	uint64_t after = 0;
	int r;

	if (text[0] == '@')
		r = parse_u64(text + 1, 0, UINT64_MAX - 1, &after);
	else if (strcmp(text, "now") == 0)
		since = now, r = 0;
	else if (strcmp(text, "today") == 0)
		r = midnight(now, 0, &since);
	else if (strcmp(text, "yesterday") == 0)
		r = midnight(now, -1, &since);
	else if (parse_clock(text, now, &since) == 0)
		r = 0;
	else
		r = parse_back(text, now, &since);
	if (r < 0)
		return -EINVAL;
	*ret_since = since;
	*ret_after = after;
	return 0;
}
