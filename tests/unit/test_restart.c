/* SPDX-License-Identifier: Apache-2.0 */
/* What follows from each cause, the back-off, the budget and when it is forgotten. */
/* LINK: base/time policy/restart */
#include "policy/restart.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/macro.h"

#define S USEC_PER_SEC

#define DEFAULTS                                                                                   \
	{                                                                                          \
		[ON_POWEROFF] = RESTART_STAY, [ON_TERMINATED] = RESTART_AGAIN,                     \
		[ON_DESTROY] = RESTART_STAY, [ON_PANIC] = RESTART_AGAIN,                           \
		[ON_CRASH] = RESTART_AGAIN, [ON_MEMORY_KILL] = RESTART_AGAIN,                      \
		[ON_BOOT_FAILURE] = RESTART_AGAIN, [ON_WATCHDOG] = RESTART_STAY,                   \
	}

/* clang-format off */
static const struct {
	enum exit_cause cause;
	bool fault, restarts; /* by default */
	const char *key;      /* that turns it round */
	enum spec_on on;
} rows[] = {
	{ CAUSE_NONE,           false, false, NULL, 0 },
	{ CAUSE_OPERATOR,       false, false, NULL, 0 },
	{ CAUSE_GUEST_POWEROFF, false, false, "OnPowerOff", ON_POWEROFF },
	{ CAUSE_GUEST_REBOOT,   false, false, NULL, 0 },
	{ CAUSE_GUEST_PANIC,    true,  true,  "OnPanic", ON_PANIC },
	{ CAUSE_BOOT_DEAD,      true,  true,  "OnBootFailure", ON_BOOT_FAILURE },
	{ CAUSE_BOOT_STUCK,     true,  true,  NULL, 0 },
	{ CAUSE_WATCHDOG,       true,  true,  NULL, 0 },
	{ CAUSE_REMEDY,         true,  true,  NULL, 0 },
	{ CAUSE_QEMU_CRASHED,   true,  true,  "OnCrash", ON_CRASH },
	{ CAUSE_TERMINATED,     true,  true,  "OnTerminated", ON_TERMINATED },
	{ CAUSE_DESTROYED,      false, false, "OnDestroy", ON_DESTROY },
	{ CAUSE_MEMORY_KILL,    true,  true,  "OnMemoryKill", ON_MEMORY_KILL },
	{ CAUSE_START_FAILED,   true,  true,  "OnBootFailure", ON_BOOT_FAILURE },
	{ CAUSE_ADOPTED_DEAD,   true,  true,  "OnCrash", ON_CRASH },
	{ CAUSE_SAVED,          false, false, NULL, 0 },
	{ CAUSE_UNKNOWN,        true,  true,  "OnCrash", ON_CRASH },
};
/* clang-format on */

/* Every cause has its row; its key alone turns it round, and the others do not. */
static void test_causes(void **state)
{
	(void)state;
	assert_int_equal(ARRAY_SIZE(rows), CAUSE_NUM);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		enum spec_restart on[ON_NUM] = DEFAULTS;
		const char *key = "unset";

		assert_int_equal(rows[i].cause, i);
		assert_int_equal(cause_is_fault(i), rows[i].fault);
		assert_int_equal(cause_restarts(i, on, &key), rows[i].restarts);
		assert_int_equal(!key, !rows[i].key);
		if (key)
			assert_string_equal(key, rows[i].key);
		for (unsigned k = 0; k < ON_NUM; k++) {
			bool mine = rows[i].key && k == rows[i].on;

			on[k] = on[k] == RESTART_STAY ? RESTART_AGAIN : RESTART_STAY;
			assert_int_equal(cause_restarts(i, on, NULL), rows[i].restarts != mine);
			on[k] = on[k] == RESTART_STAY ? RESTART_AGAIN : RESTART_STAY;
		}
		assert_int_equal(!cause_words(i)[0], i == CAUSE_NONE || i == CAUSE_OPERATOR);
	}
}

/* What stays down counts nothing, and is not given a time. */
static void test_stay(void **state)
{
	const struct restart_policy policy = { .limit = 1, .window = 600 * S, .on = DEFAULTS };
	struct restart r = { 0 };
	usec_t at = 77;

	(void)state;
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(
			restart_after_exit(&r, &policy, CAUSE_GUEST_POWEROFF, i * S, 0, &at),
			RESTART_STEP_STAY);
	assert_int_equal(at, 77);
	assert_int_equal(r.n_faults, 0);
	assert_true(restart_affordable(&r, &policy, 20 * S));
	assert_int_equal(restart_after_exit(&r, &policy, CAUSE_QEMU_CRASHED, 20 * S, 0, &at),
		RESTART_STEP_AGAIN);
	assert_false(restart_affordable(&r, &policy, 20 * S));
	assert_false(restart_affordable(&r, &policy, 619 * S));
	assert_true(restart_affordable(&r, &policy, 620 * S));
	assert_int_equal(restart_inside(&r, policy.window, 619 * S), 1);
	assert_int_equal(restart_inside(&r, policy.window, 620 * S), 0);
	assert_int_equal(r.n_faults, 1);
}

/* A crash, as most rows below need one. */
static bool crash(struct restart *r, const struct restart_policy *policy, usec_t now, double jitter,
	usec_t *ret_at)
{
	struct restart_policy p = *policy;
	enum restart_step step;

	p.on[ON_CRASH] = RESTART_AGAIN;
	step = restart_after_exit(r, &p, CAUSE_QEMU_CRASHED, now, jitter, ret_at);
	assert_int_not_equal(step, RESTART_STEP_STAY);
	return step == RESTART_STEP_AGAIN;
}

static void test_backoff(void **state)
{
	static const usec_t delays[] = { 1 * S, 2 * S, 4 * S, 8 * S, 16 * S, 32 * S, 60 * S, 60 * S,
		60 * S };
	const struct restart_policy policy = { .limit = 9, .window = USEC_PER_DAY };
	struct restart r = { 0 };
	usec_t now = 1000 * S, at;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(delays); i++) {
		assert_true(crash(&r, &policy, now, 0, &at));
		assert_int_equal(at, now + delays[i]);
		now = at + 10 * S;
	}
	at = 77;
	assert_false(crash(&r, &policy, now, 0, &at));
	assert_int_equal(at, 77);
}

static void test_jitter(void **state)
{
	const struct restart_policy policy = { .limit = 15, .window = USEC_PER_DAY };
	usec_t at;

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		struct restart r = { 0 };

		assert_true(crash(&r, &policy, 0, i / 100.0, &at));
		assert_in_range(at, RESTART_DELAY_MIN, RESTART_DELAY_MIN + RESTART_DELAY_MIN / 4);
	}
}

/* Only what lies inside the window counts, and its edge is outside. */
static void test_window(void **state)
{
	const struct restart_policy policy = { .limit = 3, .window = 600 * S };
	struct restart r = { 0 };
	usec_t at;

	(void)state;
	assert_true(crash(&r, &policy, 1000 * S, 0, &at));
	assert_true(crash(&r, &policy, 1100 * S, 0, &at));
	assert_true(crash(&r, &policy, 1200 * S, 0, &at));
	/* The first is exactly as old as the window. */
	assert_true(crash(&r, &policy, 1600 * S, 0, &at));
	assert_int_equal(r.n_faults, 3);
	assert_int_equal(at, 1604 * S);
	assert_false(crash(&r, &policy, 1601 * S, 0, &at));
	/* A quiet hour, and the delay is short again. */
	assert_true(crash(&r, &policy, 5000 * S, 0, &at));
	assert_int_equal(at, 5001 * S);
}

static void test_clear(void **state)
{
	const struct restart_policy policy = { .limit = 1, .window = 600 * S };
	struct restart r = { 0 };
	usec_t at;

	(void)state;
	assert_true(crash(&r, &policy, 1 * S, 0, &at));
	assert_false(crash(&r, &policy, 2 * S, 0, &at));
	restart_clear(&r);
	assert_true(crash(&r, &policy, 3 * S, 0, &at));
	assert_int_equal(at, 4 * S);
}

/* Well for long enough, and only then: told well, unwell, well again, or asked too early. */
static void test_settle(void **state)
{
	const struct restart_policy policy = {
		.limit = 3, .window = USEC_PER_DAY, .stable_after = 600 * S
	};
	struct restart r = { 0 };
	usec_t at, due;

	(void)state;
	/* Nothing on record: nothing to forget, and no timer for it. */
	assert_false(restart_settle(&r, &policy, true, 10 * S, &due));
	assert_int_equal(due, USEC_INFINITY);
	assert_true(crash(&r, &policy, 1000 * S, 0, &at));
	assert_true(crash(&r, &policy, 1010 * S, 0, &at));
	/* That it was well before does not count. */
	assert_false(restart_settle(&r, &policy, true, 1100 * S, &due));
	assert_int_equal(due, 1700 * S);
	assert_false(restart_settle(&r, &policy, true, 1699 * S, &due));
	assert_int_equal(due, 1700 * S);
	assert_false(restart_settle(&r, &policy, false, 1699 * S, &due));
	assert_int_equal(due, USEC_INFINITY);
	assert_false(restart_settle(&r, &policy, true, 1701 * S, &due));
	assert_int_equal(due, 2301 * S);
	assert_int_equal(r.n_faults, 2);
	assert_true(restart_settle(&r, &policy, true, 2301 * S, &due));
	assert_int_equal(due, USEC_INFINITY);
	assert_int_equal(r.n_faults, 0);
	assert_false(restart_settle(&r, &policy, true, 9000 * S, &due));
	/* The first delay again. */
	assert_true(crash(&r, &policy, 9000 * S, 0, &at));
	assert_int_equal(at, 9001 * S);
}

/* Random ends, in random order, at random times: never more than Limit restarts in any window
 * without a stable period or a clear between them, a delay inside its bounds, the history sorted.
 */
static void test_any_sequence(void **state)
{
	const char *given = getenv("SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);

	(void)state;
	print_message("SEED=%u\n", seed);
	srandom(seed);
	for (unsigned round = 0; round < 500; round++) {
		struct restart_policy policy = { .limit = (unsigned)random() % 16,
			.window = (usec_t)(1 + random() % 4000) * S,
			.stable_after = (usec_t)(1 + random() % 4000) * S };
		usec_t now = (usec_t)(random() % 100) * S, at, due, given_at[300];
		unsigned n_given = 0, since_clear = 0;
		struct restart r = { 0 };

		for (unsigned k = 0; k < ON_NUM; k++)
			policy.on[k] = random() % 2 ? RESTART_AGAIN : RESTART_STAY;
		for (unsigned i = 0; i < 300; i++) {
			enum exit_cause cause = (enum exit_cause)((unsigned)random() % CAUSE_NUM);

			now += (usec_t)(random() % 600) * S;
			if (random() % 50 == 0) {
				restart_clear(&r);
				since_clear = n_given;
			}
			if (restart_settle(&r, &policy, random() % 8 != 0, now, &due))
				since_clear = n_given;
			bool affordable = restart_affordable(&r, &policy, now);
			enum restart_step step = restart_after_exit(
				&r, &policy, cause, now, (double)(random() % 100) / 100, &at);
			assert_int_equal(
				step == RESTART_STEP_STAY, !cause_restarts(cause, policy.on, NULL));
			if (step != RESTART_STEP_STAY)
				assert_int_equal(step == RESTART_STEP_AGAIN, affordable);
			if (step != RESTART_STEP_AGAIN)
				continue;
			assert_in_range(at, now + RESTART_DELAY_MIN,
				now + RESTART_DELAY_MAX + RESTART_DELAY_MAX / 4);
			given_at[n_given++] = now;
			unsigned inside = 0;
			for (unsigned k = since_clear; k < n_given; k++)
				inside += given_at[k] + policy.window > now;
			assert_true(inside <= policy.limit);
			for (unsigned k = 1; k < r.n_faults; k++)
				assert_true(r.faults[k - 1] <= r.faults[k]);
		}
	}
}

/* Whatever the configuration and the state file say, the array's end holds and it ends some
 * time. */
static void test_bounds(void **state)
{
	static const unsigned limits[] = { 0, 1, 15, 16, 17, 1000, UINT32_MAX };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		const struct restart_policy policy = { .limit = limits[i],
			.window = USEC_INFINITY };
		struct restart r = { 0 };
		unsigned starts = 0;
		usec_t at;

		while (starts < 100 && crash(&r, &policy, starts * S, 0.99, &at))
			starts++;
		assert_int_equal(starts, MIN(limits[i], RESTART_HISTORY_MAX - 1));
		assert_true(r.n_faults <= RESTART_HISTORY_MAX);
		for (unsigned k = 0; k < 50; k++)
			assert_false(crash(&r, &policy, (200 + k) * S, 0, &at));
		assert_true(r.n_faults <= RESTART_HISTORY_MAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_causes),
		cmocka_unit_test(test_stay),
		cmocka_unit_test(test_settle),
		cmocka_unit_test(test_any_sequence),
		cmocka_unit_test(test_backoff),
		cmocka_unit_test(test_jitter),
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_clear),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
