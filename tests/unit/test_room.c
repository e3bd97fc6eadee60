/* SPDX-License-Identifier: Apache-2.0 */
/* Free space, against df(1)'s source: statvfs of the same place. */
/* LINK: io/room */
#include "io/room.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_room(void **state)
{
	unsigned long long df = 0;
	uint64_t kib = 7;
	FILE *f = popen("df --output=avail -k / | tail -n 1", "r"); /* NOLINT(cert-env33-c) */

	(void)state;
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%llu", &df), 1); /* NOLINT(cert-err34-c) */
	(void)pclose(f);
	assert_int_equal(room_free("/nowhere", &kib), -ENOENT);
	assert_true(kib == 7);
	assert_int_equal(room_free("/", &kib), 0);
	/* Others write meanwhile. */
	assert_true(kib > df / 2 && kib < df + df / 2 + 1024);
	assert_int_equal(room_free("/proc", &kib), 0);
	assert_true(kib == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_room) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
