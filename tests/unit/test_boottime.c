/* SPDX-License-Identifier: Apache-2.0 */
/* What boots teach, and when one is late: rows, then random boots from a printed seed. */
/* LINK: base/time model/utf8 policy/boot policy/boottime */
#include "policy/boottime.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/macro.h"

#define S  USEC_PER_SEC
#define T0 (1000 * S)

static const struct boottime_policy policy = { .factor = 5, .least = 60 * S };
static const struct boottime_how later = { .tcg = true, .kind = BOOTTIME_LATER };
static const struct boottime_how first = { .tcg = true, .kind = BOOTTIME_FIRST };
static const struct boottime_how kvm = { .tcg = false, .kind = BOOTTIME_LATER };

static void say(struct boot *b, const char *text, usec_t now)
{
	(void)boot_console(b, text, strlen(text), now);
}

/* The stand-in's boot, `slow` tenths as slow as measured. */
static struct boottime_sample sample(unsigned slow)
{
	return (struct boottime_sample){ .took = { slow * S / 100, slow * S * 7 / 10, slow * S * 2,
						 slow * S * 8 / 10, slow * S * 7 / 10 } };
}

static void teach(struct boottime *t, struct boottime_how how, unsigned slow)
{
	struct boottime_sample s = sample(slow);

	boottime_add(t, how, &s);
}

/* A boot told by its serial line is learned stage by stage. */
static void test_learn(void **state)
{
	struct boottime t = { 0 };
	struct boot b;

	(void)state;
	boot_begin(&b, T0);
	say(&b, "[    0.0] Linux version 6.12\n", T0 + 1 * S);
	say(&b, "[    7.0] Run /init as init process\n", T0 + 8 * S);
	say(&b, "Cloud-init v. 25 running\n", T0 + 28 * S);
	/* Not up yet: nothing is learned of it. */
	boottime_learn(&t, later, &b);
	assert_int_equal(boottime_whole(&t, later), 0);
	say(&b, "vm login: ", T0 + 36 * S);
	assert_true(boot_finish(&b, T0 + 43 * S));
	boottime_learn(&t, later, &b);
	assert_int_equal(boottime_stage(&t, later, BOOT_FIRMWARE), 1 * S);
	assert_int_equal(boottime_stage(&t, later, BOOT_KERNEL), 7 * S);
	assert_int_equal(boottime_stage(&t, later, BOOT_INIT), 20 * S);
	assert_int_equal(boottime_stage(&t, later, BOOT_CLOUD_INIT), 8 * S);
	assert_int_equal(boottime_stage(&t, later, BOOT_SERVICES), 7 * S);
	assert_int_equal(boottime_whole(&t, later), 43 * S);
	assert_int_equal(boottime_stage(&t, later, BOOT_DONE), 0);
	/* Of the other accelerator, and of first boots, nothing is known by that. */
	assert_int_equal(boottime_whole(&t, kvm), 0);
	assert_int_equal(boottime_whole(&t, first), 0);
}

/* First boots must do for later ones where nothing else is known, and never the other way. */
static void test_kinds(void **state)
{
	struct boottime t = { 0 }, other = { 0 };
	struct boot b;

	(void)state;
	teach(&other, later, 10);
	assert_int_equal(boottime_stage(&other, first, BOOT_INIT), 0);
	assert_int_equal(boottime_whole(&other, first), 0);
	teach(&t, first, 20);
	assert_int_equal(boottime_stage(&t, later, BOOT_INIT), 40 * S);
	teach(&t, later, 10);
	assert_int_equal(boottime_stage(&t, later, BOOT_INIT), 20 * S);
	assert_int_equal(boottime_stage(&t, first, BOOT_INIT), 40 * S);
	boot_begin(&b, T0);
	say(&b, "Cloud-init v. 25 running\n", T0);
	assert_int_equal(b.stage, BOOT_CLOUD_INIT);
	assert_int_equal(boottime_budget(&t, &policy, later, &b), 60 * S);
	/* The next first boot may install packages, whatever the last one did. */
	assert_int_equal(boottime_budget(&t, &policy, first, &b), 1800 * S);
	assert_int_equal(boottime_budget(&t, &policy, kvm, &b), 600 * S);
}

static void test_one_freak(void **state)
{
	struct boottime t = { 0 };

	(void)state;
	for (unsigned i = 0; i < BOOTTIME_KEEP; i++) {
		teach(&t, later, i == 3 ? 1000 : 10);
		assert_int_equal(boottime_stage(&t, later, BOOT_INIT), 20 * S);
	}
	/* Slower for good: taught after half of what is kept. */
	for (unsigned i = 0; i < BOOTTIME_KEEP / 2; i++)
		teach(&t, later, 30);
	assert_int_equal(boottime_stage(&t, later, BOOT_INIT), 60 * S);
	/* And no sample is without bounds. */
	for (unsigned i = 0; i < BOOTTIME_KEEP; i++)
		teach(&t, later, 1000000);
	assert_int_equal(boottime_stage(&t, later, BOOT_INIT), BOOTTIME_SAMPLE_MAX);
	assert_int_equal(t.series[true][BOOTTIME_LATER].n, BOOTTIME_KEEP);
}

static const char *const stage_lines[BOOT_DONE] = {
	[BOOT_FIRMWARE] = "SeaBIOS\n",
	[BOOT_KERNEL] = "Linux version 6\n",
	[BOOT_INIT] = "Run /init as init process\n",
	[BOOT_CLOUD_INIT] = "Cloud-init v. 25\n",
	[BOOT_SERVICES] = "Multi-User System\n",
};

/* Each stage late after its own budget, learned or not. */
static void test_each_stage(void **state)
{
	static const struct {
		bool learned;
		struct boottime_how how;
		usec_t budget[BOOT_DONE];
	} rows[] = {
		{ false, { true, BOOTTIME_LATER, false },
			{ 300 * S, 300 * S, 600 * S, 1800 * S, 900 * S } },
		{ false, { false, BOOTTIME_LATER, false },
			{ 100 * S, 100 * S, 200 * S, 600 * S, 300 * S } },
		/* Ten tenths of the stand-in's: 0.1, 7, 20, 8 and 7 s. */
		{ true, { true, BOOTTIME_LATER, false },
			{ 60 * S, 60 * S, 100 * S, 60 * S, 60 * S } },
		{ true, { true, BOOTTIME_FIRST, false },
			{ 300 * S, 300 * S, 600 * S, 1800 * S, 900 * S } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		for (enum boot_stage s = BOOT_FIRMWARE; s < BOOT_DONE; s++) {
			struct boottime t = { 0 };
			struct boot b;

			if (rows[i].learned)
				teach(&t, rows[i].how, 10);
			boot_begin(&b, T0);
			say(&b, stage_lines[s], T0 + 3 * S);
			assert_int_equal(b.stage, s);
			usec_t began = s == BOOT_FIRMWARE ? T0 : T0 + 3 * S;
			/* The line itself was a move. */
			assert_int_equal(boottime_deadline(&t, &policy, rows[i].how, &b),
				MAX(began + rows[i].budget[s], T0 + 63 * S));
		}
	}
}

/* A guest that never spoke may be anywhere, so it has the time of all stages; one that is known to
 * speak has not. */
static void test_silence(void **state)
{
	struct boottime t = { 0 };
	struct boot b;

	(void)state;
	boot_begin(&b, T0);
	assert_int_equal(boottime_deadline(&t, &policy, later, &b), T0 + 3900 * S);
	teach(&t, later, 10);
	assert_int_equal(boottime_deadline(&t, &policy, later, &b), T0 + 60 * S);
	/* Its beginning was missed: it may be in any stage, whatever it says now. */
	b.unseen = true;
	say(&b, "tick\n", T0);
	assert_int_equal(boottime_deadline(&t, &policy, later, &b), T0 + 340 * S);
}

static void test_moving(void **state)
{
	struct boottime t = { 0 };
	struct boot b;

	(void)state;
	teach(&t, later, 10);
	boot_begin(&b, T0);
	say(&b, stage_lines[BOOT_INIT], T0);
	assert_int_equal(boottime_deadline(&t, &policy, later, &b), T0 + 100 * S);
	say(&b, "Setting up nginx\n", T0 + 30 * S);
	assert_int_equal(boottime_deadline(&t, &policy, later, &b), T0 + 100 * S);
	say(&b, "Setting up gcc\n", T0 + 90 * S);
	assert_int_equal(boottime_deadline(&t, &policy, later, &b), T0 + 150 * S);
	/* The same again, but for its digits and the spinner: no move. */
	say(&b, "[ *** ] A start job is running (31s / 90s)\n", T0 + 91 * S);
	say(&b, "[***  ] A start job is running (55s / 90s)\n", T0 + 115 * S);
	say(&b, "Setting up gcc 14.2\n", T0 + 116 * S);
	say(&b, "........ 1 2 3\n", T0 + 117 * S);
	assert_int_equal(boottime_deadline(&t, &policy, later, &b), T0 + 151 * S);
	/* The host does not give it its CPU: the whole stretch, and not more. */
	assert_int_equal(boottime_deadline(&t, &policy,
				 (struct boottime_how){ true, BOOTTIME_LATER, true }, &b),
		T0 + 400 * S);
	/* A step is a move too, and new time for moving: 400 s from here. */
	boot_step(&b, T0 + 140 * S);
	assert_int_equal(boottime_deadline(&t, &policy, later, &b), T0 + 200 * S);
	/* What the host slept away does not count. */
	boot_slept(&b, 3600 * S, T0 + 3760 * S);
	assert_int_equal(boottime_deadline(&t, &policy, later, &b), T0 + 3800 * S);
	(void)boot_finish(&b, T0 + 3700 * S);
	assert_true(boottime_deadline(&t, &policy, later, &b) == USEC_INFINITY);
}

/* A guest that talks without end and never the same is late all the same. */
static void test_chatter(void **state)
{
	struct boottime t = { 0 };
	struct boot b;
	usec_t now = T0;
	unsigned word = 0;

	(void)state;
	teach(&t, later, 10);
	boot_begin(&b, T0);
	say(&b, stage_lines[BOOT_INIT], T0);
	while (now < boottime_deadline(&t, &policy, later, &b)) {
		char text[64];

		now += S / 10;
		word++;
		for (unsigned i = 0; i < 20; i++)
			text[i] = (char)('a' + (word >> i % 16 & 1) + i);
		memcpy(text + 20, "\n", 2);
		say(&b, text, now);
		assert_true(now < T0 + 10000 * S);
	}
	assert_int_equal(now, T0 + BOOTTIME_STRETCH * 100 * S);
}

/* However slow, a boot that says something new often enough, and reaches a stage before the
 * stretch ends, is never late; and whatever happens, late comes in bounded time. */
static void test_random(void **state)
{
	const char *given = getenv("SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);

	(void)state;
	print_message("SEED=%u\n", seed);
	srandom(seed);
	for (unsigned round = 0; round < 300; round++) {
		struct boottime t = { 0 };
		struct boottime_how how = { random() % 2, (enum boottime_kind)(random() % 2),
			false };
		struct boottime_policy p = { 2 + (unsigned)random() % 9,
			(10 + (usec_t)random() % 300) * S };
		unsigned n = (unsigned)random() % 12, line = 0;
		usec_t now = T0;
		struct boot b;

		for (unsigned i = 0; i < n; i++)
			teach(&t, how, 1 + (unsigned)random() % 100);
		boot_begin(&b, now);
		for (enum boot_stage s = BOOT_FIRMWARE; s < BOOT_DONE; s++) {
			say(&b, stage_lines[s], now);
			assert_int_equal(b.stage, s);
			usec_t budget = boottime_budget(&t, &p, how, &b);
			usec_t end = now + (usec_t)random() % (budget * BOOTTIME_STRETCH);
			/* Enough lines for the stretch, and no more than the field has bits to
			 * spare for. */
			usec_t pause = MAX(p.least - 1, (end - now) / 150);
			bool often = pause < p.least;
			while (often && now + pause < end) {
				char text[] = "a line of this stage:     \n";

				for (unsigned i = 0; i < 4; i++)
					text[22 + i] = (char)('a' + (line >> 4 * i & 15));
				line++;
				now += pause;
				usec_t before = b.moved_at;
				assert_true(now < boottime_deadline(&t, &p, how, &b));
				say(&b, text, now);
				/* Two lines of one bit: then that one was no move. */
				if (b.moved_at == before)
					boot_step(&b, now);
			}
			if (!often)
				now = MIN(end, boottime_deadline(&t, &p, how, &b) - 1);
			assert_true(now < boottime_deadline(&t, &p, how, &b));
			assert_true(boottime_deadline(&t, &p, how, &b) <=
				    b.stepped_at + budget * BOOTTIME_STRETCH);
		}
		assert_true(boot_finish(&b, now));
		usec_t before = boottime_whole(&t, how);
		boottime_learn(&t, how, &b);
		assert_true(now == T0 || before > 0 || boottime_whole(&t, how) > 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_learn),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_one_freak),
		cmocka_unit_test(test_each_stage),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_moving),
		cmocka_unit_test(test_chatter),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
