/* SPDX-License-Identifier: Apache-2.0 */
/* Host headers, Accept headers and paths. */
/* LINK: cli/httprules cli/metrics cli/exposition cli/counters cli/view */
#include "base/macro.h"
#include "cli/httprules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void only_our_hosts_are_served(void **state)
{
	static const char *const more[] = { "status.example", "status.example:8443" };
	static const struct {
		const char *host;
		bool allowed;
	} rows[] = {
		{ "localhost:9464", true },
		{ "LOCALHOST:9464", true },
		{ "127.0.0.1:9464", true },
		{ "[::1]:9464", true },
		{ "status.example", true },
		{ "Status.Example:8443", true },
		{ "status.example:9464", false },
		{ NULL, false },
		{ "", false },
		{ "localhost", false },
		{ "localhost:", false },
		{ "localhost:94640", false },
		{ "localhost:09464", false },
		{ "localhost:9464 ", false },
		{ " localhost:9464", false },
		{ "localhost:9464.evil.example", false },
		{ "localhost.:9464", false },
		{ "evil.example:9464", false },
		{ "127.0.0.2:9464", false },
		{ "127.1:9464", false },
		{ "0.0.0.0:9464", false },
		{ "[::1%25lo]:9464", false },
		{ "[0:0:0:0:0:0:0:1]:9464", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (http_host_allowed(rows[i].host, 9464, more, 2) != rows[i].allowed)
			fail_msg("Host '%s'", rows[i].host ? rows[i].host : "(none)");
	assert_false(http_host_allowed("status.example", 9464, NULL, 0));
}

static void openmetrics_is_given_to_who_prefers_it(void **state)
{
#define OPEN "application/openmetrics-text"
	static const struct {
		const char *accept;
		bool open;
	} rows[] = {
		/* What Prometheus sends. */
		{ OPEN ";version=1.0.0," OPEN ";version=0.0.1;q=0.75,text/plain;version=0.0.4;"
		       "q=0.5,*/*;q=0.1",
			true },
		{ "text/plain;version=0.0.4;q=0.9, " OPEN ";q=0.3", false },
		{ OPEN, true },
		{ "Application/OpenMetrics-Text ; Q=0.5", true },
		{ OPEN ";q=0", false },
		{ OPEN ";q=0.000", false },
		{ OPEN "; q=1.000, text/plain;q=0.999", true },
		{ OPEN ";q=0.3,text/plain;q=0.31", false },
		{ OPEN ";q=x", false },
		{ OPEN ";q=", true },
		{ OPEN ";q=2", false },
		{ OPEN "x", false },
		{ "*/*", false },
		{ "text/html,application/xhtml+xml,*/*;q=0.8", false },
		{ "", false },
		{ ",,;;,;q=1,", false },
		{ NULL, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (http_wants_openmetrics(rows[i].accept) != rows[i].open)
			fail_msg("Accept '%s'", rows[i].accept ? rows[i].accept : "(none)");
}

static void paths_are_whole(void **state)
{
	(void)state;
	assert_int_equal(http_place_of("/"), PLACE_PAGE);
	assert_int_equal(http_place_of("/metrics"), PLACE_METRICS);
	assert_int_equal(http_place_of("/metrics/"), PLACE_NONE);
	assert_int_equal(http_place_of("/../metrics"), PLACE_NONE);
	assert_int_equal(http_place_of(""), PLACE_NONE);
	assert_int_equal(http_scrape_kind(http_place_of("/status.json"), OPEN), SCRAPE_STATUS);
	assert_int_equal(http_scrape_kind(http_place_of("/history.json"), NULL), SCRAPE_HISTORY);
	assert_int_equal(http_scrape_kind(PLACE_METRICS, OPEN), SCRAPE_OPENMETRICS);
	assert_int_equal(http_scrape_kind(PLACE_METRICS, NULL), SCRAPE_METRICS);
	assert_non_null(strstr(http_type(SCRAPE_OPENMETRICS), "openmetrics"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_our_hosts_are_served),
		cmocka_unit_test(openmetrics_is_given_to_who_prefers_it),
		cmocka_unit_test(paths_are_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
