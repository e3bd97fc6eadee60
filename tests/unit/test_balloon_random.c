/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever a guest says and whatever is remembered of it: no target outside its bounds, no shrink
 * without sight, no more given than there is. SEED= repeats a run, ROUNDS= makes it longer. */
/* LINK: base/time model/spec policy/balloon policy/balloon_names policy/balloon_loan policy/balloon_sense policy/balloon_share */
#include "policy/balloon.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/macro.h"

#define GUESTS 5u
#define GIB    (UINT64_C(1024) * 1024)

static uint64_t random_state;

static uint64_t draw(void)
{
	/* xorshift64* */
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * UINT64_C(2685821657736338717);
}

static uint64_t below(uint64_t n)
{
	return draw() % n;
}

/* Mostly what a guest might say, often what none would. */
static uint64_t number(uint64_t around)
{
	static const uint64_t odd[] = { 0, 1, UINT64_MAX, UINT64_MAX - 1, INT64_MAX,
		(uint64_t)INT64_MIN, UINT32_MAX, BALLOON_KIB_MAX, BALLOON_KIB_MAX + 1,
		UINT64_MAX / 1000 };

	switch (below(8)) {
	case 0:
		return odd[below(ARRAY_SIZE(odd))];
	case 1:
		return draw() >> below(64);
	default:
		return below(around + 1);
	}
}

static void random_guest(struct balloon_guest *in)
{
	*in = (struct balloon_guest){
		.phase = (enum balloon_phase)(below(3) ? BALLOON_UP : below(BALLOON_PHASE_NUM)),
		.tcg = below(2),
		.max_kib = number(16 * GIB),
		.limit_kib = below(3) ? 0 : number(16 * GIB),
		.min_kib = number(4 * GIB),
		.idle_kib = below(3) ? 0 : number(8 * GIB),
		.weight = (unsigned)number(10000),
		.actual_kib = number(16 * GIB),
		.usable_kib = number(16 * GIB),
		.unused_kib = number(8 * GIB),
		.caches_kib = number(8 * GIB),
		.swap_in_kib = number(GIB),
		.swap_out_kib = number(GIB),
		.major_faults = number(GIB),
		.last_update_sec = number(100000),
		.latency = number(USEC_PER_SEC),
		.override_kib = below(4) ? 0 : number(16 * GIB),
		.override_until = below(2) ? 0 : number(1000 * USEC_PER_SEC),
	};
}

/* The next statistics of a guest that lives on: a few fields change. */
static void drift(struct balloon_guest *in)
{
	struct balloon_guest other;

	random_guest(&other);
	if (below(4) == 0)
		in->max_kib = other.max_kib;
	if (below(4) == 0)
		in->actual_kib = other.actual_kib;
	if (below(3) == 0)
		in->usable_kib = MIN(in->actual_kib, other.usable_kib);
	if (below(3) == 0)
		in->unused_kib = in->caches_kib = in->usable_kib / 2;
	if (below(5) == 0)
		in->swap_in_kib += other.swap_in_kib;
	if (below(9) == 0)
		in->phase = other.phase;
	in->override_kib = other.override_kib;
	in->last_update_sec += below(3) ? 2 : other.last_update_sec;
}

static void random_bytes(void *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		((unsigned char *)p)[i] = (unsigned char)(below(3) ? draw() : below(2) * 255);
	/* A bool with another value than 0 and 1 is no value at all. */
}

static void random_memory(struct balloon_memory *m)
{
	random_bytes(m, sizeof(*m));
	memset(&m->moving, 0, sizeof(m->moving));
	memset(&m->counted, 0, sizeof(m->counted));
	memset(&m->lesson_unseen, 0, sizeof(m->lesson_unseen));
	memset(&m->anew, 0, sizeof(m->anew));
	m->moving = below(2);
	m->lesson_unseen = below(2);
	m->anew = below(2);
	m->counted = below(2);
}

static void random_pool(struct balloon_pool *pool, usec_t now)
{
	*pool = (struct balloon_pool){
		.now = now,
		.total_kib = number(32 * GIB),
		.available_kib = number(16 * GIB),
		.psi_some_avg10 = (uint32_t)number(2000),
		.reserve_kib = number(2 * GIB),
		.critical_kib = number(GIB),
		.realtime_sec = number(200000),
	};
}

static void check_seat(const struct balloon_seat *s)
{
	const struct balloon_decision *d = &s->out;
	uint64_t max = s->in.max_kib <= BALLOON_KIB_MAX ? s->in.max_kib : 0;

	assert_in_range(d->action, 0, BALLOON_ACTION_NUM - 1);
	assert_in_range(d->reason, 0, BALLOON_REASON_NUM - 1);
	assert_true(d->floor_kib <= d->target_kib);
	assert_true(d->target_kib <= max);
	uint64_t limit = s->in.limit_kib ? MIN(s->in.limit_kib, max) : max;
	assert_true(d->floor_kib >= MIN(s->in.min_kib, limit));
	if (d->action == BALLOON_HOLD)
		return;
	assert_true(s->in.phase != BALLOON_AWAY && s->in.phase != BALLOON_LEAVING);
	if (d->action == BALLOON_GROW) {
		assert_true(d->target_kib >= MIN(s->in.actual_kib, max));
		return;
	}
	uint64_t actual = MIN(s->in.actual_kib, max), step = MAX(max / 8, 16384u);
	assert_true(d->target_kib < actual);
	assert_true(d->sighted);
	assert_true(s->in.phase == BALLOON_UP ||
		    (s->in.phase == BALLOON_UNWELL && d->reason == BALLOON_OVERRIDE));
	/* No step takes all the guest can use, none is large. */
	uint64_t usable = s->in.usable_kib <= BALLOON_KIB_MAX ? s->in.usable_kib : s->in.unused_kib;
	assert_true(actual - d->target_kib <= usable);
	assert_true(actual - d->target_kib <= step);
	/* Where it is told, half of what is free and of the cache: what else might go is in use. */
	if (d->reason != BALLOON_OVERRIDE && s->in.unused_kib <= BALLOON_KIB_MAX &&
		s->in.caches_kib <= BALLOON_KIB_MAX)
		assert_true(actual - d->target_kib <= (s->in.unused_kib + s->in.caches_kib) / 2);
}

static uint64_t over(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* The floor is promised; only what goes beyond it must be there. */
static void check_pool(const struct balloon_pool *pool, const struct balloon_seat *seats,
	const struct balloon_outcome *outcome)
{
	uint64_t grown = 0;

	for (size_t i = 0; i < GUESTS; i++)
		if (seats[i].out.action == BALLOON_GROW &&
			seats[i].out.reason != BALLOON_OVERRIDE &&
			seats[i].out.reason != BALLOON_STUCK)
			grown += over(seats[i].out.target_kib,
				MAX(seats[i].in.actual_kib, seats[i].out.floor_kib));
	assert_in_range(outcome->period, 1, USEC_PER_MINUTE);
	if (outcome->blind)
		return;
	/* Two-phase: growth comes out of what is there, above the critical line. */
	uint64_t have = pool->available_kib;
	if (pool->total_kib && have > pool->total_kib)
		have = pool->total_kib;
	assert_true(grown <= (have > pool->critical_kib ? have - pool->critical_kib : 0));
}

static void run(unsigned rounds)
{
	struct balloon_memory memory[GUESTS];
	struct balloon_pool_memory pool_memory = { 0 };
	struct balloon_seat seats[GUESTS];
	struct balloon_pool pool;
	struct balloon_outcome outcome;
	usec_t now = 0;
	unsigned shrinks = 0, grows = 0;

	for (unsigned i = 0; i < rounds; i++) {
		if (i % 16 == 0) {
			memset(memory, 0, sizeof(memory));
			for (size_t k = 0; k < GUESTS; k++) {
				random_guest(&seats[k].in);
				seats[k].memory = &memory[k];
				if (below(4) == 0)
					random_memory(&memory[k]);
			}
		}
		now += below(50) ? below(4 * USEC_PER_SEC) : draw() >> 8;
		random_pool(&pool, now);
		for (size_t k = 0; k < GUESTS; k++)
			drift(&seats[k].in);
		balloon_decide(
			&balloon_policy_default, &pool, &pool_memory, seats, GUESTS, &outcome);
		check_pool(&pool, seats, &outcome);
		for (size_t k = 0; k < GUESTS; k++) {
			check_seat(&seats[k]);
			shrinks += seats[k].out.action == BALLOON_SHRINK;
			grows += seats[k].out.action == BALLOON_GROW;
			if (below(2) && seats[k].out.action != BALLOON_HOLD) {
				balloon_ordered(
					&balloon_policy_default, &memory[k], &seats[k].out, now);
				seats[k].in.actual_kib = seats[k].out.target_kib;
			}
		}
	}
	/* It did decide. */
	assert_true(shrinks > rounds / 200);
	assert_true(grows > rounds / 200);
}

static void test_random(void **state)
{
	const char *seed = getenv("SEED"), *rounds = getenv("ROUNDS");

	(void)state;
	random_state = seed ? strtoull(seed, NULL, 10) | 1 : 20240613;
	run(rounds ? (unsigned)strtoul(rounds, NULL, 10) : 300000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
