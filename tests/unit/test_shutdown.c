/* SPDX-License-Identifier: Apache-2.0 */
/* The ladder: what is done when, with and without an agent, and at the budget's end. */
/* LINK: base/time policy/shutdown */
#include "policy/shutdown.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macro.h"

#define S USEC_PER_SEC
#define T0 (500 * S)

static void test_nothing_runs(void **state)
{
	struct shutdown s = { 0 };

	(void)state;
	assert_int_equal(shutdown_step(&s, false, T0), RUNG_NONE);
	assert_int_equal(shutdown_step(&s, true, USEC_INFINITY), RUNG_NONE);
}

/* A press is lost until logind runs, so it is repeated; then the power is cut, exactly at the
 * end, once per 30 s. */
static void test_acpi(void **state)
{
	struct shutdown s;
	usec_t now = T0;
	unsigned presses = 0;

	(void)state;
	shutdown_begin(&s, 180 * S, now);
	while (now < T0 + 180 * S) {
		assert_int_equal(shutdown_step(&s, false, now), RUNG_ACPI);
		assert_int_equal(s.presses, ++presses);
		/* Asked again too early, it does nothing. */
		assert_int_equal(shutdown_step(&s, false, now + 1), RUNG_NONE);
		assert_int_equal(shutdown_step(&s, true, s.next - 1), RUNG_NONE);
		assert_int_equal(s.next, now + SHUTDOWN_PRESS_EVERY);
		now = s.next;
	}
	assert_int_equal(presses, 36);
	assert_int_equal(now, T0 + 180 * S);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(shutdown_step(&s, true, now), RUNG_DESTROY);
		assert_int_equal(s.rung, RUNG_DESTROY);
		assert_int_equal(s.next, now + SHUTDOWN_DESTROY_EVERY);
		now = s.next;
	}
	assert_int_equal(s.presses, 36);
}

/* A budget that is no multiple of the interval is not overdrawn. */
static void test_budget_end(void **state)
{
	static const usec_t budgets[] = { 0, 1, 3 * S, 7 * S, 12 * S };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(budgets); i++) {
		struct shutdown s;
		usec_t now = T0;

		shutdown_begin(&s, budgets[i], now);
		while (shutdown_step(&s, false, now) != RUNG_DESTROY)
			now = s.next;
		assert_int_equal(now, T0 + budgets[i]);
	}
}

static void test_agent_first(void **state)
{
	struct shutdown s;

	(void)state;
	shutdown_begin(&s, 60 * S, T0);
	assert_int_equal(shutdown_step(&s, true, T0), RUNG_AGENT);
	assert_int_equal(s.presses, 0);
	assert_int_equal(shutdown_step(&s, true, T0 + 5 * S), RUNG_ACPI);
	assert_int_equal(shutdown_step(&s, true, T0 + 10 * S), RUNG_ACPI);
	/* An agent that comes up later is not needed any more: the button works by then. */
	shutdown_begin(&s, 60 * S, T0);
	assert_int_equal(shutdown_step(&s, false, T0), RUNG_ACPI);
	assert_int_equal(shutdown_step(&s, true, T0 + 5 * S), RUNG_ACPI);
}

static void test_force(void **state)
{
	struct shutdown s = { 0 };

	(void)state;
	/* Without a ladder, a kill is one rung. */
	shutdown_force(&s, T0);
	assert_int_equal(shutdown_step(&s, true, T0), RUNG_DESTROY);
	/* In the middle of one, it keeps when it began, for the record. */
	shutdown_begin(&s, 180 * S, T0);
	(void)shutdown_step(&s, false, T0);
	shutdown_force(&s, T0 + 2 * S);
	assert_int_equal(s.began, T0);
	assert_int_equal(shutdown_step(&s, false, T0 + 2 * S), RUNG_DESTROY);
}

/* The host was suspended in the middle: one look, one press, and the budget is what is left of
 * it. */
static void test_late(void **state)
{
	struct shutdown s;
	usec_t now = T0 + USEC_PER_HOUR;

	(void)state;
	shutdown_begin(&s, 180 * S, T0);
	assert_int_equal(shutdown_step(&s, false, T0), RUNG_ACPI);
	assert_int_equal(s.next, T0 + 5 * S);
	assert_int_equal(shutdown_step(&s, false, now), RUNG_ACPI);
	assert_int_equal(s.presses, 2);
	assert_int_equal(s.next, now + 5 * S);
	while (shutdown_step(&s, false, now) != RUNG_DESTROY)
		now = s.next;
	assert_int_equal(now, T0 + USEC_PER_HOUR + 175 * S);
	/* A loop that is a little behind is no suspend. */
	shutdown_begin(&s, 60 * S, T0);
	(void)shutdown_step(&s, false, T0);
	(void)shutdown_step(&s, false, T0 + 9 * S);
	assert_int_equal(s.budget, 60 * S);
	/* A kill is a kill. */
	shutdown_force(&s, T0 + 10 * S);
	assert_int_equal(shutdown_step(&s, false, T0 + USEC_PER_HOUR), RUNG_DESTROY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_runs),
		cmocka_unit_test(test_acpi),
		cmocka_unit_test(test_budget_end),
		cmocka_unit_test(test_agent_first),
		cmocka_unit_test(test_force),
		cmocka_unit_test(test_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
