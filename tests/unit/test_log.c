/* SPDX-License-Identifier: Apache-2.0 */
/* Where a line of the log goes, and its fields with it. */
/* LINK: base */
/* LIBS: libsystemd */
#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static char taken[4096];

static void take(int level, const char *guest, const char *service, const char *line)
{
	size_t len = strlen(taken);

	(void)snprintf(taken + len, sizeof(taken) - len, "<%d>%s/%s/%s\n", level,
		guest ? guest : "-", service ? service : "-", line);
}

static int setup(void **state)
{
	(void)state;
	taken[0] = '\0';
	log_set_sink(take);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	log_set_sink(NULL);
	log_set_max_level(LOG_INFO);
	return 0;
}

static void test_levels(void **state)
{
	(void)state;
	log_full(LOG_DEBUG, "vm", NULL, "not heard");
	log_full(LOG_INFO, "vm", "wiki", "up %d", 1);
	log_set_max_level(LOG_ERR);
	log_struct(LOG_NOTICE, "vm", NULL, NULL, (const char *[]){ "A=b", NULL }, "not heard");
	assert_string_equal(taken, "<6>vm/wiki/up 1\n");
}

/* Fields follow their line, and no more than LOG_FIELDS_MAX of them. */
static void test_fields(void **state)
{
	const char *const few[] = { "MEDIAKIT_CAUSE=guest-panic", "MEDIAKIT_CONSOLE=one\ntwo",
		NULL };
	const char *const many[] = { "A=1", "A=2", "A=3", "A=4", "A=5", "A=6", "A=7", "A=8", "A=9",
		NULL };

	(void)state;
	log_struct(LOG_ERR, "vm", NULL, NULL, few, "ended");
	assert_string_equal(taken, "<3>vm/-/ended\n<7>vm/-/MEDIAKIT_CAUSE=guest-panic\n"
				   "<7>vm/-/MEDIAKIT_CONSOLE=one\ntwo\n");
	taken[0] = '\0';
	log_struct(LOG_ERR, NULL, NULL, NULL, NULL, "bare");
	assert_string_equal(taken, "<3>-/-/bare\n");
	log_struct(LOG_ERR, NULL, NULL, NULL, many, "bounded");
	assert_non_null(strstr(taken, "A=8"));
	assert_null(strstr(taken, "A=9"));
	assert_false(log_takes_fields());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_levels, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fields, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
