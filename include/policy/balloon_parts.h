/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of policy/balloon, for itself alone: what a guest feels, and who gets what. */
#ifndef MEDIAKIT_POLICY_BALLOON_PARTS_H
#define MEDIAKIT_POLICY_BALLOON_PARTS_H

#include "policy/balloon.h"

/* x * num / den without wrapping for x up to BALLOON_KIB_MAX and num up to 2^23; den > 0. */
static inline uint64_t balloon_part(uint64_t x, uint64_t num, uint64_t den)
{
	return x * num / den;
}

static inline uint64_t balloon_less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static inline uint64_t balloon_clamp(uint64_t v, uint64_t low, uint64_t high)
{
	return v > high ? high : v < low ? low : v;
}

/* Judges the statistics and fills the seat's work: limits, signs, why it may not give. */
void balloon_sense(const struct balloon_policy *p, const struct balloon_pool *pool, bool tight,
	struct balloon_seat *s);

/* The level before the oldest loan still on trial; 0: none is. Forgets older ones. */
uint64_t balloon_loan_level(const struct balloon_policy *p, struct balloon_memory *m, usec_t now);

/* What is left of `v` after `elapsed`, halving every `half`. */
uint64_t balloon_halve(uint64_t v, usec_t elapsed, usec_t half);

/* Lets an old lesson fade. */
void balloon_decay(const struct balloon_policy *p, struct balloon_seat *s, usec_t now);

/* The loans since `loan_level` hurt: remembers how much is to stay usable. */
void balloon_learn(
	const struct balloon_policy *p, struct balloon_seat *s, uint64_t loan_level, usec_t now);

/* Grants growth out of `budget`, pain before foresight and weight before weight. Returns what was
 * wanted and could not be granted. */
uint64_t balloon_grant(const struct balloon_policy *p, struct balloon_seat *seats, size_t n,
	uint64_t budget, uint64_t *ret_granted);

/* Takes `need` from those who may give, by slack over weight. `urgent`: in large steps. `dry`:
 * somebody's need cannot be met, so those who only rest are asked as well. */
void balloon_collect(const struct balloon_policy *p, struct balloon_seat *seats, size_t n,
	uint64_t need, bool urgent, bool dry);

#endif
