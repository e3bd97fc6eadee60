/* SPDX-License-Identifier: Apache-2.0 */
/* Host, Accept and paths. */
#include "cli/httprules.h"

#include "base/macro.h"
#include "cli/metrics.h"

#include <string.h>
#include <strings.h>

bool http_host_allowed(const char *host, uint16_t port, const char *const *more, unsigned n)
{
	static const char *const ours[] = { "localhost", "127.0.0.1", "[::1]" };
	char whole[32];

	if (!host)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++) {
		(void)snprintf(whole, sizeof(whole), "%s:%u", ours[i], (unsigned)port);
		if (strcasecmp(host, whole) == 0)
			return true;
	}
	for (unsigned i = 0; i < n; i++)
		if (strcasecmp(host, more[i]) == 0)
			return true;
	return false;
}

/* RFC 9110's qvalue in thousandths: 0 to 1, at most three digits after the point. Anything else is
 * taken for 0: what cannot be read is not wanted. */
static unsigned quality(const char *text, size_t len)
{
	unsigned q, unit = 100;

	if (len == 0 || (text[0] != '0' && text[0] != '1'))
		return 0;
	q = text[0] == '1' ? 1000 : 0;
	if (len > 1 && text[1] != '.')
		return 0;
	for (size_t i = 2; i < len && unit > 0; i++, unit /= 10) {
		if (text[i] < '0' || text[i] > '9')
			return 0;
		q += (unsigned)(text[i] - '0') * unit;
	}
	return MIN(q, 1000u);
}

static const char *skip_space(const char *s)
{
	return s + strspn(s, " \t");
}

/* The quality of one range, from behind its type to the next comma. */
static unsigned range_quality(const char *s)
{
	while (*s == ';') {
		s = skip_space(s + 1);
		size_t len = strcspn(s, ";,");

		if (len > 2 && (s[0] == 'q' || s[0] == 'Q') && s[1] == '=')
			return quality(s + 2, strcspn(s + 2, " \t;,"));
		s += len;
	}
	return 1000;
}

static bool is_type(const char *s, size_t len, const char *type)
{
	return strlen(type) == len && strncasecmp(s, type, len) == 0;
}

bool http_wants_openmetrics(const char *accept)
{
	unsigned open = 0, plain = 0;

	for (const char *s = accept; s && *s; s += strcspn(s, ","), s += *s == ',') {
		s = skip_space(s);
		size_t len = strcspn(s, " \t;,");
		const char *rest = skip_space(s + len);
		unsigned q = range_quality(rest);

		if (is_type(s, len, "application/openmetrics-text"))
			open = MAX(open, q);
		else if (is_type(s, len, "text/plain"))
			plain = MAX(plain, q);
	}
	return open > 0 && open >= plain;
}

enum http_place http_place_of(const char *path)
{
	static const char *const paths[PLACE_NUM] = {
		[PLACE_PAGE] = "/",
		[PLACE_METRICS] = "/metrics",
		[PLACE_STATUS] = "/status.json",
		[PLACE_HISTORY] = "/history.json",
	};

	for (unsigned i = 0; i < PLACE_NUM; i++)
		if (paths[i] && strcmp(paths[i], path) == 0)
			return (enum http_place)i;
	return PLACE_NONE;
}

enum scrape_kind http_scrape_kind(enum http_place place, const char *accept)
{
	if (place == PLACE_METRICS)
		return http_wants_openmetrics(accept) ? SCRAPE_OPENMETRICS : SCRAPE_METRICS;
	return place == PLACE_HISTORY ? SCRAPE_HISTORY : SCRAPE_STATUS;
}

const char *http_type(enum scrape_kind kind)
{
	switch (kind) {
	case SCRAPE_METRICS:
		return metrics_type(METRICS_PROMETHEUS);
	case SCRAPE_OPENMETRICS:
		return metrics_type(METRICS_OPENMETRICS);
	default:
		return "application/json";
	}
}
