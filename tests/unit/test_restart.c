/* SPDX-License-Identifier: Apache-2.0 */
/* Which ends are faults, the back-off, and the budget of faults. */
/* LINK: base/time policy/restart */
#include "policy/restart.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macro.h"

#define S USEC_PER_SEC

/* A person or the guest itself wanted it: it stays down, as with Restart=on-failure. */
static void test_causes(void **state)
{
	static const enum exit_cause wanted[] = { CAUSE_NONE, CAUSE_OPERATOR, CAUSE_GUEST_POWEROFF,
		CAUSE_DESTROYED, CAUSE_SAVED };
	unsigned faults = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		assert_false(cause_is_fault(wanted[i]));
	for (unsigned c = 0; c < CAUSE_NUM; c++)
		faults += cause_is_fault(c);
	assert_int_equal(faults, CAUSE_NUM - ARRAY_SIZE(wanted));
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
		assert_true(restart_after_fault(&r, &policy, now, 0, &at));
		assert_int_equal(at, now + delays[i]);
		now = at + 10 * S;
	}
	at = 77;
	assert_false(restart_after_fault(&r, &policy, now, 0, &at));
	assert_int_equal(at, 77);
}

static void test_jitter(void **state)
{
	const struct restart_policy policy = { .limit = 15, .window = USEC_PER_DAY };
	usec_t at;

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		struct restart r = { 0 };

		assert_true(restart_after_fault(&r, &policy, 0, i / 100.0, &at));
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
	assert_true(restart_after_fault(&r, &policy, 1000 * S, 0, &at));
	assert_true(restart_after_fault(&r, &policy, 1100 * S, 0, &at));
	assert_true(restart_after_fault(&r, &policy, 1200 * S, 0, &at));
	/* The first is exactly as old as the window. */
	assert_true(restart_after_fault(&r, &policy, 1600 * S, 0, &at));
	assert_int_equal(r.n_faults, 3);
	assert_int_equal(at, 1604 * S);
	assert_false(restart_after_fault(&r, &policy, 1601 * S, 0, &at));
	/* A quiet hour, and the delay is short again. */
	assert_true(restart_after_fault(&r, &policy, 5000 * S, 0, &at));
	assert_int_equal(at, 5001 * S);
}

static void test_clear(void **state)
{
	const struct restart_policy policy = { .limit = 1, .window = 600 * S };
	struct restart r = { 0 };
	usec_t at;

	(void)state;
	assert_true(restart_after_fault(&r, &policy, 1 * S, 0, &at));
	assert_false(restart_after_fault(&r, &policy, 2 * S, 0, &at));
	restart_clear(&r);
	assert_true(restart_after_fault(&r, &policy, 3 * S, 0, &at));
	assert_int_equal(at, 4 * S);
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

		while (starts < 100 && restart_after_fault(&r, &policy, starts * S, 0.99, &at))
			starts++;
		assert_int_equal(starts, MIN(limits[i], RESTART_HISTORY_MAX - 1));
		assert_true(r.n_faults <= RESTART_HISTORY_MAX);
		for (unsigned k = 0; k < 50; k++)
			assert_false(restart_after_fault(&r, &policy, (200 + k) * S, 0, &at));
		assert_true(r.n_faults <= RESTART_HISTORY_MAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_causes),
		cmocka_unit_test(test_backoff),
		cmocka_unit_test(test_jitter),
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_clear),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
