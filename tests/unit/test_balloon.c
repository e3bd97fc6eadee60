/* SPDX-License-Identifier: Apache-2.0 */
/* What the balloon's policy answers to one guest or two, tick by tick. */
/* LINK: base/time model/spec policy/balloon policy/balloon_names policy/balloon_loan policy/balloon_sense policy/balloon_share */
#include "policy/balloon.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/macro.h"

#define S   USEC_PER_SEC
#define MIB UINT64_C(1024)
#define GIB (1024 * MIB)

/* A table with guests whose statistics move by themselves, and a host. */
struct table {
	struct balloon_pool pool;
	struct balloon_pool_memory pool_memory;
	struct balloon_memory memory[4];
	struct balloon_seat seats[4];
	size_t n;
	struct balloon_outcome outcome;
};

static struct balloon_guest guest(uint64_t max, uint64_t min, uint64_t usable)
{
	return (struct balloon_guest){
		.phase = BALLOON_UP,
		.max_kib = max,
		.min_kib = min,
		.weight = 100,
		.actual_kib = max,
		.rss_kib = max,
		.usable_kib = usable,
		.unused_kib = usable / 2,
		.caches_kib = usable / 2,
		.last_update_sec = 1000,
		.latency = 10 * USEC_PER_MSEC,
	};
}

static void table_init(struct table *t, size_t n)
{
	*t = (struct table){
		.n = n,
		.pool = { .now = 1000 * S,
			.total_kib = 24 * GIB,
			.available_kib = 12 * GIB,
			.psi_some_avg10 = BALLOON_PSI_ABSENT,
			.reserve_kib = 1 * GIB,
			.critical_kib = 512 * MIB },
	};
	for (size_t i = 0; i < n; i++) {
		t->seats[i].in = guest(6 * GIB, 2 * GIB, 5 * GIB);
		t->seats[i].memory = &t->memory[i];
	}
}

static void decide(struct table *t)
{
	balloon_decide(
		&balloon_policy_default, &t->pool, &t->pool_memory, t->seats, t->n, &t->outcome);
}

static void pass(struct table *t)
{
	t->pool.now += 2 * S;
	for (size_t i = 0; i < t->n; i++)
		t->seats[i].in.last_update_sec += 2;
	decide(t);
}

/* Two looks, after which statistics count. */
static void look(struct table *t)
{
	pass(t);
	pass(t);
}

/* The orders are taken and followed at once: the balloon moves, and what it takes is not usable. */
static void obey(struct table *t)
{
	for (size_t i = 0; i < t->n; i++) {
		struct balloon_seat *s = &t->seats[i];

		if (s->out.action == BALLOON_HOLD)
			continue;
		balloon_ordered(&balloon_policy_default, s->memory, &s->out, t->pool.now);
		s->in.usable_kib += s->out.target_kib - s->in.actual_kib;
		s->in.unused_kib = s->in.caches_kib = s->in.usable_kib / 2;
		t->pool.available_kib += s->in.actual_kib - s->out.target_kib;
		s->in.actual_kib = s->out.target_kib;
	}
}

#define expect(t, i, what, why)                                                                    \
	do {                                                                                       \
		assert_string_equal(balloon_reason_to_string((t)->seats[i].out.reason),            \
			balloon_reason_to_string(why));                                            \
		assert_int_equal((t)->seats[i].out.action, what);                                  \
	} while (0)

static void test_at_ease(void **state)
{
	struct table t;

	(void)state;
	table_init(&t, 1);
	look(&t);
	expect(&t, 0, BALLOON_HOLD, BALLOON_STEADY);
	assert_int_equal(t.seats[0].out.target_kib, 6 * GIB);
	assert_int_equal(t.outcome.period, 5 * S);
	assert_false(t.outcome.pressed);
}

static void test_need(void **state)
{
	struct table t;

	(void)state;
	table_init(&t, 1);
	t.pool.available_kib = 4 * GIB; /* under 20 % of 24 */
	look(&t);
	assert_true(t.outcome.pressed);
	expect(&t, 0, BALLOON_SHRINK, BALLOON_HOST_NEED);
	assert_int_equal(t.seats[0].out.target_kib, 6 * GIB - 64 * MIB);
	obey(&t);
	pass(&t);
	/* Nothing was felt: twice as much. */
	assert_int_equal(t.seats[0].out.target_kib, 6 * GIB - 192 * MIB);
	for (unsigned i = 0; i < 200; i++) {
		obey(&t);
		pass(&t);
	}
	/* It ends at the line where the host is at ease, not at the one where it was pressed. */
	assert_false(t.outcome.pressed);
	assert_in_range(t.pool.available_kib, 6 * GIB, 6 * GIB + 32 * MIB);
}

static void test_floor_and_keep(void **state)
{
	struct table t;

	(void)state;
	table_init(&t, 2);
	t.seats[1].in.usable_kib = 1 * GIB;
	t.seats[1].in.unused_kib = t.seats[1].in.caches_kib = 512 * MIB;
	t.pool.available_kib = 0;
	look(&t);
	for (unsigned i = 0; i < 300; i++) {
		obey(&t);
		t.pool.available_kib = 1 * GIB;
		pass(&t);
	}
	expect(&t, 0, BALLOON_HOLD, BALLOON_AT_FLOOR);
	assert_in_range(t.seats[0].in.actual_kib, 2 * GIB, 2 * GIB + 16 * MIB);
	expect(&t, 1, BALLOON_HOLD, BALLOON_NO_SLACK);
	/* 15 % of 6 GiB are kept usable. */
	assert_in_range(t.seats[1].in.usable_kib, 921 * MIB, 938 * MIB);
}

/* The one with the larger slack for its weight gives, and the light one before the heavy one. */
static void test_donors(void **state)
{
	struct table t;

	(void)state;
	table_init(&t, 2);
	t.seats[1].in.weight = 1000;
	t.pool.available_kib = 6 * GIB - 100 * MIB;
	t.pool_memory.pressed = true;
	look(&t);
	uint64_t light = 6 * GIB - t.seats[0].out.target_kib;
	uint64_t heavy = 6 * GIB - t.seats[1].out.target_kib;
	assert_in_range(light + heavy, 84 * MIB, 100 * MIB);
	assert_true(light > 0 && light > heavy);
}

struct blind_row {
	const char *what;
	enum balloon_reason reason;
	void (*spoil)(struct table *t);
};

static void no_driver(struct table *t)
{
	struct balloon_guest *in = &t->seats[0].in;

	in->usable_kib = in->unused_kib = in->caches_kib = BALLOON_ABSENT;
	in->swap_in_kib = in->swap_out_kib = in->major_faults = BALLOON_ABSENT;
	in->last_update_sec = 0;
}
static void frozen(struct table *t)
{
	for (unsigned i = 0; i < 20; i++) {
		t->pool.now += 2 * S;
		decide(t);
	}
}
static void future_stamp(struct table *t)
{
	t->pool.realtime_sec = 500;
}
static void usable_over_actual(struct table *t)
{
	t->seats[0].in.usable_kib = 7 * GIB;
}
static void usable_from_nowhere(struct table *t)
{
	t->seats[0].in.unused_kib = t->seats[0].in.caches_kib = 1 * GIB;
}
static void all_zero(struct table *t)
{
	t->seats[0].in.usable_kib = t->seats[0].in.unused_kib = t->seats[0].in.caches_kib = 0;
}
static void boots(struct table *t)
{
	t->seats[0].in.phase = BALLOON_BOOTING;
}
static void stops(struct table *t)
{
	t->seats[0].in.phase = BALLOON_LEAVING;
}
static void is_unwell(struct table *t)
{
	t->seats[0].in.phase = BALLOON_UNWELL;
}
static void is_away(struct table *t)
{
	t->seats[0].in.phase = BALLOON_AWAY;
}

/* None of these gives, however much the host needs. */
static void test_never(void **state)
{
	static const struct blind_row rows[] = {
		{ "no driver", BALLOON_NO_STATISTICS, no_driver },
		{ "frozen", BALLOON_STALE, frozen },
		{ "future", BALLOON_ABSURD, future_stamp },
		{ "usable over actual", BALLOON_ABSURD, usable_over_actual },
		{ "usable from nowhere", BALLOON_ABSURD, usable_from_nowhere },
		{ "all zero", BALLOON_ABSURD, all_zero },
		{ "boots", BALLOON_GUEST_BOOTING, boots },
		{ "stops", BALLOON_GUEST_LEAVING, stops },
		{ "unwell", BALLOON_GUEST_UNWELL, is_unwell },
		{ "away", BALLOON_GUEST_AWAY, is_away },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct table t;

		table_init(&t, 1);
		t.pool.available_kib = 100 * MIB;
		look(&t);
		expect(&t, 0, BALLOON_SHRINK, BALLOON_HOST_NEED);
		rows[i].spoil(&t);
		if (rows[i].spoil == frozen)
			decide(&t);
		else
			pass(&t);
		if (t.seats[0].out.action == BALLOON_SHRINK ||
			t.seats[0].out.reason != rows[i].reason)
			fail_msg("%s: %s, %s", rows[i].what,
				balloon_action_to_string(t.seats[0].out.action),
				balloon_reason_to_string(t.seats[0].out.reason));
	}
}

/* One loan is felt: all on trial go back at once, and the level is not tried again for long. */
static void test_trial(void **state)
{
	struct table t;

	(void)state;
	table_init(&t, 1);
	t.pool.available_kib = 3 * GIB;
	look(&t);
	for (unsigned i = 0; i < 5; i++) {
		obey(&t);
		pass(&t);
	}
	uint64_t before = t.seats[0].in.actual_kib, half = before + (6 * GIB - before) / 2;
	assert_true(before < 6 * GIB);
	t.seats[0].in.swap_out_kib += 4096;
	t.seats[0].in.swap_in_kib += 4096;
	pass(&t);
	expect(&t, 0, BALLOON_GROW, BALLOON_SWAP_IN);
	assert_true(t.seats[0].out.rolled_back);
	assert_int_equal(t.seats[0].out.target_kib, 6 * GIB);
	assert_int_equal(t.seats[0].out.floor_kib, 2 * GIB);
	obey(&t);
	pass(&t);
	expect(&t, 0, BALLOON_HOLD, BALLOON_RECOVERING);
	assert_in_range(t.seats[0].out.floor_kib, half - 1, half + 1);
	for (unsigned i = 0; i < 600; i++) {
		t.pool.available_kib = 2 * GIB;
		pass(&t);
		obey(&t);
		assert_true(t.seats[0].in.actual_kib >= half - 1);
	}
	/* Three hours later the lesson has faded. */
	t.pool.now += 3 * USEC_PER_HOUR;
	look(&t);
	assert_true(t.seats[0].out.floor_kib < before);
}

/* Haste begins while something can still grow out of what is above the critical line. */
static void test_near(void **state)
{
	struct table t;

	(void)state;
	table_init(&t, 1);
	t.pool.available_kib = 2 * GIB;
	look(&t);
	assert_false(t.outcome.tight);
	assert_int_equal(t.seats[0].out.target_kib, 6 * GIB - 64 * MIB);
	t.pool.available_kib = 1800 * MIB; /* 512 MiB, and a third of the way to 4.8 GiB */
	pass(&t);
	assert_true(t.outcome.tight);
	assert_false(t.outcome.critical);
	assert_int_equal(t.seats[0].out.target_kib, 6 * GIB - 768 * MIB);
	t.pool.available_kib = 2500 * MIB;
	pass(&t);
	assert_true(t.outcome.tight);
	t.pool.available_kib = 2800 * MIB;
	pass(&t);
	assert_false(t.outcome.tight);
	/* A pool of small guests needs less in hand, however large the host. */
	t.seats[0].in = guest(1 * GIB, 256 * MIB, 900 * MIB);
	t.pool.available_kib = 800 * MIB;
	pass(&t);
	assert_false(t.outcome.tight);
}

/* Lends for five ticks and hurts by `hurt`. */
static void lend_and_hurt(struct table *t, uint64_t swapped, usec_t latency)
{
	look(t);
	for (unsigned i = 0; i < 5; i++) {
		obey(t);
		pass(t);
	}
	assert_true(t->seats[0].in.actual_kib < 6 * GIB);
	t->seats[0].in.swap_in_kib += swapped;
	t->seats[0].in.swap_out_kib += swapped;
	t->seats[0].in.latency = latency;
	pass(t);
	for (usec_t since = t->pool.now;
		latency > 100 * USEC_PER_MSEC &&
		t->pool.now < since + balloon_policy_default.latency_for;) {
		assert_int_not_equal(t->seats[0].out.action, BALLOON_GROW);
		obey(t);
		pass(t);
	}
	assert_int_equal(t->seats[0].out.action, BALLOON_GROW);
	obey(t);
	t->seats[0].in.latency = 10 * USEC_PER_MSEC;
	pass(t);
	expect(t, 0, BALLOON_HOLD, BALLOON_RECOVERING);
}

/* The guest that hurt is left alone for ten minutes; one that uses a gigabyte less is another. */
static void test_another(void **state)
{
	for (unsigned less = 0; less < 2; less++) {
		struct table t;

		(void)state;
		table_init(&t, 1);
		t.pool.available_kib = 3 * GIB;
		lend_and_hurt(&t, 4096, 10 * USEC_PER_MSEC);
		t.seats[0].in.actual_kib = 6 * GIB;
		t.seats[0].in.usable_kib = 4 * GIB;
		for (unsigned i = 0; i < 40; i++)
			pass(&t);
		t.seats[0].in.usable_kib = less ? 5950 * MIB : 5 * GIB;
		t.seats[0].in.unused_kib = t.seats[0].in.caches_kib = 3 * GIB;
		for (unsigned i = 0; i < 3; i++)
			pass(&t);
		if (less)
			expect(&t, 0, BALLOON_SHRINK, BALLOON_HOST_NEED);
		else
			expect(&t, 0, BALLOON_HOLD, BALLOON_RECOVERING);
	}
}

/* Slow answers and not one fault: its counters do not show when it hurts, so even a host about to
 * fail does not try that level again soon. Where a counter moved, it does. */
static void test_unseen(void **state)
{
	for (unsigned seen = 0; seen < 2; seen++) {
		struct table t;

		(void)state;
		table_init(&t, 1);
		t.pool.available_kib = 3 * GIB;
		lend_and_hurt(&t, seen ? 4096 : 0, (seen ? 10 : 500) * USEC_PER_MSEC);
		uint64_t floor = t.memory[0].learned_kib;

		for (unsigned i = 0; i < 270; i++) { /* nine minutes */
			t.pool.available_kib = 600 * MIB;
			pass(&t);
			obey(&t);
		}
		assert_true(t.outcome.tight);
		if (seen)
			assert_true(t.seats[0].in.usable_kib < floor / 2);
		else
			assert_true(t.seats[0].in.usable_kib >= floor);
	}
}

/* Pages that come back and went out before the loan was made: the loan goes back, and is no lesson.
 * Where nobody counts what goes out, it is one. */
static void test_residue(void **state)
{
	for (unsigned counted = 0; counted < 2; counted++) {
		struct table t;

		(void)state;
		table_init(&t, 1);
		t.pool.available_kib = 3 * GIB;
		t.seats[0].in.swap_out_kib = counted ? 64 * MIB : BALLOON_ABSENT;
		look(&t);
		for (unsigned i = 0; i < 5; i++) {
			obey(&t);
			pass(&t);
		}
		assert_true(t.seats[0].in.actual_kib < 6 * GIB);
		t.seats[0].in.swap_in_kib += 4096;
		pass(&t);
		expect(&t, 0, BALLOON_GROW, BALLOON_SWAP_IN);
		assert_true(t.seats[0].out.rolled_back);
		assert_int_equal(t.memory[0].learned_kib == 0, counted);
		obey(&t);
		pass(&t);
		expect(&t, 0, BALLOON_HOLD, BALLOON_RECOVERING);
		for (usec_t end = t.pool.now + balloon_policy_default.recover; t.pool.now < end;)
			pass(&t);
		expect(&t, 0, counted ? BALLOON_SHRINK : BALLOON_HOLD,
			counted ? BALLOON_HOST_NEED : BALLOON_RECOVERING);
	}
}

/* A burst of work on the host makes a guest slow for some seconds: no lesson. */
static void test_burst(void **state)
{
	struct table t;

	(void)state;
	table_init(&t, 1);
	t.pool.available_kib = 3 * GIB;
	look(&t);
	for (unsigned burst = 0; burst < 3; burst++) {
		t.seats[0].in.latency = 500 * USEC_PER_MSEC;
		usec_t end = t.pool.now + balloon_policy_default.latency_for;

		while (t.pool.now < end) {
			obey(&t);
			pass(&t);
			assert_int_not_equal(t.seats[0].out.action, BALLOON_GROW);
		}
		t.seats[0].in.latency = 10 * USEC_PER_MSEC;
		obey(&t);
		pass(&t);
		assert_int_not_equal(t.seats[0].out.action, BALLOON_GROW);
	}
	assert_int_equal(t.memory[0].learned_kib, 0);
}

/* A guest that reads a new working set faults and answers slowly; with memory free that is no want
 * of it, and the loan stands. With none free it is. */
static void test_first_read(void **state)
{
	for (unsigned scarce = 0; scarce < 2; scarce++) {
		struct table t;
		unsigned grows = 0;

		(void)state;
		table_init(&t, 1);
		t.pool.available_kib = 3 * GIB;
		look(&t);
		obey(&t);
		for (unsigned i = 0; i < 10; i++) { /* twenty seconds */
			t.seats[0].in.major_faults += 400;
			t.seats[0].in.latency = 500 * USEC_PER_MSEC;
			t.seats[0].in.unused_kib = scarce ? 90 * MIB : 300 * MIB;
			t.seats[0].in.caches_kib = t.seats[0].in.usable_kib;
			pass(&t);
			grows += t.seats[0].out.action == BALLOON_GROW;
			obey(&t);
		}
		assert_int_equal(grows > 0, scarce);
		assert_int_equal(t.memory[0].learned_kib > 0, scarce);
	}
}

/* A small guest fills memory as fast as a large one, so what it is left with is not in proportion:
 * at 300 MiB it is given some before anything happens, host need or not. */
static void test_small_low(void **state)
{
	struct table t;

	(void)state;
	table_init(&t, 1);
	t.seats[0].in = guest(2 * GIB, 512 * MIB, 300 * MIB);
	t.seats[0].in.actual_kib = GIB;
	t.pool.available_kib = 2 * GIB;
	look(&t);
	assert_true(t.outcome.pressed);
	expect(&t, 0, BALLOON_GROW, BALLOON_LOW);
	for (unsigned i = 0; i < 10; i++) {
		obey(&t);
		pass(&t);
	}
	assert_in_range(t.seats[0].in.usable_kib, 384 * MIB, 448 * MIB);
	/* But one that is small altogether is not asked to have what it cannot. */
	t.seats[0].in = guest(512 * MIB, 128 * MIB, 100 * MIB);
	t.seats[0].in.actual_kib = 300 * MIB;
	memset(t.memory, 0, sizeof(t.memory));
	look(&t);
	expect(&t, 0, BALLOON_HOLD, BALLOON_NO_SLACK);
}

/* A guest that fills up while an order to give is on its way, and the host has nothing: the rest of
 * the order is taken back, for that memory is the guest's still. */
static void test_taken_back(void **state)
{
	struct table t;

	(void)state;
	table_init(&t, 1);
	t.seats[0].in.tcg = true;
	t.pool.available_kib = 400 * MIB;
	look(&t);
	expect(&t, 0, BALLOON_SHRINK, BALLOON_HOST_NEED);
	uint64_t goal = t.seats[0].out.target_kib;
	balloon_ordered(&balloon_policy_default, &t.memory[0], &t.seats[0].out, t.pool.now);
	/* 300 MiB a second of its own, 50 of the balloon. */
	for (unsigned i = 0; i < 5 && t.seats[0].out.action != BALLOON_GROW; i++) {
		t.seats[0].in.actual_kib -= 100 * MIB;
		t.seats[0].in.usable_kib -= 700 * MIB;
		pass(&t);
	}
	expect(&t, 0, BALLOON_GROW, BALLOON_FALLING);
	assert_true(t.seats[0].in.actual_kib > goal);
	assert_true(t.seats[0].in.usable_kib > GIB);
	assert_int_equal(t.seats[0].out.target_kib, t.seats[0].in.actual_kib);
	assert_false(t.seats[0].out.rolled_back);
	balloon_ordered(&balloon_policy_default, &t.memory[0], &t.seats[0].out, t.pool.now);
	assert_int_equal(t.memory[0].n_loans, 1);
	/* It had gone on for a moment; that is no guest that does not follow. */
	t.seats[0].in.actual_kib -= 4 * MIB;
	t.seats[0].in.usable_kib -= 604 * MIB;
	pass(&t);
	expect(&t, 0, BALLOON_HOLD, BALLOON_POOL_DRY);
	assert_int_equal(t.memory[0].ordered_kib, 0);
}

/* What slows down by inches while it gives by inches is measured against what it was before. */
static void test_inches(void **state)
{
	struct table t;
	bool hurt = false;

	(void)state;
	table_init(&t, 1);
	t.pool.available_kib = 3 * GIB;
	t.seats[0].in.latency = 100 * USEC_PER_MSEC;
	look(&t);
	for (unsigned i = 0; i < 60 && !hurt; i++) {
		obey(&t);
		t.pool.available_kib = 3 * GIB;
		t.seats[0].in.latency = t.seats[0].in.latency * 21 / 20;
		pass(&t);
		hurt = t.seats[0].out.reason == BALLOON_LATENCY;
	}
	assert_true(hurt);
	assert_true(t.seats[0].in.latency < 350 * USEC_PER_MSEC);
}

/* Whoever only rests is woken where another's need cannot be met, but gives no more than its lesson
 * leaves it. */
static void test_woken(void **state)
{
	for (unsigned need = 0; need < 2; need++) {
		struct table t;

		(void)state;
		table_init(&t, 2);
		t.seats[1].in.phase = BALLOON_BOOTING;
		t.seats[1].in.actual_kib = 3 * GIB;
		t.seats[1].in.usable_kib = t.seats[1].in.unused_kib = 1 * GIB;
		t.pool.available_kib = 3 * GIB;
		lend_and_hurt(&t, 4096, 10 * USEC_PER_MSEC);
		t.seats[0].in.usable_kib = 1900 * MIB;
		t.seats[0].in.unused_kib = t.seats[0].in.caches_kib = 950 * MIB;
		t.memory[0].learned_kib = 1500 * MIB;
		t.pool.available_kib = 500 * MIB;
		for (unsigned i = 0; i < 32; i++)
			pass(&t);
		if (need)
			t.seats[1].in.usable_kib = 100 * MIB;
		t.memory[0].learned_kib = 1500 * MIB;
		pass(&t);
		assert_true(t.outcome.tight);
		if (!need) {
			expect(&t, 0, BALLOON_HOLD, BALLOON_RECOVERING);
			continue;
		}
		expect(&t, 1, BALLOON_HOLD, BALLOON_POOL_DRY);
		expect(&t, 0, BALLOON_SHRINK, BALLOON_HOST_NEED);
		assert_in_range(t.seats[0].in.actual_kib - t.seats[0].out.target_kib, 64 * MIB,
			1900 * MIB - t.memory[0].learned_kib);
	}
}

static void test_growth(void **state)
{
	struct table t;

	(void)state;
	table_init(&t, 1);
	t.seats[0].in.actual_kib = 3 * GIB;
	t.seats[0].in.usable_kib = 1200 * MIB;
	t.seats[0].in.unused_kib = t.seats[0].in.caches_kib = 600 * MIB;
	look(&t);
	expect(&t, 0, BALLOON_HOLD, BALLOON_STEADY);
	/* 300 MiB a second: seen before it hurts. */
	t.seats[0].in.usable_kib -= 600 * MIB;
	pass(&t);
	expect(&t, 0, BALLOON_GROW, BALLOON_FALLING);
	assert_true(t.seats[0].out.target_kib > 3 * GIB + 900 * MIB);
	t.seats[0].in.usable_kib = 100 * MIB;
	t.pool.now += 10 * S;
	pass(&t);
	assert_int_equal(t.seats[0].out.action, BALLOON_GROW);
	/* Nothing above the critical line: told, and the others are asked. */
	t.pool.available_kib = 500 * MIB;
	t.pool.now += 10 * S;
	pass(&t);
	expect(&t, 0, BALLOON_HOLD, BALLOON_POOL_DRY);
	assert_true(t.outcome.critical);
	assert_true(t.outcome.need_kib > 0);
}

/* A guest that does not follow is withdrawn from, set aside, and tried again with a small step. */
static void test_stuck(void **state)
{
	struct table t;
	unsigned orders = 0, withdrawn = 0;

	(void)state;
	table_init(&t, 2);
	t.pool.available_kib = 1 * GIB;
	look(&t);
	for (unsigned i = 0; i < 300; i++) {
		struct balloon_seat *s = &t.seats[0];

		if (s->out.action == BALLOON_SHRINK)
			orders++;
		if (s->out.action == BALLOON_GROW && s->out.reason == BALLOON_STUCK) {
			assert_int_equal(s->out.target_kib, 6 * GIB);
			withdrawn++;
		}
		/* Only the second follows. */
		uint64_t actual = s->in.actual_kib, usable = s->in.usable_kib;
		obey(&t);
		s->in.actual_kib = actual;
		s->in.usable_kib = usable;
		s->in.unused_kib = s->in.caches_kib = usable / 2;
		t.pool.available_kib = 1 * GIB;
		pass(&t);
	}
	/* 600 s: at 0, after 2 min and after another 4. */
	assert_int_equal(orders, 3);
	assert_int_equal(withdrawn, 3);
	expect(&t, 0, BALLOON_HOLD, BALLOON_STUCK);
	assert_int_equal(t.seats[1].in.actual_kib / MIB, 2 * GIB / MIB);
}

static void test_override(void **state)
{
	struct table t;

	(void)state;
	table_init(&t, 1);
	look(&t);
	t.seats[0].in.override_kib = 3 * GIB;
	t.seats[0].in.override_until = t.pool.now + 60 * S;
	pass(&t);
	for (unsigned i = 0; i < 10; i++) {
		expect(&t, 0, t.seats[0].in.actual_kib > 3 * GIB ? BALLOON_SHRINK : BALLOON_HOLD,
			t.seats[0].in.actual_kib > 3 * GIB ? BALLOON_OVERRIDE : BALLOON_OVERRIDDEN);
		obey(&t);
		pass(&t);
	}
	assert_int_equal(t.seats[0].in.actual_kib, 3 * GIB);
	/* Less than it can spare, and less than the least. */
	t.seats[0].in.usable_kib = 700 * MIB;
	t.seats[0].in.unused_kib = t.seats[0].in.caches_kib = 350 * MIB;
	t.seats[0].in.override_kib = 1;
	t.pool.now += 20 * S;
	pass(&t);
	pass(&t);
	assert_true(t.seats[0].out.target_kib >= 2 * GIB);
	/* It ends by itself. */
	t.pool.now += 60 * S;
	look(&t);
	assert_int_not_equal(t.seats[0].out.reason, BALLOON_OVERRIDDEN);
	t.seats[0].in.override_kib = 5 * GIB;
	t.seats[0].in.override_until = 0;
	pass(&t);
	expect(&t, 0, BALLOON_GROW, BALLOON_OVERRIDE);
	assert_int_equal(t.seats[0].out.target_kib, 5 * GIB);
}

static void test_eager(void **state)
{
	struct table t;

	(void)state;
	table_init(&t, 1);
	t.seats[0].in.idle_kib = 4 * GIB;
	look(&t);
	expect(&t, 0, BALLOON_SHRINK, BALLOON_IDLE);
	for (unsigned i = 0; i < 100; i++) {
		obey(&t);
		pass(&t);
	}
	assert_in_range(t.seats[0].in.actual_kib, 4 * GIB, 4 * GIB + 16 * MIB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_at_ease),
		cmocka_unit_test(test_need),
		cmocka_unit_test(test_floor_and_keep),
		cmocka_unit_test(test_donors),
		cmocka_unit_test(test_never),
		cmocka_unit_test(test_trial),
		cmocka_unit_test(test_near),
		cmocka_unit_test(test_another),
		cmocka_unit_test(test_unseen),
		cmocka_unit_test(test_residue),
		cmocka_unit_test(test_burst),
		cmocka_unit_test(test_first_read),
		cmocka_unit_test(test_small_low),
		cmocka_unit_test(test_taken_back),
		cmocka_unit_test(test_inches),
		cmocka_unit_test(test_woken),
		cmocka_unit_test(test_growth),
		cmocka_unit_test(test_stuck),
		cmocka_unit_test(test_override),
		cmocka_unit_test(test_eager),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
