/* SPDX-License-Identifier: Apache-2.0 */
/* CPUWeight= on made-up trees of cgroups. */
/* LINK: virt/shares */
#include "virt/shares.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char top[] = "/tmp/mediakit-shares-XXXXXX";

static void touch(const char *name)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", top, name);
	FILE *f = fopen(path, "we");
	assert_non_null(f);
	assert_int_equal(fclose(f), 0);
}

static void test_shares(void **state)
{
	char path[128];

	(void)state;
	/* Nothing there, or the first version. */
	assert_int_equal(shares_of_weight(top, 100), 1024);
	assert_int_equal(shares_of_weight(top, 1), 10);
	assert_int_equal(shares_of_weight(top, 10000), 102400);
	/* Both: the second has no CPU controller of its own then. */
	(void)snprintf(path, sizeof(path), "%s/unified", top);
	assert_int_equal(mkdir(path, 0755), 0);
	touch("unified/cgroup.controllers");
	assert_int_equal(shares_of_weight(top, 50), 512);
	/* The second alone. */
	touch("cgroup.controllers");
	assert_int_equal(shares_of_weight(top, 1), 1);
	assert_int_equal(shares_of_weight(top, 100), 100);
	assert_int_equal(shares_of_weight(top, 10000), 10000);
}

static int make_top(void **state)
{
	(void)state;
	return mkdtemp(top) ? 0 : -1;
}

static int remove_top(void **state)
{
	static const char *const names[] = { "cgroup.controllers", "unified/cgroup.controllers",
		"unified", "" };
	char path[128];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", top, names[i]);
		(void)remove(path);
	}
	return access(top, F_OK) == 0 ? -1 : 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shares),
	};

	return cmocka_run_group_tests(tests, make_top, remove_top);
}
