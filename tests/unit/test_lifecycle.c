/* SPDX-License-Identifier: Apache-2.0 */
/* The table of guest states and events: each cell, the promises the daemon makes of them, and
 * random walks. */
/* LINK: policy/lifecycle */
#include "policy/lifecycle.h"

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

#define BIT(x) (1u << (x))

static bool is_down(enum guest_state s)
{
	return s == GUEST_ABSENT || s == GUEST_STOPPED || s == GUEST_FAILED;
}

static const char *cell_name(enum guest_state s, enum guest_event e)
{
	static char name[64];

	(void)snprintf(
		name, sizeof(name), "%s x %s", guest_state_to_string(s), guest_event_to_string(e));
	return name;
}

#define expect(condition)                                                                          \
	do {                                                                                       \
		if (!(condition))                                                                  \
			fail_msg("%s: %s", cell_name(s, e), #condition);                           \
	} while (0)

/* lifecycle_step() asserts that somebody wrote the cell. What follows holds for each of them. */
static void test_every_cell(void **state)
{
	(void)state;
	for (unsigned si = 0; si < GUEST_STATE_NUM; si++) {
		for (unsigned ei = 0; ei < GUEST_EV_NUM; ei++) {
			enum guest_state s = si;
			enum guest_event e = ei;
			struct lifecycle_step step = lifecycle_step(s, e);

			expect((unsigned)step.next < GUEST_STATE_NUM);
			expect((unsigned)step.action < GUEST_ACT_NUM);
			/* Only a pause or a save came from somewhere. */
			expect(!step.back || s == GUEST_PAUSED || s == GUEST_SAVING);
			/* A start is asked for in `starting` and nowhere else, and every way
			 * into it asks. */
			expect((step.action == GUEST_ACT_START) ==
				(step.next == GUEST_STARTING && s != GUEST_STARTING));
			/* What ends QEMU is only done where its end is waited for. */
			expect(step.action != GUEST_ACT_DESTROY || step.next == GUEST_STOPPING ||
				step.next == GUEST_CRASHED || step.next == GUEST_FAILED);
			expect(step.action != GUEST_ACT_LADDER || step.next == GUEST_STOPPING);
			expect(step.action != GUEST_ACT_RESTORE || step.next == GUEST_RUNNING);
			/* A save is asked of a guest whose OS is up, and its end is waited for. */
			expect(step.action != GUEST_ACT_SAVE ||
				((s == GUEST_RUNNING || s == GUEST_READY) &&
					step.next == GUEST_SAVING));
			expect(step.action != GUEST_ACT_BOOT || step.next == GUEST_BOOTING);
			expect(step.action != GUEST_ACT_ADOPT || guest_state_has_qemu(step.next));
			expect(step.action != GUEST_ACT_SETTLE || is_down(step.next));
			expect(step.action != GUEST_ACT_RETRY || step.next == GUEST_CRASHED);
			/* `crashed` must not be entered without a retry or a destroy under way. */
			expect(step.next != GUEST_CRASHED || s == GUEST_CRASHED ||
				step.action == GUEST_ACT_RETRY || step.action == GUEST_ACT_DESTROY);
			/* Given up only when the budget says so, out of the state in which it is
			 * asked. */
			expect(step.next != GUEST_FAILED || s == GUEST_FAILED ||
				(s == GUEST_CRASHED && e == GUEST_EV_GIVE_UP));
		}
	}
}

/* The serial line, and what services answer, never end a guest that may have written: of all
 * events only these. */
static void test_who_may_end_it(void **state)
{
	const unsigned may = BIT(GUEST_EV_STOP) | BIT(GUEST_EV_KILL) | BIT(GUEST_EV_SAVE) |
			     BIT(GUEST_EV_SAVE_FAILED) | BIT(GUEST_EV_SEEN_PANICKED);

	(void)state;
	for (unsigned si = 0; si < GUEST_STATE_NUM; si++) {
		for (unsigned ei = 0; ei < GUEST_EV_NUM; ei++) {
			enum guest_state s = si;
			enum guest_event e = ei;
			enum guest_action action = lifecycle_step(s, e).action;

			if (action != GUEST_ACT_DESTROY && action != GUEST_ACT_LADDER)
				continue;
			/* A dead boot is one only while booting; in `crashed` it is being ended
			 * already. */
			if (e == GUEST_EV_BOOT_DEAD)
				expect(s == GUEST_BOOTING || s == GUEST_CRASHED);
			else
				expect(may & BIT(e));
		}
	}
}

/* The operator's words work in every state: done, or refused with a reason to give, never lost. */
static void test_operator(void **state)
{
	(void)state;
	for (unsigned si = 0; si < GUEST_STATE_NUM; si++) {
		enum guest_state s = si;
		enum guest_event e = GUEST_EV_KILL;
		struct lifecycle_step step = lifecycle_step(s, e);

		expect(step.action == GUEST_ACT_DESTROY ||
			(is_down(s) && step.action == GUEST_ACT_SETTLE));
		e = GUEST_EV_STOP;
		step = lifecycle_step(s, e);
		expect(step.action == GUEST_ACT_LADDER || step.action == GUEST_ACT_DESTROY ||
			(is_down(s) && step.action == GUEST_ACT_SETTLE) || s == GUEST_STOPPING);
		/* Saved, or what a stop would do. */
		e = GUEST_EV_SAVE;
		if (lifecycle_step(s, e).action == GUEST_ACT_SAVE)
			expect(lifecycle_step(GUEST_SAVING, GUEST_EV_SAVE_FAILED).action ==
				GUEST_ACT_LADDER);
		else
			expect(lifecycle_step(s, e).action == step.action || s == GUEST_SAVING);
		e = GUEST_EV_START;
		step = lifecycle_step(s, e);
		expect(step.action == GUEST_ACT_START || step.action == GUEST_ACT_REFUSE ||
			(guest_state_has_qemu(s) && step.next == s));
	}
	assert_int_equal(lifecycle_step(GUEST_FAILED, GUEST_EV_START).action, GUEST_ACT_REFUSE);
	assert_int_equal(lifecycle_step(GUEST_FAILED, GUEST_EV_RESET_FAILED).next, GUEST_STOPPED);
}

/* A guest in `failed` stays there until somebody clears it or it is seen to run. */
static void test_failed_is_latched(void **state)
{
	const unsigned opens = BIT(GUEST_EV_RESET_FAILED) | BIT(GUEST_EV_SEEN_RUNNING) |
			       BIT(GUEST_EV_SEEN_PAUSED) | BIT(GUEST_EV_SEEN_SAVING) |
			       BIT(GUEST_EV_STARTED) | BIT(GUEST_EV_RESTORED);

	(void)state;
	for (unsigned e = 0; e < GUEST_EV_NUM; e++)
		assert_true(lifecycle_step(GUEST_FAILED, e).next == GUEST_FAILED || opens & BIT(e));
}

/* After a stop, whatever happens in between and in whatever order, the end of QEMU is the end of
 * it: the search goes through all states that events (but no new start) can lead to. */
static void test_stop_arrives(void **state)
{
	const unsigned asks = BIT(GUEST_EV_START) | BIT(GUEST_EV_RESET_FAILED);
	const unsigned ends =
		BIT(GUEST_EV_EXIT_CLEAN) | BIT(GUEST_EV_EXIT_FAULT) | BIT(GUEST_EV_SEEN_ABSENT);

	(void)state;
	for (unsigned from = 0; from < GUEST_STATE_NUM; from++) {
		enum guest_state s = lifecycle_step(from, GUEST_EV_STOP).next;
		unsigned reached = BIT(s), last = 0;

		if (is_down(s))
			continue;
		while (reached != last) {
			last = reached;
			for (unsigned si = 0; si < GUEST_STATE_NUM; si++) {
				for (unsigned e = 0; e < GUEST_EV_NUM; e++) {
					if (!(last & BIT(si)) || is_down(si) ||
						(asks | ends) & BIT(e))
						continue;
					struct lifecycle_step step = lifecycle_step(si, e);
					assert_int_not_equal(step.action, GUEST_ACT_START);
					reached |= BIT(step.next);
				}
			}
		}
		for (unsigned si = 0; si < GUEST_STATE_NUM; si++) {
			if (!(reached & BIT(si)))
				continue;
			for (unsigned e = 0; e < GUEST_EV_NUM; e++)
				if (ends & BIT(e) && !is_down(lifecycle_step(si, e).next))
					fail_msg("stop in %s, then %s: not down",
						guest_state_to_string(from), cell_name(si, e));
		}
	}
}

/* A pause says nothing: whatever the guest is said to have done meanwhile, it comes back as it
 * was. */
static void test_pause_holds(void **state)
{
	static const enum guest_event said[] = { GUEST_EV_REBOOT, GUEST_EV_OS_UP, GUEST_EV_READY,
		GUEST_EV_BOOT_DEAD, GUEST_EV_RETRY_DUE, GUEST_EV_START, GUEST_EV_SEEN_PAUSED };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(said); i++) {
		assert_int_equal(lifecycle_step(GUEST_PAUSED, said[i]).next, GUEST_PAUSED);
		assert_false(lifecycle_step(GUEST_PAUSED, said[i]).back);
	}
	assert_true(lifecycle_step(GUEST_PAUSED, GUEST_EV_SEEN_RUNNING).back);
	assert_true(lifecycle_step(GUEST_SAVING, GUEST_EV_SEEN_RUNNING).back);
}

static void test_inconclusive(void **state)
{
	const char *why;

	(void)state;
	for (unsigned s = 0; s < GUEST_STATE_NUM; s++) {
		bool doubt = guest_state_inconclusive(s, &why);

		assert_int_equal(
			doubt, s == GUEST_STOPPING || s == GUEST_SAVING || s == GUEST_PAUSED);
		assert_int_equal(doubt, why != NULL);
		assert_int_equal(doubt, guest_state_inconclusive(s, NULL));
		/* Who can't answer is asked all the same, and only where there is somebody. */
		assert_true(!doubt || guest_state_probes(s));
		assert_true(!guest_state_probes(s) || guest_state_has_qemu(s));
	}
}

/* All states that events lead to from here; `back` may be any that a pause comes from. */
static unsigned closure(enum guest_state from)
{
	unsigned reached = BIT(from), last = 0;

	while (reached != last) {
		last = reached;
		for (unsigned s = 0; s < GUEST_STATE_NUM; s++)
			for (unsigned e = 0; last & BIT(s) && e < GUEST_EV_NUM; e++) {
				struct lifecycle_step step = lifecycle_step(s, e);

				reached |= step.back ? BIT(GUEST_BOOTING) | BIT(GUEST_RUNNING) |
							       BIT(GUEST_READY)
						     : BIT(step.next);
			}
	}
	return reached;
}

/* No state is a dead end: from each the guest can come up, go down, and fail, and each is left by
 * something other than an operator's hand, but for those in which a guest rests. */
static void test_exits(void **state)
{
	const unsigned hands = BIT(GUEST_EV_START) | BIT(GUEST_EV_STOP) | BIT(GUEST_EV_KILL) |
			       BIT(GUEST_EV_SAVE) | BIT(GUEST_EV_RESET_FAILED);

	(void)state;
	for (unsigned s = 0; s < GUEST_STATE_NUM; s++) {
		unsigned left_by = 0;

		assert_int_equal(closure(s), BIT(GUEST_STATE_NUM) - 1);
		for (unsigned e = 0; e < GUEST_EV_NUM; e++) {
			struct lifecycle_step step = lifecycle_step(s, e);

			if (step.back || step.next != s)
				left_by |= BIT(e);
		}
		if (!(left_by & ~hands))
			fail_msg("%s is only left by hand", guest_state_to_string(s));
	}
}

static uint64_t xorshift(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

/* Random walks with the world's rules: QEMU exists or not, a start is under way or not, and only
 * what can be true is seen. Whatever happens, the machine agrees with the world once the world
 * has been read. */
static void walk(uint64_t seed)
{
	enum guest_state s = GUEST_STOPPED, before = GUEST_BOOTING;
	bool qemu = false, start_out = false, retry = false;
	uint64_t x = seed;

	for (unsigned i = 0; i < 2000; i++) {
		enum guest_event e = (enum guest_event)(xorshift(&x) % GUEST_EV_NUM);

		bool started = e == GUEST_EV_STARTED || e == GUEST_EV_RESTORED;
		if ((started || e == GUEST_EV_START_FAILED) && !start_out)
			continue;
		if (e >= GUEST_EV_SEEN_RUNNING && e <= GUEST_EV_SEEN_PANICKED && !qemu)
			continue;
		if ((e == GUEST_EV_REBOOT || e == GUEST_EV_OS_UP || e == GUEST_EV_READY) && !qemu)
			continue;
		/* Nothing is read while a start is under way (core/guest). */
		if (start_out && (e == GUEST_EV_SEEN_ABSENT || e == GUEST_EV_EXIT_CLEAN ||
					 e == GUEST_EV_EXIT_FAULT))
			continue;
		if (e == GUEST_EV_REFUSED || (e == GUEST_EV_RETRY_DUE && !retry) ||
			(e == GUEST_EV_GIVE_UP && !retry))
			continue;
		if (e == GUEST_EV_EXIT_CLEAN || e == GUEST_EV_EXIT_FAULT ||
			e == GUEST_EV_SEEN_ABSENT)
			qemu = false;
		if (started)
			qemu = true;
		if (started || e == GUEST_EV_START_FAILED)
			start_out = false;

		struct lifecycle_step step = lifecycle_step(s, e);
		enum guest_state next = step.back ? before : step.next;
		if ((next == GUEST_PAUSED || next == GUEST_SAVING) && s != GUEST_PAUSED &&
			s != GUEST_SAVING)
			before = s == GUEST_RUNNING || s == GUEST_READY ? s : GUEST_BOOTING;
		s = next;
		if (step.action == GUEST_ACT_START) {
			/* Two starts at a time would be two guests on one disk. */
			expect(!start_out);
			start_out = true;
			retry = false;
		}
		if (step.action == GUEST_ACT_RETRY)
			retry = true;
		if (s != GUEST_CRASHED)
			retry = false;
		if (e == GUEST_EV_SEEN_RUNNING && !start_out)
			expect(guest_state_has_qemu(s));
		if ((e == GUEST_EV_EXIT_CLEAN || e == GUEST_EV_EXIT_FAULT) && !start_out)
			expect(is_down(s) || s == GUEST_CRASHED);
	}
	/* Wherever that led: a stop, the answer that is still out, and QEMU's end, and it is down.
	 */
	enum guest_event e = GUEST_EV_STOP;
	struct lifecycle_step step = lifecycle_step(s, e);
	s = step.next;
	if (start_out) {
		e = GUEST_EV_STARTED;
		s = lifecycle_step(s, e).next;
	}
	e = xorshift(&x) % 2 ? GUEST_EV_EXIT_CLEAN : GUEST_EV_EXIT_FAULT;
	s = lifecycle_step(s, e).next;
	expect(is_down(s));
}

static void test_random_walks(void **state)
{
	const char *given = getenv("SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);

	(void)state;
	print_message("SEED=%llu\n", (unsigned long long)seed);
	for (unsigned i = 0; i < 200; i++)
		walk(seed * 1000 + i + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_cell),
		cmocka_unit_test(test_who_may_end_it),
		cmocka_unit_test(test_operator),
		cmocka_unit_test(test_failed_is_latched),
		cmocka_unit_test(test_stop_arrives),
		cmocka_unit_test(test_pause_holds),
		cmocka_unit_test(test_inconclusive),
		cmocka_unit_test(test_exits),
		cmocka_unit_test(test_random_walks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
