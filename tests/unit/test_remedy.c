/* SPDX-License-Identifier: Apache-2.0 */
/* When a unit and when a guest is restarted to heal it, and above all when not. */
/* LINK: base/time policy/remedy */
#include "policy/remedy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/macro.h"

#define S USEC_PER_SEC

#define UP   REMEDY_SEES_UP
#define DOWN REMEDY_SEES_DOWN
#define NONE REMEDY_SEES_NOTHING

static const struct remedy_unit_policy usual = {
	.after = 60 * S, .limit = 2, .window = 1800 * S, .stable_after = 600 * S
};

/* One life of a unit, second by second where something matters. An ACT is followed by the act. */
static void test_unit(void **state)
{
	/* clang-format off */
	static const struct {
		unsigned at;
		enum remedy_sight sight;
		bool held;
		enum remedy_step step;
		unsigned next; /* 0: no time of its own */
	} rows[] = {
		{ 100, UP,   false, REMEDY_WELL,  0 },
		{ 110, NONE, false, REMEDY_WELL,  0 },
		{ 120, DOWN, false, REMEDY_WAIT,  180 },
		{ 179, DOWN, false, REMEDY_WAIT,  180 },
		/* Up for a moment: the time begins anew. */
		{ 179, UP,   false, REMEDY_WELL,  0 },
		{ 180, DOWN, false, REMEDY_WAIT,  240 },
		/* A doubt does the same. */
		{ 200, DOWN, true,  REMEDY_HOLD,  0 },
		{ 239, DOWN, true,  REMEDY_HOLD,  0 },
		{ 240, DOWN, false, REMEDY_WAIT,  300 },
		{ 250, NONE, false, REMEDY_WELL,  0 },
		{ 260, DOWN, false, REMEDY_WAIT,  320 },
		{ 320, DOWN, false, REMEDY_ACT,   320 },
		/* Its counter is reset by its own act: the first miss after it is no ACT, and
		 * the wait is doubled. */
		{ 321, NONE, false, REMEDY_WELL,  0 },
		{ 400, DOWN, false, REMEDY_WAIT,  520 },
		{ 519, DOWN, false, REMEDY_WAIT,  520 },
		{ 520, DOWN, false, REMEDY_ACT,   520 },
		/* The budget is spent until the window that began at 320 ends. */
		{ 600, DOWN, false, REMEDY_SPENT, 2120 },
		{ 900, DOWN, true,  REMEDY_HOLD,  0 },
		{ 999, DOWN, false, REMEDY_SPENT, 2120 },
		{ 2119, DOWN, false, REMEDY_SPENT, 2120 },
		{ 2120, DOWN, false, REMEDY_ACT,  1059 },
		/* Up for long enough gives the budget back, and not before. */
		{ 2130, UP,  false, REMEDY_WELL,  2730 },
		{ 2729, UP,  false, REMEDY_WELL,  2730 },
		{ 2730, UP,  false, REMEDY_WELL,  0 },
		{ 2740, DOWN, false, REMEDY_WAIT, 2800 },
	};
	/* clang-format on */
	struct remedy_unit u = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		usec_t at, now = rows[i].at * S;
		enum remedy_step step =
			remedy_unit_step(&u, &usual, rows[i].sight, rows[i].held, now, &at);

		if (step != rows[i].step)
			fail_msg("at %u: %s and not %s", rows[i].at, remedy_step_to_string(step),
				remedy_step_to_string(rows[i].step));
		assert_int_equal(at, rows[i].next ? rows[i].next * S : USEC_INFINITY);
		if (step == REMEDY_ACT)
			remedy_unit_acted(&u, now);
	}
}

static void test_wait_is_capped(void **state)
{
	struct remedy_unit_policy policy = usual;
	struct remedy_unit u = { .n = 9, .window_began = 100 * S };
	usec_t at;

	(void)state;
	policy.limit = 10;
	policy.window = USEC_PER_DAY;
	(void)remedy_unit_step(&u, &policy, DOWN, false, 1000 * S, &at);
	assert_int_equal(at, 1000 * S + REMEDY_WAIT_MAX);
	policy.after = 2 * REMEDY_WAIT_MAX;
	(void)remedy_unit_step(&u, &policy, DOWN, false, 1000 * S, &at);
	assert_int_equal(at, 1000 * S + 2 * REMEDY_WAIT_MAX);
}

static void test_quorum(void **state)
{
	/* clang-format off */
	static const struct {
		unsigned percent, active, down;
		enum remedy_step step;
	} rows[] = {
		{ 100, 6, 6, REMEDY_WAIT }, { 100, 6, 5, REMEDY_WELL }, { 100, 0, 0, REMEDY_WELL },
		{ 50,  6, 3, REMEDY_WAIT }, { 50,  6, 2, REMEDY_WELL }, { 50,  5, 2, REMEDY_WELL },
		{ 67,  3, 2, REMEDY_WELL }, { 66,  3, 2, REMEDY_WAIT }, { 1,   6, 0, REMEDY_WELL },
		{ 1,   6, 1, REMEDY_WAIT }, { 0,   6, 5, REMEDY_WELL }, { 0,   6, 6, REMEDY_WAIT },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct remedy_quorum_policy policy = { .percent = rows[i].percent,
			.after = 900 * S };
		struct remedy_quorum_input in = {
			.now = 50 * S, .active = rows[i].active, .down = rows[i].down
		};
		usec_t since = 0, at;

		assert_int_equal(remedy_quorum_step(&since, &policy, &in, &at), rows[i].step);
		if (rows[i].step != REMEDY_WAIT)
			continue;
		assert_int_equal(at, 950 * S);
		in.now = at - 1;
		assert_int_equal(remedy_quorum_step(&since, &policy, &in, &at), REMEDY_WAIT);
		in.held = true;
		assert_int_equal(remedy_quorum_step(&since, &policy, &in, &at), REMEDY_HOLD);
		in.held = false;
		in.now = 2000 * S;
		assert_int_equal(remedy_quorum_step(&since, &policy, &in, &at), REMEDY_WAIT);
		assert_int_equal(at, 2900 * S);
		in.now = at;
		assert_int_equal(remedy_quorum_step(&since, &policy, &in, &at), REMEDY_ACT);
		/* Reset by its own act. */
		assert_int_equal(remedy_quorum_step(&since, &policy, &in, &at), REMEDY_WAIT);
	}
}

/* Random sights: no act without the whole time of unbroken sight before it, never more than twice
 * the budget in any window, and every time given lies ahead. */
static void test_any_sequence(void **state)
{
	const char *given = getenv("SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);

	(void)state;
	print_message("SEED=%u\n", seed);
	srandom(seed);
	for (unsigned round = 0; round < 500; round++) {
		const struct remedy_unit_policy policy = {
			.after = (usec_t)(10 + random() % 300) * S,
			.limit = 1 + (unsigned)random() % 5,
			.window = (usec_t)(60 + random() % 4000) * S,
			.stable_after = USEC_PER_DAY,
		};
		usec_t now = (usec_t)(random() % 100) * S, unbroken = USEC_INFINITY, acts[400];
		struct remedy_unit u = { 0 };
		unsigned n_acts = 0;

		for (unsigned i = 0; i < 400; i++) {
			unsigned die = (unsigned)random() % 40;
			enum remedy_sight sight = die == 0 ? UP : die == 1 ? NONE : DOWN;
			bool held = die == 2;
			usec_t at;

			now += (usec_t)(random() % 60) * S;
			enum remedy_step step =
				remedy_unit_step(&u, &policy, sight, held, now, &at);
			if (sight != DOWN || held)
				unbroken = USEC_INFINITY;
			else
				unbroken = MIN(unbroken, now);
			assert_true(step == REMEDY_ACT || at > now);
			assert_int_equal(step == REMEDY_HOLD, sight == DOWN && held);
			if (step != REMEDY_ACT)
				continue;
			assert_true(now >= unbroken + policy.after);
			unsigned inside = 1;
			for (unsigned k = 0; k < n_acts; k++)
				inside += acts[k] + policy.window > now;
			assert_true(inside <= 2 * policy.limit);
			acts[n_acts++] = now;
			remedy_unit_acted(&u, now);
			unbroken = USEC_INFINITY;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unit),
		cmocka_unit_test(test_wait_is_capped),
		cmocka_unit_test(test_quorum),
		cmocka_unit_test(test_any_sequence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
