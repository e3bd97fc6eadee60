/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's words on the host's memory. */
/* LINK: base io/hostmem */
/* LIBS: libsystemd */
#include "io/hostmem.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/macro.h"

static void meminfo(void **state)
{
	static const struct {
		const char *text;
		int result;
		uint64_t total, available;
	} rows[] = {
		{ "MemTotal:       24684084 kB\nMemFree:        19504312 kB\n"
		  "MemAvailable:   21819440 kB\nBuffers:           1 kB\n",
			0, 24684084, 21819440 },
		{ "MemAvailable: 0 kB\nMemTotal: 1 kB\n", 0, 1, 0 },
		/* A name that only ends so is another. */
		{ "XMemTotal: 5 kB\nMemTotalX: 6 kB\nMemTotal: 7 kB\nMemAvailable: 3 kB\n", 0, 7,
			3 },
		{ "", -EBADMSG, 0, 0 },
		{ "MemTotal: 24684084 kB\nMemFree: 19504312 kB\n", -EBADMSG, 0, 0 },
		{ "MemTotal: 0 kB\nMemAvailable: 0 kB\n", -EBADMSG, 0, 0 },
		{ "MemTotal: 5\nMemAvailable: 3 kB\n", -EBADMSG, 0, 0 },
		{ "MemTotal: -5 kB\nMemAvailable: 3 kB\n", -EBADMSG, 0, 0 },
		{ "MemTotal:  kB\nMemAvailable: 3 kB\n", -EBADMSG, 0, 0 },
		{ "MemTotal: 5 kB\nMemAvailable: 18446744073709551615 kB\n", -EBADMSG, 0, 0 },
		{ "MemTotal: 5 kB\nMemAvailable: 99999999999999999999999999 kB\n", -EBADMSG, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t total = 4711, available = 4712;

		assert_int_equal(
			hostmem_parse_meminfo(rows[i].text, &total, &available), rows[i].result);
		assert_int_equal(total, rows[i].result == 0 ? rows[i].total : 4711);
		assert_int_equal(available, rows[i].result == 0 ? rows[i].available : 4712);
	}
}

static void psi(void **state)
{
	static const struct {
		const char *text;
		int result;
		uint32_t avg10;
	} rows[] = {
		{ "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n", 0, 0 },
		{ "some avg10=97.13 avg60=1.00 avg300=0.00 total=9\nfull avg10=1.00\n", 0, 9713 },
		{ "some avg10=100.00 avg60=1.00", 0, 10000 },
		{ "some avg10=100.01 avg60=1.00", -EBADMSG, 0 },
		{ "full avg10=1.00\n", -EBADMSG, 0 },
		{ "some avg10=1\n", -EBADMSG, 0 },
		{ "some avg10=1.0\n", -EBADMSG, 0 },
		{ "some avg10=.00\n", -EBADMSG, 0 },
		{ "some avg10=-1.00\n", -EBADMSG, 0 },
		{ "some avg10=1.000\n", -EBADMSG, 0 },
		{ "some avg10=", -EBADMSG, 0 },
		{ "", -EBADMSG, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint32_t avg10 = 4711;

		assert_int_equal(hostmem_parse_psi(rows[i].text, &avg10), rows[i].result);
		assert_int_equal(avg10, rows[i].result == 0 ? rows[i].avg10 : 4711);
	}
}

static void this_host(void **state)
{
	struct hostmem h = { 0 };

	(void)state;
	assert_int_equal(hostmem_read(&h), 0);
	assert_true(h.total_kib > 0);
	assert_true(h.available_kib <= h.total_kib);
	assert_true(h.psi_some_avg10 == HOSTMEM_PSI_ABSENT || h.psi_some_avg10 <= 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(meminfo),
		cmocka_unit_test(psi),
		cmocka_unit_test(this_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
