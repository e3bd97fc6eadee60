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

#define S  USEC_PER_SEC
#define T0 (500 * S)

static const struct shutdown_budget budget = { .agent = 5 * S, .guest = 180 * S, .quit = 15 * S };
static const struct shutdown_sight nothing, agent = { .agent_connected = true },
					    paused = { .paused = true, .agent_connected = true };

/* Follows s->next from `now` on while it sees `see`, and checks the rungs and when they come. */
struct step {
	usec_t at;
	enum shutdown_rung rung;
};

static void check_steps(
	struct shutdown *s, const struct shutdown_sight *see, const struct step *steps, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		usec_t now = T0 + steps[i].at;

		assert_int_equal(s->next, now);
		if (now > T0)
			assert_int_equal(shutdown_step(s, see, now - 1), RUNG_NONE);
		assert_int_equal(shutdown_step(s, see, now), steps[i].rung);
		assert_int_equal(s->rung, steps[i].rung);
		assert_int_equal(shutdown_step(s, see, now), RUNG_NONE);
	}
}

static void test_nothing_runs(void **state)
{
	struct shutdown s = { 0 };

	(void)state;
	assert_int_equal(shutdown_step(&s, &nothing, T0), RUNG_NONE);
	assert_int_equal(shutdown_step(&s, &agent, USEC_INFINITY), RUNG_NONE);
	assert_int_equal(shutdown_end(&s), 0);
	shutdown_refused(&s, T0);
	assert_int_equal(s.began, 0);
}

/* A press is lost until logind runs, so it is repeated; then QEMU is asked, and killed, exactly
 * when the spans end, and again every 30 s. */
static void test_acpi(void **state)
{
	static const struct step end[] = { { 180 * S, RUNG_QUIT }, { 195 * S, RUNG_DESTROY },
		{ 225 * S, RUNG_DESTROY }, { 255 * S, RUNG_DESTROY } };
	struct shutdown s;
	usec_t now = T0;

	(void)state;
	shutdown_begin(&s, &budget, now);
	assert_int_equal(shutdown_end(&s), T0 + 210 * S);
	assert_int_equal(shutdown_total(&budget), 210 * S);
	for (unsigned presses = 1; now < T0 + 180 * S; presses++) {
		const struct step step = { now - T0, RUNG_ACPI };

		check_steps(&s, &nothing, &step, 1);
		assert_int_equal(s.presses, presses);
		now += SHUTDOWN_PRESS_EVERY;
	}
	assert_int_equal(s.presses, 36);
	check_steps(&s, &agent, end, ARRAY_SIZE(end));
	assert_int_equal(s.presses, 36);
	assert_int_equal(shutdown_end(&s), T0 + 210 * S);
}

/* SIGTERM would not be heard, and waiting for that would outlast the budget. */
static void test_qemu_hangs(void **state)
{
	static const struct shutdown_sight hangs = { .qemu_hangs = true };
	static const struct step press = { 0, RUNG_ACPI };
	static const struct step end[] = { { 3 * S, RUNG_DESTROY }, { 33 * S, RUNG_DESTROY } };
	const struct shutdown_budget b = { .guest = 3 * S, .quit = 15 * S };
	struct shutdown s;

	(void)state;
	shutdown_begin(&s, &b, T0);
	check_steps(&s, &hangs, &press, 1);
	check_steps(&s, &hangs, end, ARRAY_SIZE(end));
}

/* Spans that are no multiple of the interval are not overdrawn; one of nothing is left out. */
static void test_budget_end(void **state)
{
	static const usec_t budgets[] = { 0, 1, 3 * S, 7 * S, 12 * S };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(budgets) * ARRAY_SIZE(budgets); i++) {
		const struct shutdown_budget b = { .guest = budgets[i / ARRAY_SIZE(budgets)],
			.quit = budgets[i % ARRAY_SIZE(budgets)] };
		struct shutdown s;
		usec_t now = T0;
		unsigned quits = 0;

		shutdown_begin(&s, &b, now);
		while (shutdown_step(&s, &nothing, now) != RUNG_DESTROY) {
			if (s.rung == RUNG_QUIT) {
				assert_int_equal(now, T0 + b.guest);
				quits++;
			}
			now = s.next;
		}
		assert_int_equal(quits, b.quit > 0);
		assert_int_equal(now, T0 + b.guest + b.quit);
	}
}

static void test_agent_first(void **state)
{
	static const struct step steps[] = { { 0, RUNG_AGENT }, { 7 * S, RUNG_ACPI },
		{ 12 * S, RUNG_ACPI } };
	struct shutdown_budget b = budget;
	struct shutdown s;

	(void)state;
	b.agent = 7 * S;
	shutdown_begin(&s, &b, T0);
	check_steps(&s, &agent, steps, ARRAY_SIZE(steps));
	assert_int_equal(s.presses, 2);
	/* An agent that comes up later is not needed any more: the button works by then. */
	shutdown_begin(&s, &b, T0);
	assert_int_equal(shutdown_step(&s, &nothing, T0), RUNG_ACPI);
	assert_int_equal(shutdown_step(&s, &agent, T0 + 5 * S), RUNG_ACPI);
	/* Its time ends with the guest's. */
	b.agent = USEC_PER_HOUR;
	shutdown_begin(&s, &b, T0);
	assert_int_equal(shutdown_step(&s, &agent, T0), RUNG_AGENT);
	assert_int_equal(s.next, T0 + 180 * S);
	/* One that gets no time is asked all the same. */
	b.agent = 0;
	shutdown_begin(&s, &b, T0);
	assert_int_equal(shutdown_step(&s, &agent, T0), RUNG_AGENT);
	assert_int_equal(shutdown_step(&s, &agent, T0), RUNG_ACPI);
}

static void test_agent_refuses(void **state)
{
	struct shutdown s;

	(void)state;
	shutdown_begin(&s, &budget, T0);
	assert_int_equal(shutdown_step(&s, &agent, T0), RUNG_AGENT);
	shutdown_refused(&s, T0 + S);
	assert_int_equal(shutdown_step(&s, &agent, T0 + S), RUNG_ACPI);
	/* Said late, it brings no press forward. */
	shutdown_refused(&s, T0 + 2 * S);
	assert_int_equal(s.next, T0 + 6 * S);
}

/* A paused guest hears nothing: it is let run, and then the ladder is as ever. */
static void test_paused(void **state)
{
	static const struct step stuck[] = { { 0, RUNG_RESUME }, { S, RUNG_RESUME } };
	struct shutdown s;

	(void)state;
	shutdown_begin(&s, &budget, T0);
	check_steps(&s, &paused, stuck, ARRAY_SIZE(stuck));
	assert_int_equal(shutdown_step(&s, &agent, T0 + 2 * S), RUNG_AGENT);
	/* Paused again in the middle. */
	assert_int_equal(shutdown_step(&s, &paused, T0 + 7 * S), RUNG_RESUME);
	assert_int_equal(shutdown_step(&s, &agent, T0 + 8 * S), RUNG_ACPI);
	/* One that cannot run does not hold up the end. */
	while (s.rung != RUNG_QUIT)
		(void)shutdown_step(&s, &paused, s.next);
	assert_int_equal(s.next, T0 + 195 * S);
	assert_int_equal(shutdown_step(&s, &paused, s.next), RUNG_DESTROY);
}

static void test_force(void **state)
{
	struct shutdown s = { 0 };

	(void)state;
	/* Without a ladder, a kill is one rung. */
	shutdown_force(&s, T0);
	assert_int_equal(shutdown_end(&s), T0 + SHUTDOWN_DESTROY_TAKES);
	assert_int_equal(shutdown_step(&s, &paused, T0), RUNG_DESTROY);
	/* In the middle of one, it keeps when it began, for the record. */
	shutdown_begin(&s, &budget, T0);
	(void)shutdown_step(&s, &nothing, T0);
	shutdown_force(&s, T0 + 2 * S);
	assert_int_equal(s.began, T0);
	assert_int_equal(shutdown_end(&s), T0 + 2 * S + SHUTDOWN_DESTROY_TAKES);
	assert_int_equal(shutdown_step(&s, &agent, T0 + 2 * S), RUNG_DESTROY);
	/* A second kill repeats it, and does not put the end off. */
	shutdown_force(&s, T0 + 3 * S);
	assert_int_equal(shutdown_step(&s, &agent, T0 + 3 * S), RUNG_DESTROY);
	assert_int_equal(shutdown_end(&s), T0 + 2 * S + SHUTDOWN_DESTROY_TAKES);
	/* While QEMU is asked. */
	shutdown_begin(&s, &budget, T0);
	while (s.rung != RUNG_QUIT)
		(void)shutdown_step(&s, &nothing, s.next);
	shutdown_force(&s, T0 + 181 * S);
	assert_int_equal(shutdown_step(&s, &nothing, T0 + 181 * S), RUNG_DESTROY);
}

/* The host was suspended in the middle: one look, one rung, and the span is what is left of it. */
static void test_late(void **state)
{
	struct shutdown s;
	usec_t now = T0 + USEC_PER_HOUR;

	(void)state;
	shutdown_begin(&s, &budget, T0);
	assert_int_equal(shutdown_step(&s, &nothing, T0), RUNG_ACPI);
	assert_int_equal(s.next, T0 + 5 * S);
	assert_int_equal(shutdown_step(&s, &nothing, now), RUNG_ACPI);
	assert_int_equal(s.presses, 2);
	assert_int_equal(s.next, now + 5 * S);
	while (shutdown_step(&s, &nothing, now) != RUNG_QUIT)
		now = s.next;
	assert_int_equal(now, T0 + USEC_PER_HOUR + 175 * S);
	/* Asleep when QEMU's time ended: the guest's is not made longer by that. */
	shutdown_begin(&s, &budget, T0);
	while (s.rung != RUNG_QUIT)
		(void)shutdown_step(&s, &nothing, s.next);
	now = s.next + USEC_PER_HOUR;
	assert_int_equal(shutdown_step(&s, &nothing, now), RUNG_DESTROY);
	assert_int_equal(s.budget.guest, 180 * S);
	/* A loop that is a little behind is no suspend. */
	shutdown_begin(&s, &budget, T0);
	(void)shutdown_step(&s, &nothing, T0);
	(void)shutdown_step(&s, &nothing, T0 + 9 * S);
	assert_int_equal(s.budget.guest, 180 * S);
	/* A kill is a kill. */
	shutdown_force(&s, T0 + 10 * S);
	assert_int_equal(shutdown_step(&s, &nothing, T0 + USEC_PER_HOUR), RUNG_DESTROY);
}

static void test_forced_rungs(void **state)
{
	(void)state;
	for (unsigned i = 0; i < RUNG_NUM; i++)
		assert_int_equal(shutdown_is_forced((enum shutdown_rung)i),
			i == RUNG_QUIT || i == RUNG_DESTROY);
}

/* While nobody can be asked no span goes by, whichever it is; a kill is not put off. */
static void test_away(void **state)
{
	static const struct shutdown_sight away = { .away = true };
	struct shutdown s;

	(void)state;
	shutdown_begin(&s, &budget, T0);
	for (usec_t now = T0; now < T0 + 1000 * S; now += S)
		assert_int_equal(shutdown_step(&s, &away, now), RUNG_NONE);
	assert_int_equal(shutdown_end(&s), T0 + 1000 * S + shutdown_total(&budget));
	assert_int_equal(shutdown_step(&s, &agent, T0 + 1000 * S), RUNG_AGENT);
	while (shutdown_step(&s, &nothing, s.next) != RUNG_QUIT)
		assert_true(s.next < T0 + 1000 * S + budget.guest + S);
	usec_t quit = s.next;
	for (usec_t now = quit - S; now < quit + 100 * S; now += S)
		assert_int_equal(shutdown_step(&s, &away, now), RUNG_NONE);
	shutdown_force(&s, quit + 100 * S);
	assert_int_equal(shutdown_step(&s, &away, quit + 100 * S), RUNG_NONE);
	assert_int_equal(shutdown_step(&s, &nothing, quit + 101 * S), RUNG_DESTROY);
	assert_int_equal(shutdown_end(&s), quit + 100 * S + SHUTDOWN_DESTROY_TAKES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_away),
		cmocka_unit_test(test_nothing_runs),
		cmocka_unit_test(test_acpi),
		cmocka_unit_test(test_qemu_hangs),
		cmocka_unit_test(test_budget_end),
		cmocka_unit_test(test_agent_first),
		cmocka_unit_test(test_agent_refuses),
		cmocka_unit_test(test_paused),
		cmocka_unit_test(test_force),
		cmocka_unit_test(test_late),
		cmocka_unit_test(test_forced_rungs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
