/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers, sizes and spans as people write them, and the same as we write them back. */
/* LINK: base/parse base/time */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/macro.h"
#include "base/parse.h"

/* No parser writes this, so it shows that a failure left the result alone. */
#define UNTOUCHED UINT64_C(0xa5a5a5a5a5a5a5a5)

struct row {
	const char *text;
	int r;
	uint64_t value;
};

static void check_row(const struct row *row, int r, uint64_t value)
{
	if (r != row->r || value != (r < 0 ? UNTOUCHED : row->value))
		fail_msg("'%s' gave %d, %llu", row->text, r, (unsigned long long)value);
}

static void test_u64(void **state)
{
	static const struct row rows[] = {
		{ "0", 0, 0 },
		{ "007", 0, 7 },
		{ "18446744073709551615", 0, UINT64_MAX },
		{ "18446744073709551616", -ERANGE, 0 },
		{ "99999999999999999999999", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ "+1", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },
		{ " 1", -EINVAL, 0 },
		{ "1 ", -EINVAL, 0 },
		{ "0x10", -EINVAL, 0 },
		{ "1e3", -EINVAL, 0 },
		{ "1.5", -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t v = UNTOUCHED;
		int r = parse_u64(rows[i].text, 0, UINT64_MAX, &v);
		check_row(&rows[i], r, v);
	}
	uint64_t v = UNTOUCHED;
	assert_int_equal(parse_u64("4", 5, 9, &v), -ERANGE);
	assert_int_equal(parse_u64("10", 5, 9, &v), -ERANGE);
	assert_int_equal(v, UNTOUCHED);
	assert_int_equal(parse_u64("5", 5, 9, &v), 0);
	assert_int_equal(parse_u64("9", 5, 9, &v), 0);
	assert_int_equal(v, 9);
}

static void test_small(void **state)
{
	unsigned u = 77;
	uint16_t port = 77;
	bool b = true;

	(void)state;
	assert_int_equal(parse_uint("4294967296", 0, UINT32_MAX, &u), -ERANGE);
	assert_int_equal(parse_uint("x", 0, 9, &u), -EINVAL);
	assert_int_equal(u, 77);
	assert_int_equal(parse_uint("4294967295", 0, UINT32_MAX, &u), 0);
	assert_int_equal(u, UINT32_MAX);

	assert_int_equal(parse_port("0", &port), -ERANGE);
	assert_int_equal(parse_port("65536", &port), -ERANGE);
	assert_int_equal(parse_port("http", &port), -EINVAL);
	assert_int_equal(port, 77);
	assert_int_equal(parse_port("65535", &port), 0);
	assert_int_equal(port, 65535);

	static const char *const yes[] = { "yes", "true", "on", "1", "Yes", "TRUE" };
	static const char *const no[] = { "no", "false", "off", "0", "OFF" };
	static const char *const neither[] = { "", "y", "n", "2", "yes ", "enabled" };
	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		b = false;
		assert_int_equal(parse_bool(yes[i], &b), 0);
		assert_true(b);
	}
	for (size_t i = 0; i < ARRAY_SIZE(no); i++) {
		b = true;
		assert_int_equal(parse_bool(no[i], &b), 0);
		assert_false(b);
	}
	b = true;
	for (size_t i = 0; i < ARRAY_SIZE(neither); i++)
		assert_int_equal(parse_bool(neither[i], &b), -EINVAL);
	assert_true(b);
}

static void test_size(void **state)
{
	static const struct row rows[] = {
		{ "6G", 0, UINT64_C(6) << 20 },
		{ "6GB", 0, UINT64_C(6) << 20 },
		{ "6GiB", 0, UINT64_C(6) << 20 },
		{ "6g", 0, UINT64_C(6) << 20 },
		{ "512M", 0, 512 << 10 },
		{ "2048K", 0, 2048 },
		{ "1T", 0, UINT64_C(1) << 30 },
		{ "0", 0, 0 },
		{ "2048", 0, 2 },
		{ "2048B", 0, 2 },
		{ "1", -EINVAL, 0 },
		{ "1025", -EINVAL, 0 },
		{ "9007199254740992K", 0, UINT64_C(1) << 53 },
		{ "9007199254740993K", -ERANGE, 0 },
		{ "8388608T", 0, UINT64_C(1) << 53 },
		{ "8388609T", -ERANGE, 0 },
		{ "18446744073709551616", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ "G", -EINVAL, 0 },
		{ "6X", -EINVAL, 0 },
		{ "6 G", -EINVAL, 0 },
		{ "6Gi", -EINVAL, 0 },
		{ "6GBB", -EINVAL, 0 },
		{ "6.5G", -EINVAL, 0 },
		{ "-6G", -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t v = UNTOUCHED;
		int r = parse_size_kib(rows[i].text, &v);
		check_row(&rows[i], r, v);
	}
}

static void test_timespan(void **state)
{
	static const struct row rows[] = {
		{ "0", 0, 0 },
		{ "10", 0, 10 * USEC_PER_SEC },
		{ "10s", 0, 10 * USEC_PER_SEC },
		{ "500ms", 0, 500 * USEC_PER_MSEC },
		{ "7us", 0, 7 },
		{ "2min 30s", 0, 150 * USEC_PER_SEC },
		{ "2min30s", 0, 150 * USEC_PER_SEC },
		{ "2m", 0, 2 * USEC_PER_MINUTE },
		{ "1h", 0, USEC_PER_HOUR },
		{ "3d", 0, 3 * USEC_PER_DAY },
		{ "1day 1hour 1minute 1second", 0,
			USEC_PER_DAY + USEC_PER_HOUR + USEC_PER_MINUTE + USEC_PER_SEC },
		{ "infinity", 0, USEC_INFINITY },
		{ "18446744073709551614us", 0, USEC_INFINITY - 1 },
		{ "18446744073709551615us", -ERANGE, 0 },
		{ "18446744073709551614us 1us", -ERANGE, 0 },
		{ "99999999999999999s", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ "s", -EINVAL, 0 },
		{ "1y", -EINVAL, 0 },
		{ "1 s", -EINVAL, 0 },
		{ " 1s", -EINVAL, 0 },
		{ "1s ", -EINVAL, 0 },
		{ "1s  1s", -EINVAL, 0 },
		{ "1.5s", -EINVAL, 0 },
		{ "-1s", -EINVAL, 0 },
		{ "1S", -EINVAL, 0 },
		{ "infinity 1s", -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		usec_t v = UNTOUCHED;
		int r = parse_timespan(rows[i].text, &v);
		check_row(&rows[i], r, v);
	}
}

static void test_format_size(void **state)
{
	static const struct {
		uint64_t kib;
		const char *text;
	} rows[] = {
		{ 0, "0 KiB" },
		{ 64, "64 KiB" },
		{ 1023, "1023 KiB" },
		{ 1024, "1 MiB" },
		{ 512 << 10, "512 MiB" },
		{ 6 << 20, "6.0 GiB" },
		{ UINT64_C(3) << 19, "1.5 GiB" },
		{ UINT64_C(1) << 30, "1.0 TiB" },
		{ UINT64_C(1) << 53, "8388608.0 TiB" },
		{ UINT64_MAX, "17179869184.0 TiB" },
	};
	char buf[SIZE_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_string_equal(format_size_kib(buf, sizeof(buf), rows[i].kib), rows[i].text);
	assert_string_equal(format_size_kib(buf, 4, 512 << 10), "512");
}

static void test_format_timespan(void **state)
{
	static const struct {
		usec_t span;
		const char *text;
	} rows[] = {
		{ 0, "0.0s" },
		{ 300 * USEC_PER_MSEC, "0.3s" },
		{ 9500 * USEC_PER_MSEC, "9.5s" },
		{ 10 * USEC_PER_SEC, "10s" },
		{ 41 * USEC_PER_SEC + 999, "41s" },
		{ USEC_PER_MINUTE, "1min" },
		{ 185 * USEC_PER_SEC, "3min 5s" },
		{ 2 * USEC_PER_HOUR + 4 * USEC_PER_MINUTE + USEC_PER_SEC, "2h 4min" },
		{ USEC_PER_HOUR + 59 * USEC_PER_SEC, "1h" },
		{ 3 * USEC_PER_DAY + USEC_PER_HOUR, "3d 1h" },
		{ USEC_INFINITY - 1, "213503982d 8h" },
		{ USEC_INFINITY, "forever" },
	};
	char buf[TIMESPAN_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_string_equal(format_timespan(buf, sizeof(buf), rows[i].span), rows[i].text);
	assert_string_equal(format_timespan(buf, 4, 41 * USEC_PER_SEC), "41s");
	assert_string_equal(format_timespan(buf, 3, 41 * USEC_PER_SEC), "41");
}

static void test_arithmetic(void **state)
{
	(void)state;
	assert_int_equal(usec_add(1, 2), 3);
	assert_int_equal(usec_add(USEC_INFINITY, 1), USEC_INFINITY);
	assert_int_equal(usec_add(USEC_INFINITY - 1, 5), USEC_INFINITY);
	assert_int_equal(usec_add(1, USEC_INFINITY), USEC_INFINITY);
	assert_int_equal(usec_sub(3, 2), 1);
	assert_int_equal(usec_sub(2, 3), 0);
	assert_int_equal(usec_sub(USEC_INFINITY, 5), USEC_INFINITY);
	assert_int_equal(usec_sub(5, USEC_INFINITY), 0);
}

static void test_clocks(void **state)
{
	usec_t before = now_boottime();

	(void)state;
	assert_true(now_boottime() >= before);
	/* After 2020 and before the year 10000: the unit is right. */
	assert_in_range(now_realtime() / USEC_PER_DAY, 18262, 2932896);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_u64),
		cmocka_unit_test(test_small),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_timespan),
		cmocka_unit_test(test_format_size),
		cmocka_unit_test(test_format_timespan),
		cmocka_unit_test(test_arithmetic),
		cmocka_unit_test(test_clocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
