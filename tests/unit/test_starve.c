/* SPDX-License-Identifier: Apache-2.0 */
/* When the host counts as starving a guest: each witness, the thresholds, and what is excused. */
/* LINK: base/time policy/starve */
#include "policy/starve.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/macro.h"

#define S  USEC_PER_SEC
#define MS USEC_PER_MSEC
#define T0 (1000 * S)

/* A host with its counters: what is added is the share of the time that passes, in thousandths. */
struct host {
	usec_t now;
	uint64_t delay, run, pressure; /* delay and run in ns */
	bool no_delay, no_run, no_pressure;
	unsigned vcpus;
};

static bool tick(struct host *h, struct starve *s, usec_t span, unsigned delay, unsigned run,
	unsigned pressure)
{
	h->now += span;
	h->delay += span * delay * h->vcpus; /* us * 1/1000 = ns */
	h->run += span * run * h->vcpus;
	h->pressure += span * pressure / 1000;
	const struct starve_sample sample = {
		.delay_nsec = h->no_delay ? STARVE_ABSENT : h->delay,
		.run_nsec = h->no_run ? STARVE_ABSENT : h->run,
		.pressure_usec = h->no_pressure ? STARVE_ABSENT : h->pressure,
		.vcpus = h->vcpus,
	};
	return starve_sample(s, &sample, h->now);
}

static struct host a_host(struct starve *s)
{
	struct host h = { .now = T0, .delay = 5000000, .run = 9000000, .pressure = 77, .vcpus = 2 };

	*s = (struct starve){ 0 };
	/* The first sample is a beginning and no window. */
	assert_false(tick(&h, s, 0, 0, 0, 0));
	assert_false(s->starved);
	return h;
}

/* A question asked two seconds ago and given up now, on time. */
static bool excuses(struct starve *s, const struct host *h)
{
	const char *why = NULL;
	bool r = starve_excuses(s, h->now - 2 * S, h->now, h->now, false, &why);

	assert_non_null(why);
	assert_true(!r || strlen(why) > 0);
	return r;
}

static void delay_enters_and_leaves(void **state)
{
	struct starve s;
	struct host h = a_host(&s);

	(void)state;
	/* Just below the threshold for as long as you like. */
	for (unsigned i = 0; i < 100; i++)
		assert_false(tick(&h, &s, 5 * S, STARVE_ENTER - 1, 500, 1000));
	assert_false(excuses(&s, &h));
	assert_true(tick(&h, &s, 5 * S, 830, 170, 1000));
	assert_true(s.starved);
	assert_int_equal(s.since, h.now - 5 * S);
	assert_string_equal(
		s.reason, "the host starved the guest: vCPUs waited 83% of the last 5.0s");
	assert_true(excuses(&s, &h));
	/* Where all others answered promptly, it is not the CPU that lacks. */
	const char *why;
	assert_false(starve_excuses(&s, h.now - 2 * S, h.now, h.now, true, &why));
	/* Between the thresholds it stays. */
	for (unsigned i = 0; i < 100; i++)
		assert_false(tick(&h, &s, 5 * S, STARVE_LEAVE, 500, 1000));
	assert_true(excuses(&s, &h));
	/* Below the lower one it ends with the second statistics, held since the last sign. */
	assert_false(tick(&h, &s, 5 * S, STARVE_LEAVE - 1, 500, 0));
	assert_true(tick(&h, &s, 5 * S, STARVE_LEAVE - 1, 500, 0));
	assert_false(s.starved);
	assert_string_equal(s.reason, "");
	/* A question that was out when it ended is excused, one asked since is not. */
	assert_true(excuses(&s, &h));
	h.now += 2 * S;
	assert_false(excuses(&s, &h));
}

/* Two quick statistics in a row are no calm of STARVE_HOLD. */
static void the_hold(void **state)
{
	struct starve s;
	struct host h = a_host(&s);
	usec_t ended;

	(void)state;
	(void)tick(&h, &s, 5 * S, 900, 100, 1000);
	ended = h.now;
	while (h.now < ended + STARVE_HOLD - S) {
		assert_false(tick(&h, &s, S, 0, 100, 0));
		assert_true(s.starved);
	}
	assert_true(tick(&h, &s, S, 0, 100, 0));
	assert_int_equal(s.left_at, ended + STARVE_HOLD);
}

/* One vCPU that waits is half of a guest with two, and all of one with one. */
static void by_vcpu(void **state)
{
	struct starve s;
	struct host h = a_host(&s);

	(void)state;
	h.vcpus = 1;
	h.now += 5 * S;
	h.delay += 5 * S * 300;
	const struct starve_sample sample = { .delay_nsec = h.delay,
		.run_nsec = STARVE_ABSENT,
		.pressure_usec = STARVE_ABSENT,
		.vcpus = 2 };
	assert_false(starve_sample(&s, &sample, h.now));
	assert_int_equal(s.delay.permille, 150);
	assert_true(tick(&h, &s, 5 * S, 300, 0, 0));
	assert_int_equal(s.delay.permille, 300);
	/* No vCPUs said is one, and more than the whole is the whole. */
	h.vcpus = 0;
	h.delay += 100 * S * 1000;
	(void)tick(&h, &s, 5 * S, 0, 0, 0);
	assert_int_equal(s.delay.permille, 1000);
}

/* Counters that begin anew, are absent, or stand still for an hour say nothing. */
static void broken_counters(void **state)
{
	struct starve s;
	struct host h = a_host(&s);

	(void)state;
	h.delay = 1;
	assert_false(tick(&h, &s, 5 * S, 0, 0, 0));
	assert_false(s.delay.told);
	assert_true(tick(&h, &s, 5 * S, 900, 0, 0));
	/* Another QEMU under the same roof: no negative time, and the old belief fades. */
	h.delay = 1;
	assert_false(tick(&h, &s, 5 * S, 0, 0, 0));
	assert_true(s.starved);
	assert_int_not_equal(starve_tick(&s, h.now), USEC_INFINITY);
	h.no_delay = true;
	h.now = starve_tick(&s, h.now) - 1;
	assert_true(excuses(&s, &h));
	h.now++;
	assert_int_equal(starve_tick(&s, h.now), USEC_INFINITY);
	assert_false(s.starved);
	/* After an hour without statistics the hour's mean is not the present. */
	h = a_host(&s);
	assert_false(tick(&h, &s, USEC_PER_HOUR, 1000, 0, 1000));
	assert_false(excuses(&s, &h));
	/* A kernel that does not count shows zero. */
	h = a_host(&s);
	h.delay = 0;
	s = (struct starve){ 0 };
	(void)tick(&h, &s, 0, 0, 0, 0);
	(void)tick(&h, &s, 5 * S, 0, 0, 1000);
	assert_false(s.delay.known);
}

/* Nothing is known for the time before the question, whatever was then. */
static void old_statistics(void **state)
{
	struct starve s;
	struct host h = a_host(&s);
	const char *why;

	(void)state;
	h.no_delay = true;
	(void)tick(&h, &s, 5 * S, 0, 100, 950);
	/* Asked after the pressure was read last. */
	assert_false(starve_excuses(&s, h.now + 1, h.now + 2 * S, h.now + 2 * S, false, &why));
	assert_true(starve_excuses(&s, h.now - 1, h.now + 2 * S, h.now + 2 * S, false, &why));
}

static void pressure(void **state)
{
	static const struct {
		bool no_delay, no_run, no_pressure;
		unsigned delay, run, pressure;
		bool excused;
	} rows[] = {
		/* only where delay is silent */
		{ true, false, false, 0, 300, 950, true },
		{ false, false, false, 50, 300, 950, false },
		{ true, false, false, 0, 300, 599, false },
		{ true, false, false, 0, 300, 600, true },
		/* not of vCPUs that ran */
		{ true, false, false, 0, 900, 950, false },
		{ true, false, false, 0, 899, 950, true },
		{ true, true, false, 0, 0, 950, true },
		{ true, true, true, 0, 0, 950, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct starve s;
		struct host h = a_host(&s);

		s = (struct starve){ 0 };
		h.no_delay = rows[i].no_delay;
		h.no_run = rows[i].no_run;
		h.no_pressure = rows[i].no_pressure;
		(void)tick(&h, &s, 0, 0, 0, 0);
		assert_false(tick(&h, &s, 5 * S, rows[i].delay, rows[i].run, rows[i].pressure));
		/* It alone starves nobody who answers. */
		assert_false(s.starved);
		if (excuses(&s, &h) != rows[i].excused)
			fail_msg("row %zu", i);
		assert_int_equal(s.starved, rows[i].excused);
		if (!rows[i].excused)
			continue;
		assert_non_null(strstr(s.reason, "short of CPUs for"));
		/* Held from the last miss on, and no longer. */
		assert_int_equal(starve_tick(&s, h.now), h.now + STARVE_HOLD);
		h.now += STARVE_HOLD;
		assert_int_equal(starve_tick(&s, h.now), USEC_INFINITY);
		assert_false(s.starved);
	}
}

static void the_clock(void **state)
{
	static const char boot[] = "11111111-2222-4333-8444-555555555555",
			  other[] = "99999999-2222-4333-8444-555555555555";
	static const struct {
		usec_t passed;
		uint64_t advanced;
		bool starved;
	} rows[] = {
		{ 10 * S, 10, false }, { 10 * S, 9, false },
		{ 10 * S, 4, false }, /* 4 and up to one second more: not below half */
		{ 10 * S, 3, true }, { 10 * S, 0, true },
		{ 10 * S, 12, false },                         /* a clock that runs ahead */
		{ 4999 * MS, 0, false },                       /* too short to tell */
		{ 30 * S, 2, true }, { 30 * S + 1, 2, false }, /* a pause, perhaps: not now */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct starve s = { 0 };

		assert_false(starve_clock(&s, "a", boot, 500, T0));
		if (starve_clock(&s, "a", boot, 500 + rows[i].advanced, T0 + rows[i].passed) !=
			rows[i].starved)
			fail_msg("row %zu", i);
		assert_int_equal(s.starved, rows[i].starved);
		if (s.starved)
			assert_non_null(strstr(s.reason, "its clock went "));
	}
	/* Another boot, a clock set back, no boot id: nothing to compare with. */
	struct starve s = { 0 };
	assert_false(starve_clock(&s, "a", boot, 500, T0));
	assert_false(starve_clock(&s, "a", other, 501, T0 + 10 * S));
	assert_false(starve_clock(&s, "a", other, 3, T0 + 20 * S));
	assert_false(starve_clock(&s, "a", "", 4, T0 + 30 * S));
	assert_false(starve_clock(&s, "a", "", 4, T0 + 40 * S));
	/* Many services tell it, each at its own moment: the window is not cut into nothing. */
	static const char *const names[] = { "a", "b", "c", "d" };

	s = (struct starve){ 0 };
	for (unsigned k = 0; k < 40 && !s.starved; k++)
		(void)starve_clock(&s, names[k % 4], boot, 500, T0 + k * 250 * MS);
	assert_true(s.starved);
}

/* What a service calls uptime may be its own: who began later is not a clock that went slowly. */
static void one_clock_of_many(void **state)
{
	static const char boot[] = "11111111-2222-4333-8444-555555555555";
	struct starve s = { 0 };
	unsigned k = 0;

	(void)state;
	for (; k < 60; k++) {
		assert_false(starve_clock(&s, "late", boot, 500 + k * 10, T0 + k * 10 * S));
		assert_false(starve_clock(&s, "early", boot, 508 + k * 10, T0 + k * 10 * S + S));
	}
	/* Silent for 30 s: another's is the clock, and is held against itself. */
	usec_t silent = T0 + (k - 1) * 10 * S;
	assert_false(starve_clock(&s, "early", boot, 700, silent + 30 * S));
	assert_string_equal(s.clock.who, "late");
	assert_false(starve_clock(&s, "early", boot, 700, silent + 31 * S));
	assert_string_equal(s.clock.who, "early");
	assert_false(starve_clock(&s, "late", boot, 700, silent + 40 * S));
	assert_true(starve_clock(&s, "early", boot, 700, silent + 41 * S));
}

static void we_came_late(void **state)
{
	struct starve s;
	struct host h = a_host(&s);
	const char *why;

	(void)state;
	assert_false(starve_excuses(&s, h.now, h.now + 2 * S, h.now + 2999 * MS, false, &why));
	assert_true(starve_excuses(&s, h.now, h.now + 2 * S, h.now + 3000 * MS, false, &why));
	assert_string_equal(
		why, "the host slept or starved this daemon: it came to look 1.0s late");
	assert_true(starve_excuses(&s, h.now, h.now + 2 * S, h.now + USEC_PER_DAY, false, &why));
}

/* The bound of the header, whatever the phase: statistics every 5 s, and once a second before the
 * question is given up. */
static void seen_in_time(void **state)
{
	(void)state;
	for (usec_t phase = 0; phase < 5 * S; phase += 100 * MS) {
		struct starve s;
		struct host h = a_host(&s);
		usec_t timeout = 2 * S;

		/* All is well until `phase` after the last statistics; then nothing runs. */
		h.now += phase;
		h.run += phase * 200;
		usec_t asked = h.now;
		h.now += timeout - S;
		h.delay += (timeout - S) * 950 * h.vcpus;
		h.pressure += timeout - S;
		(void)tick(&h, &s, 0, 0, 0, 0);
		h.now += S;
		const char *why;
		bool excused = starve_excuses(&s, asked, asked + timeout, h.now, false, &why);
		/* A second of hunger is a fifth of the window up to 3.75 s of plenty before it. */
		if (phase <= 3700 * MS)
			assert_true(excused);
		(void)tick(&h, &s, 4 * S, 950, 50, 1000);
		assert_true(s.starved);
	}
}

/* Whatever comes: what is starved has a reason and an end in sight, nothing is excused without a
 * witness, and a host at rest ends it. */
static void anything(void **state)
{
	unsigned seed = (unsigned)time(NULL);

	(void)state;
	print_message("seed %u\n", seed);
	srand(seed);
	struct starve s;
	struct host h = a_host(&s);
	for (unsigned i = 0; i < 200000; i++) {
		const char *why = NULL;

		h.no_delay = rand() % 5 == 0;
		h.no_run = rand() % 5 == 0;
		h.no_pressure = rand() % 5 == 0;
		if (rand() % 50 == 0)
			h.delay = (uint64_t)rand();
		if (rand() % 50 == 0)
			h.run = (uint64_t)rand() << (rand() % 33);
		h.vcpus = (unsigned)rand() % 9;
		switch (rand() % 4) {
		case 0:
			(void)starve_clock(&s, "a", rand() % 3 ? "a-boot" : "b-boot",
				(uint64_t)rand() << (rand() % 33), h.now);
			break;
		case 1:
			if (starve_excuses(&s, h.now - (usec_t)(rand() % 6) * S,
				    h.now - (usec_t)(rand() % 3) * S, h.now, rand() % 4 == 0, &why))
				assert_true(why[0]);
			break;
		default:
			(void)tick(&h, &s, (usec_t)(rand() % 12000) * MS, (unsigned)rand() % 1001,
				(unsigned)rand() % 1001, (unsigned)rand() % 1001);
		}
		usec_t end = starve_tick(&s, h.now);
		assert_int_equal(s.starved, end != USEC_INFINITY);
		assert_int_equal(s.starved, s.reason[0] != '\0');
		assert_true(!s.starved || (end > h.now && end <= h.now + STARVE_WINDOW_MAX));
		assert_true(s.delay.permille <= 1000 && s.run.permille <= 1000 &&
			    s.pressure.permille <= 1000);
	}
	h.no_delay = h.no_run = h.no_pressure = false;
	h.vcpus = 2;
	for (unsigned i = 0; i < 8; i++)
		(void)tick(&h, &s, 5 * S, 20, 100, 10);
	assert_false(s.starved);
	h.now += S;
	(void)tick(&h, &s, 2 * S, 20, 100, 10);
	assert_false(excuses(&s, &h));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(delay_enters_and_leaves),
		cmocka_unit_test(the_hold),
		cmocka_unit_test(by_vcpu),
		cmocka_unit_test(broken_counters),
		cmocka_unit_test(old_statistics),
		cmocka_unit_test(pressure),
		cmocka_unit_test(the_clock),
		cmocka_unit_test(one_clock_of_many),
		cmocka_unit_test(we_came_late),
		cmocka_unit_test(seen_in_time),
		cmocka_unit_test(anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
