/* SPDX-License-Identifier: Apache-2.0 */
/* The clocks, saturating arithmetic, and spans as text. */
#include "base/time.h"

#include "base/macro.h"

#include <inttypes.h>
#include <time.h>

static usec_t clock_usec(clockid_t id)
{
	struct timespec ts;

	/* Both clocks exist on every Linux that systemd runs on; a failure would be a broken
	 * kernel. */
	if (clock_gettime(id, &ts) < 0)
		abort();
	return (usec_t)ts.tv_sec * USEC_PER_SEC + (usec_t)ts.tv_nsec / 1000;
}

usec_t now_boottime(void)
{
	return clock_usec(CLOCK_BOOTTIME);
}

usec_t now_realtime(void)
{
	return clock_usec(CLOCK_REALTIME);
}

usec_t usec_add(usec_t a, usec_t b)
{
	return a > USEC_INFINITY - b ? USEC_INFINITY : a + b;
}

usec_t usec_sub(usec_t a, usec_t b)
{
	if (a == USEC_INFINITY)
		return USEC_INFINITY;
	return a > b ? a - b : 0;
}

static const struct {
	const char *name;
	usec_t usec;
} units[] = {
	{ "d", USEC_PER_DAY },
	{ "h", USEC_PER_HOUR },
	{ "min", USEC_PER_MINUTE },
	{ "s", USEC_PER_SEC },
};

char *format_timespan(char *buf, size_t size, usec_t span)
{
	if (span == USEC_INFINITY) {
		(void)snprintf(buf, size, "forever");
		return buf;
	}
	if (span < 10 * USEC_PER_SEC) {
		(void)snprintf(buf, size, "%.1fs", (double)span / (double)USEC_PER_SEC);
		return buf;
	}

	size_t i = 0;
	while (i + 1 < ARRAY_SIZE(units) && span < units[i].usec)
		i++;
	uint64_t major = span / units[i].usec;
	uint64_t minor = i + 1 < ARRAY_SIZE(units) ? span % units[i].usec / units[i + 1].usec : 0;
	if (minor > 0)
		(void)snprintf(buf, size, "%" PRIu64 "%s %" PRIu64 "%s", major, units[i].name,
			minor, units[i + 1].name);
	else
		(void)snprintf(buf, size, "%" PRIu64 "%s", major, units[i].name);
	return buf;
}
