/* SPDX-License-Identifier: Apache-2.0 */
/* Traces of memory as text: what is read, and the reason with its place where it is not. */
/* LINK: base/time model/guestmem model/spec policy/balloon policy/balloon_names policy/balloon_loan policy/balloon_sense policy/balloon_share policy/balloon_trace policy/balloon_replay */
#include "policy/balloon_trace.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/macro.h"
#include "policy/balloon_replay.h"

#define HEAD "time,guest,host_total,max,demand\n"

static const struct {
	const char *text, *fault;
} refused[] = {
	{ "", "t:0: the trace is empty" },
	{ "# only a comment\n\n", "t:2: the trace is empty" },
	{ "time,guest,host_total\n", "t:1: max: the column is missing" },
	{ "time,guest,host_total,max,time\n", "t:1: time: the column stands twice" },
	{ "time,guest,wishes\n", "t:1: column 3 is unknown" },
	{ "time,guest,host_total,max,demand,usable\n", "t:1: usable: a statistic in a trace with" },
	{ "time,guest,host_total,max,flaw\n", "t:1: flaw: means nothing without a demand" },
	{ HEAD "0,a,1,1\n", "t:2: 4 cells under 5 columns" },
	{ HEAD "0,a,1,1,1,1\n", "t:2: more cells than the 5 columns" },
	{ HEAD "#\n,a,1,1,1\n", "t:3: time: the cell is empty" },
	{ HEAD "-1,a,1,1,1\n", "t:2: time: the value cannot be read" },
	{ HEAD "1.,a,1,1,1\n", "t:2: time: the value cannot be read" },
	{ HEAD "1.2345,a,1,1,1\n", "t:2: time: the value cannot be read" },
	{ HEAD "999999999999,a,1,1,1\n", "t:2: time: the value is out of bounds" },
	{ HEAD "0,A,1,1,1\n", "t:2: guest: the value cannot be read" },
	{ HEAD "0,a,1, 1,1\n", "t:2: max: the value cannot be read" },
	{ HEAD "0,a,1,1,99999999999999999999\n", "t:2: demand: the value is out of bounds" },
	{ HEAD "0,a,1,18446744073709551615,1\n", "t:2: max: the value is out of bounds" },
	{ HEAD "0,a,1,1,0x10\n", "t:2: demand: the value cannot be read" },
	{ HEAD "0,a,1,2000000000,1\n", "t:2: max: a model guest has at most 1 TiB" },
	{ HEAD "2,a,1,1,1\n1,a,1,1,1\n", "t:3: time: goes back" },
};

static void test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		struct trace_reader reader;
		struct trace_row row;
		int r = trace_open(&reader, "t", refused[i].text, strlen(refused[i].text));

		while (r == 0 && (r = trace_next(&reader, &row)) > 0)
			r = 0;
		if (r == 0 || strncmp(reader.fault, refused[i].fault, strlen(refused[i].fault)))
			fail_msg("row %zu: '%s', not '%s'", i, r ? reader.fault : "accepted",
				refused[i].fault);
	}
}

static void test_read(void **state)
{
	static const char text[] = "# a comment\r\n\n"
				   "demand,guest,max,host_total,time,psi,phase,flaw,hot\r\n"
				   "5,web-1,4096,8192,1.5,2.5,booting,stuck,\r\n"
				   "6,web-1,4096,8192,1.5,,,,7";
	struct trace_reader reader;
	struct trace_row row;

	(void)state;
	assert_int_equal(trace_open(&reader, "t", text, sizeof(text) - 1), 0);
	assert_true(reader.demand);
	assert_int_equal(trace_next(&reader, &row), 1);
	assert_string_equal(row.guest, "web-1");
	assert_int_equal(row.time, 1500000);
	assert_int_equal(row.pool.total_kib, 8192);
	assert_int_equal(row.pool.psi_some_avg10, 250);
	assert_int_equal(row.pool.reserve_kib, BALLOON_ABSENT);
	assert_int_equal(row.in.phase, BALLOON_BOOTING);
	assert_int_equal(row.in.max_kib, 4096);
	assert_int_equal(row.in.min_kib, 1024);
	assert_int_equal(row.in.weight, 100);
	assert_int_equal(row.demand.demand_kib, 5);
	assert_int_equal(row.demand.hot_kib, 0);
	assert_int_equal(row.demand.flaw, FLAW_STUCK);
	assert_int_equal(trace_next(&reader, &row), 1);
	assert_int_equal(row.pool.psi_some_avg10, BALLOON_PSI_ABSENT);
	assert_int_equal(row.in.phase, BALLOON_UP);
	assert_int_equal(row.demand.hot_kib, 7);
	assert_int_equal(trace_next(&reader, &row), 0);
}

static void test_round_trip(void **state)
{
	const struct trace_row row = {
		.time = 12345678000,
		.guest = "vm-mediakit",
		.pool = { .total_kib = 24 << 20,
			.available_kib = 3 << 20,
			.psi_some_avg10 = 1234,
			.reserve_kib = 1 << 20,
			.critical_kib = BALLOON_ABSENT },
		.in = { .phase = BALLOON_UNWELL,
			.tcg = true,
			.max_kib = 6 << 20,
			.min_kib = 2 << 20,
			.weight = 250,
			.actual_kib = 5 << 20,
			.rss_kib = 4 << 20,
			.usable_kib = BALLOON_ABSENT,
			.unused_kib = UINT64_MAX - 1,
			.caches_kib = 1,
			.swap_in_kib = 2,
			.swap_out_kib = 3,
			.major_faults = 4,
			.last_update_sec = 1700000000,
			.latency = 150250,
			.override_kib = 3 << 20,
			.idle_kib = 1 << 20,
			.limit_kib = 5 << 20 },
	};
	char text[2 * TRACE_LINE_MAX];
	struct trace_reader reader;
	struct trace_row again;

	(void)state;
	int head = trace_write_header(text, TRACE_LINE_MAX);
	assert_true(head > 0);
	int n = trace_write_row(text + head, TRACE_LINE_MAX, &row);
	assert_true(n > 0);
	assert_int_equal(trace_open(&reader, "t", text, (size_t)(head + n)), 0);
	assert_false(reader.demand);
	assert_int_equal(trace_next(&reader, &again), 1);
	assert_int_equal(again.time, row.time);
	assert_memory_equal(&again.in, &row.in, sizeof(row.in));
	assert_string_equal(again.guest, row.guest);
	assert_int_equal(again.pool.psi_some_avg10, 1234);
	assert_int_equal(again.pool.available_kib, 3 << 20);
	assert_int_equal(trace_write_row(text, 20, &row), -ENOSPC);
	assert_int_equal(trace_write_row(text, (size_t)n, &row), -ENOSPC);
}

/* The model keeps its books: nothing vanishes, whatever is asked of it. */
static void test_model(void **state)
{
	struct guestmem_input in = {
		.demand_kib = 1 << 20, .hot_kib = 1 << 19, .read_kib_s = 9999
	};
	struct guestmem g;

	(void)state;
	guestmem_boot(&g, 4 << 20, 0, true, &in);
	for (unsigned i = 0; i < 20000; i++) {
		in.demand_kib = (uint64_t)(i / 200 * 7919 % 5000) << 10;
		in.hot_kib = (uint64_t)(i / 90 * 104729 % 3000) << 10;
		guestmem_order(&g, (uint64_t)(i / 40 * 31337ul % 4200) << 10);
		guestmem_step(&g, &in, i * GUESTMEM_STEP, 2 * USEC_PER_SEC);
		uint64_t used = g.kernel_kib + g.anon_kib + g.hot_kib + g.cold_kib;
		assert_true(g.balloon_kib <= g.max_kib);
		assert_true(used <= guestmem_actual_kib(&g));
		assert_int_equal(used + guestmem_free_kib(&g) + g.balloon_kib, g.max_kib);
		assert_true(g.swapped_kib <= g.swap_size_kib);
		assert_true(g.touched_free_kib <= guestmem_free_kib(&g));
		assert_true(g.swap_in_kib <= g.swap_out_kib);
	}
	assert_true(g.swap_in_kib > 0);
	assert_true(g.major_faults > 0);
	/* Left alone with little to do it is well again. */
	in = (struct guestmem_input){ .demand_kib = 1 << 19 };
	guestmem_order(&g, UINT64_MAX);
	for (unsigned i = 0; i < 4000; i++)
		guestmem_step(&g, &in, (20000 + i) * GUESTMEM_STEP, 2 * USEC_PER_SEC);
	assert_int_equal(guestmem_actual_kib(&g), 4 << 20);
	assert_false(g.pressed);
}

/* A recorded trace is judged line by line and nothing is carried out. */
static struct balloon_decision told;
static void tell(void *userdata, usec_t now, size_t guest, const struct balloon_decision *d)
{
	(void)userdata, (void)now, (void)guest;
	told = *d;
}

static void test_recorded(void **state)
{
	static const char text[] =
		"time,guest,host_total,host_available,max,min,actual,usable,unused,caches,"
		"last_update\n"
		"0,a,16777216,1000000,4194304,1048576,4194304,3000000,2000000,1000000,100\n"
		"2,a,16777216,1000000,4194304,1048576,4194304,3000000,2000000,1000000,102\n";
	static struct replay replay;
	static struct replay_policy policy;
	const struct balloon_pool defaults = { .reserve_kib = 1 << 20, .critical_kib = 1 << 19 };
	struct replay_controller controller;
	struct trace_reader reader;

	(void)state;
	replay_policy_init(&policy, &balloon_policy_default, &controller);
	policy.told = tell;
	assert_int_equal(trace_open(&reader, "t", text, sizeof(text) - 1), 0);
	assert_int_equal(replay_recorded(&replay, &reader, &defaults, &controller), 0);
	assert_int_equal(told.action, BALLOON_SHRINK);
	assert_int_equal(told.reason, BALLOON_HOST_NEED);
	assert_int_equal(policy.memory[0].ordered_kib, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_recorded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
