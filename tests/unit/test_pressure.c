/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's line on who waited for a CPU. */
/* LINK: base io/pressure */
/* LIBS: libsystemd */
#include "io/pressure.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macro.h"

static void lines(void **state)
{
	static const struct {
		const char *text;
		int result;
		usec_t total;
	} rows[] = {
		{ "some avg10=97.13 avg60=67.98 avg300=22.36 total=4299609634\n"
		  "full avg10=0.00 avg60=0.00 avg300=0.00 total=7\n",
			0, 4299609634 },
		/* Before 5.13 there was no `full` for the CPU. */
		{ "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n", 0, 0 },
		{ "some avg10=0.00 total=12", 0, 12 },
		{ "some avg10=0.00 total=12 more=3\n", 0, 12 },
		{ "", -EBADMSG, 0 },
		{ "full avg10=0.00 avg60=0.00 avg300=0.00 total=7\n", -EBADMSG, 0 },
		{ "some avg10=0.00\nfull total=7\n", -EBADMSG, 0 },
		{ "some total=\n", -EBADMSG, 0 },
		{ "some total=-1\n", -EBADMSG, 0 },
		{ "some total=1e9\n", -EBADMSG, 0 },
		{ "some total=18446744073709551615\n", -EBADMSG, 0 },
		{ "some total=99999999999999999999999999999999\n", -EBADMSG, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		usec_t total = 4711;

		assert_int_equal(pressure_parse(rows[i].text, &total), rows[i].result);
		assert_int_equal(total, rows[i].result == 0 ? rows[i].total : 4711);
	}
}

/* Where this kernel counts at all, it never counts backwards. */
static void this_kernel(void **state)
{
	usec_t first, second;

	(void)state;
	int r = pressure_cpu(&first);
	if (r == -ENOENT || r == -EOPNOTSUPP)
		skip();
	assert_int_equal(r, 0);
	assert_int_equal(pressure_cpu(&second), 0);
	assert_true(second >= first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),
		cmocka_unit_test(this_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
