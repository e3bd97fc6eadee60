/* SPDX-License-Identifier: Apache-2.0 */
/* Who gets what out of the host's memory, and who gives. */
#include "policy/balloon_parts.h"

#include "base/macro.h"

static uint64_t wanted(const struct balloon_seat *s)
{
	const struct balloon_work *w = &s->work;

	return w->sign == BALLOON_STEADY ? 0 : balloon_less(MIN(w->grow_to, w->limit), w->actual);
}

static uint64_t weight(const struct balloon_seat *s)
{
	return balloon_clamp(s->in.weight, 1, 10000);
}

static void give(struct balloon_seat *s, uint64_t kib)
{
	s->out.action = BALLOON_GROW;
	s->out.target_kib = s->work.actual + kib;
	s->out.reason = s->work.sign;
}

/* One class of seats: each gets its share by weight of what is left, but never more than it wants;
 * what the modest leave goes to the others in the next round. */
static uint64_t grant_class(const struct balloon_policy *p, struct balloon_seat *seats, size_t n,
	bool hard, uint64_t budget)
{
	for (unsigned round = 0; round < 3 && budget >= p->change_min_kib; round++) {
		uint64_t weights = 0, left = budget;

		for (size_t i = 0; i < n; i++)
			if (seats[i].work.hard == hard && wanted(&seats[i]) > 0)
				weights += weight(&seats[i]);
		for (size_t i = 0; i < n; i++) {
			struct balloon_seat *s = &seats[i];
			uint64_t had = balloon_less(s->out.target_kib, s->work.actual);
			uint64_t want = wanted(s);

			if (s->work.hard != hard || want == 0)
				continue;
			uint64_t share = balloon_part(budget, weight(s), weights);
			share = MIN(share, balloon_less(want, had));
			share = MIN(share, left);
			left -= share;
			if (had + share > 0)
				give(s, had + share);
		}
		budget = left;
	}
	return budget;
}

uint64_t balloon_grant(const struct balloon_policy *p, struct balloon_seat *seats, size_t n,
	uint64_t budget, uint64_t *ret_granted)
{
	uint64_t before = budget, lack = 0;

	for (size_t i = 0; i < n; i++)
		if (seats[i].out.action == BALLOON_HOLD)
			seats[i].out.target_kib = seats[i].work.actual;
	budget = grant_class(p, seats, n, true, budget);
	budget = grant_class(p, seats, n, false, budget);
	for (size_t i = 0; i < n; i++) {
		struct balloon_seat *s = &seats[i];
		uint64_t want = wanted(s);

		/* Nobody need give for that. */
		if (s->work.sign == BALLOON_REBOOTED) {
			if (s->out.action != BALLOON_GROW)
				s->work.sign = BALLOON_STEADY;
			continue;
		}
		s->out.wanted_kib = want ? s->work.actual + want : 0;
		lack += balloon_less(s->out.wanted_kib, s->out.target_kib);
		if (s->work.sign == BALLOON_STEADY || s->out.action == BALLOON_GROW)
			continue;
		/* What it is being asked for is still its own. */
		if (s->work.pending && s->memory->ordered_kib < s->work.actual) {
			give(s, 0);
			continue;
		}
		s->out.reason = want ? BALLOON_POOL_DRY : BALLOON_AT_MAXIMUM;
	}
	*ret_granted = before - budget;
	return lack;
}

/* The step a guest may be asked for now: trust grows with every loan that was not felt. */
static uint64_t step_of(const struct balloon_policy *p, const struct balloon_seat *s, bool urgent)
{
	const struct balloon_work *w = &s->work;
	uint64_t most = balloon_part(w->max, p->step_permille, 1000);
	uint64_t step = s->memory->step_kib ? s->memory->step_kib : p->step_first_kib;

	if (s->memory->aside_span)
		return p->change_min_kib; /* it was stuck: a small one will tell */
	if (urgent)
		return balloon_part(w->max, p->urgent_permille, 1000);
	return MIN(step, most);
}

/* What it could give now: not below floor nor into what it keeps; and what is not free already
 * must be cache, of which half is left. */
static uint64_t spare_of(const struct balloon_policy *p, const struct balloon_seat *s, bool urgent)
{
	const struct balloon_work *w = &s->work;
	const struct balloon_guest *in = &s->in;
	uint64_t usable = MIN(w->usable, w->actual);
	uint64_t spare = balloon_less(MIN(usable, s->memory->usable_slow_kib), w->keep);

	spare = MIN(spare, balloon_less(w->actual, w->floor));
	spare = MIN(spare, step_of(p, s, urgent));
	if (in->caches_kib != BALLOON_ABSENT && in->unused_kib != BALLOON_ABSENT)
		spare = MIN(spare, in->unused_kib / 2 + in->caches_kib / 2);
	return spare >= p->change_min_kib ? spare : 0;
}

static uint64_t slack_of(const struct balloon_seat *s)
{
	return balloon_less(MIN(s->work.usable, s->work.actual), s->work.keep);
}

static void take(struct balloon_seat *s, uint64_t kib)
{
	s->out.action = BALLOON_SHRINK;
	s->out.target_kib = s->work.actual - kib;
	s->out.reason = s->work.cause;
}

/* Whether the guest may be asked at all; where not, `out` says why. */
static bool donor(const struct balloon_policy *p, struct balloon_seat *s, bool urgent, bool dry)
{
	struct balloon_work *w = &s->work;
	/* What it has learned stands, and what is above that another needs more. */
	bool woken = w->block == BALLOON_RECOVERING && w->light_rest && dry;

	s->out.slack_kib = s->out.sighted ? slack_of(s) : 0;
	w->spare = 0;
	if (s->out.action != BALLOON_HOLD || w->sign != BALLOON_STEADY ||
		(w->block != BALLOON_STEADY && !woken))
		return false;
	w->spare = spare_of(p, s, urgent);
	return w->spare > 0;
}

/* By slack over weight: the share of a guest is need * (slack / weight) / sum of those. */
static uint64_t share_out(
	const struct balloon_policy *p, struct balloon_seat *seats, size_t n, uint64_t need)
{
	uint64_t sum = 0, left = need;

	for (size_t i = 0; i < n; i++)
		if (seats[i].work.spare && seats[i].work.cause == BALLOON_HOST_NEED)
			sum += seats[i].out.slack_kib / weight(&seats[i]) + 1;
	for (size_t i = 0; i < n && sum > 0; i++) {
		struct balloon_seat *s = &seats[i];
		double part;

		if (!s->work.spare || s->work.cause != BALLOON_HOST_NEED ||
			s->out.action == BALLOON_SHRINK)
			continue;
		part = (double)(s->out.slack_kib / weight(s) + 1) / (double)sum;
		uint64_t share = MIN((uint64_t)((double)need * part), s->work.spare);
		/* Less than the smallest change: the next round's turn order decides. */
		share = MIN(share, left);
		if (share < p->change_min_kib)
			continue;
		take(s, share);
		left -= share;
	}
	return left;
}

/* What is left over by the shares' rounding and limits is asked of those with the most slack over
 * weight. */
static void top_up(
	const struct balloon_policy *p, struct balloon_seat *seats, size_t n, uint64_t left)
{
	while (left >= p->change_min_kib) {
		struct balloon_seat *best = NULL;
		uint64_t best_rank = 0;

		for (size_t i = 0; i < n; i++) {
			struct balloon_seat *s = &seats[i];
			uint64_t given = s->out.action == BALLOON_SHRINK
						 ? s->work.actual - s->out.target_kib
						 : 0;
			uint64_t rank = s->out.slack_kib / weight(s) + 1;

			if (s->work.cause == BALLOON_HOST_NEED && s->work.spare > given &&
				rank > best_rank) {
				best = s;
				best_rank = rank;
			}
		}
		if (!best)
			return;
		uint64_t given = best->out.action == BALLOON_SHRINK
					 ? best->work.actual - best->out.target_kib
					 : 0;
		uint64_t more = MIN(left, best->work.spare - given);
		take(best, given + more);
		left -= more;
		best->work.spare = given + more;
	}
}

/* Without need: down to IdleTarget, or to a lowered Memory=. */
static void collect_own(struct balloon_seat *s)
{
	struct balloon_work *w = &s->work;
	uint64_t goal = w->cause == BALLOON_OVER_LIMIT ? w->limit : MAX(s->in.idle_kib, w->floor);
	uint64_t over = balloon_less(w->actual, goal);

	if (over > 0 && w->spare > 0)
		take(s, MIN(over, w->spare));
}

static enum balloon_reason cause_of(const struct balloon_seat *s, bool need)
{
	if (s->work.actual > s->work.limit)
		return BALLOON_OVER_LIMIT;
	if (need)
		return BALLOON_HOST_NEED;
	if (s->in.idle_kib && s->work.actual > s->in.idle_kib)
		return BALLOON_IDLE;
	return BALLOON_STEADY;
}

static enum balloon_reason why_not(const struct balloon_policy *p, const struct balloon_seat *s)
{
	const struct balloon_work *w = &s->work;

	if (w->block != BALLOON_STEADY)
		return w->block;
	if (w->cause == BALLOON_STEADY)
		return BALLOON_STEADY;
	if (w->spare > 0)
		return BALLOON_SPARED;
	return balloon_less(w->actual, w->floor) < p->change_min_kib ? BALLOON_AT_FLOOR
								     : BALLOON_NO_SLACK;
}

void balloon_collect(const struct balloon_policy *p, struct balloon_seat *seats, size_t n,
	uint64_t need, bool urgent, bool dry)
{
	for (size_t i = 0; i < n; i++) {
		struct balloon_seat *s = &seats[i];

		s->work.cause = cause_of(s, need > 0);
		if (!donor(p, s, urgent, dry))
			continue;
		if (s->work.cause == BALLOON_IDLE || s->work.cause == BALLOON_OVER_LIMIT)
			collect_own(s);
	}
	if (need > 0)
		top_up(p, seats, n, share_out(p, seats, n, need));
	for (size_t i = 0; i < n; i++)
		if (seats[i].out.action == BALLOON_HOLD && seats[i].work.sign == BALLOON_STEADY)
			seats[i].out.reason = why_not(p, &seats[i]);
}
