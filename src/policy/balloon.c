/* SPDX-License-Identifier: Apache-2.0 */
/* The pool's decision: need of the host, overrides, growth first, then who gives. */
#include "policy/balloon.h"

#include "base/macro.h"
#include "policy/balloon_parts.h"

void balloon_policy_from_spec(const struct spec *spec, struct balloon_policy *ret)
{
	*ret = balloon_policy_default;
	ret->enter_pct = spec->shrink_below_pct;
	ret->leave_pct = spec->leave_above_pct;
}

/* The host in numbers that can be added. */
struct host {
	uint64_t total, available, critical, near, enter, leave;
	bool blind;
};

/* What the largest guest grows by at once. */
static uint64_t largest_growth(
	const struct balloon_policy *p, const struct balloon_seat *seats, size_t n)
{
	uint64_t max = 0;

	for (size_t i = 0; i < n; i++)
		if (seats[i].in.phase != BALLOON_AWAY && seats[i].in.max_kib <= BALLOON_KIB_MAX)
			max = MAX(max, seats[i].in.max_kib);
	return balloon_part(max, p->grow_permille, 1000);
}

static struct host read_host(
	const struct balloon_policy *p, const struct balloon_pool *pool, uint64_t growth)
{
	struct host h = {
		.total = MIN(pool->total_kib, BALLOON_KIB_MAX),
		.available = MIN(pool->available_kib, BALLOON_KIB_MAX),
		.critical = MIN(pool->critical_kib, BALLOON_KIB_MAX),
		.blind = pool->available_kib > BALLOON_KIB_MAX,
	};
	uint64_t reserve = MAX(h.critical, MIN(pool->reserve_kib, BALLOON_KIB_MAX));

	/* More available than there is: believe the smaller. */
	if (h.total && h.available > h.total)
		h.available = h.total;
	h.enter = MAX(reserve, balloon_part(h.total, p->enter_pct, 100));
	h.leave = MAX(reserve + reserve / 2, balloon_part(h.total, p->leave_pct, 100));
	h.leave = MAX(h.leave, h.enter);
	h.near = MIN(balloon_part(h.enter - h.critical, p->near_permille, 1000), growth);
	return h;
}

static void update_pressure(const struct balloon_policy *p, const struct balloon_pool *pool,
	const struct host *h, struct balloon_pool_memory *m)
{
	bool psi = pool->psi_some_avg10 != BALLOON_PSI_ABSENT;
	bool enter = h->available < h->enter || (psi && pool->psi_some_avg10 > p->psi_enter);
	bool leave = h->available >= h->leave && !(psi && pool->psi_some_avg10 > p->psi_leave);

	if (h->blind)
		m->tight = false;
	else if (h->available < h->critical + h->near)
		m->tight = true;
	else if (h->available >= h->critical + h->near + MAX(h->near / 2, p->change_min_kib))
		m->tight = false;
	if (h->blind)
		m->pressed = false;
	else if (!m->pressed && enter)
		m->pressed = true;
	else if (m->pressed && leave)
		m->pressed = false;
	if (m->pressed || h->blind)
		m->eased_at = 0;
	else if (m->eased_at == 0)
		m->eased_at = MAX(pool->now, 1u);
}

static bool overridden(const struct balloon_guest *in, usec_t now)
{
	return in->override_kib && (in->override_until == 0 || in->override_until > now);
}

/* How far the operator's shrink may go now: as the policy's own, but down to the low line, and not
 * stopped by a floor that was only learned. */
static uint64_t override_spare(
	const struct balloon_policy *p, const struct balloon_seat *s, usec_t now)
{
	const struct balloon_work *w = &s->work;
	usec_t hurt_at = s->memory->hurt_at;
	/* After distress it rests; after growth alone, his own perhaps, it need not. */
	bool rests = hurt_at && usec_sub(now, hurt_at) < p->recover;
	bool may = w->block == BALLOON_STEADY || w->block == BALLOON_GUEST_UNWELL ||
		   (w->block == BALLOON_RECOVERING && !rests);

	if (!may || !s->out.sighted || !w->fresh || w->pending || w->sign != BALLOON_STEADY)
		return 0;
	return MIN(balloon_less(w->usable, w->low), balloon_part(w->max, p->urgent_permille, 1000));
}

static void decide_override(const struct balloon_policy *p, struct balloon_seat *s, usec_t now)
{
	struct balloon_work *w = &s->work;

	w->floor = MIN(s->in.min_kib, w->limit);
	uint64_t goal = balloon_clamp(s->in.override_kib, w->floor, w->limit);
	enum balloon_reason held = w->block;

	if (held == BALLOON_STEADY || w->sign != BALLOON_STEADY)
		held = BALLOON_OVERRIDE_HELD;
	/* A driver that is loaded and has nothing to do does not say so: balloon_rebooted(). */
	if (s->in.phase == BALLOON_BOOTING && goal > w->actual)
		goal = MAX(w->actual, MIN(goal, balloon_less(w->max, p->change_min_kib)));
	if (goal > w->actual) {
		s->out.action =
			w->pending && s->memory->ordered_kib == goal ? BALLOON_HOLD : BALLOON_GROW;
		s->out.target_kib = goal;
		s->out.reason = BALLOON_OVERRIDE;
	} else if (w->actual - goal < p->change_min_kib) {
		s->out.target_kib = w->actual;
		s->out.reason = BALLOON_OVERRIDDEN;
	} else {
		uint64_t spare = MIN(override_spare(p, s, now), w->actual - goal);

		if (spare >= p->change_min_kib)
			s->out.action = BALLOON_SHRINK;
		s->out.target_kib = w->actual - (s->out.action == BALLOON_SHRINK ? spare : 0);
		s->out.reason = s->out.action == BALLOON_SHRINK ? BALLOON_OVERRIDE : held;
	}
	/* Nobody else decides for it. */
	w->sign = BALLOON_STEADY;
	w->block = s->out.reason;
}

/* What the host still needs from the guests, after what is already on its way. */
static uint64_t need_of(const struct balloon_policy *p, const struct host *h,
	const struct balloon_pool_memory *m, const struct balloon_seat *seats, size_t n,
	uint64_t granted, uint64_t lack)
{
	uint64_t need = lack, after = balloon_less(h->available, granted);

	if (h->blind)
		return 0;
	if (m->pressed || after < h->enter)
		need += balloon_less(h->leave, after);
	if (m->pressed && need == 0)
		need = h->total / 100; /* pressure without lack: by and by */
	/* A rest smaller than any step must not keep the host pressed for ever. */
	if (need > 0)
		need = MAX(need, p->change_min_kib);
	for (size_t i = 0; i < n; i++)
		if (seats[i].work.pending)
			need = balloon_less(need,
				balloon_less(seats[i].work.actual, seats[i].memory->ordered_kib));
	return need;
}

/* Loans go back, a small step a minute, while the host has so much that this cannot press it. */
static void return_loans(const struct balloon_policy *p, const struct balloon_pool *pool,
	const struct host *h, const struct balloon_pool_memory *m, struct balloon_seat *seats,
	size_t n, struct balloon_outcome *ret)
{
	uint64_t spare = balloon_less(h->available, h->leave + h->total / 20 + ret->granted_kib);

	if (!m->eased_at || usec_sub(pool->now, m->eased_at) < p->return_after)
		return;
	for (size_t i = 0; i < n; i++) {
		struct balloon_seat *s = &seats[i];
		uint64_t kib = MIN(balloon_less(s->work.limit, s->work.actual), p->step_first_kib);

		if (s->out.action != BALLOON_HOLD || s->out.reason != BALLOON_STEADY ||
			s->in.idle_kib || kib < p->change_min_kib || spare < kib)
			continue;
		s->out.action = BALLOON_GROW;
		s->out.reason = BALLOON_RETURN;
		s->out.target_kib = s->work.actual + kib;
		spare -= kib;
		ret->granted_kib += kib;
	}
}

/* Whatever the parts decided, no target leaves [floor, max]. */
static void finish(struct balloon_seat *s, usec_t now, const struct balloon_policy *p)
{
	const struct balloon_work *w = &s->work;
	struct balloon_decision *d = &s->out;

	if (w->withdraw && d->action == BALLOON_HOLD) {
		d->action = BALLOON_GROW;
		d->reason = BALLOON_STUCK;
		d->target_kib = w->actual;
	}
	d->from_kib = w->actual;
	d->floor_kib = w->floor;
	if (d->action == BALLOON_HOLD)
		d->target_kib = w->actual;
	d->target_kib = balloon_clamp(d->target_kib, w->floor, w->max);
	d->on_trial = balloon_loan_level(p, s->memory, now) != 0;
	d->rolled_back = d->action == BALLOON_GROW && d->target_kib > d->from_kib && d->on_trial &&
			 w->hard;
	if (usec_sub(s->memory->aside_until, now) > 0)
		d->aside_until = s->memory->aside_until;
}

static void sense_all(const struct balloon_policy *p, const struct balloon_pool *pool,
	const struct balloon_pool_memory *m, struct balloon_seat *seats, size_t n,
	const struct host *h, struct balloon_outcome *ret)
{
	uint64_t minimums = 0;

	bool ease = !m->pressed;

	ret->period = USEC_INFINITY;
	for (size_t i = 0; i < n; i++) {
		balloon_sense(p, pool, m->tight, &seats[i]);
		if (seats[i].in.phase == BALLOON_AWAY)
			continue;
		minimums += MIN(seats[i].in.min_kib, seats[i].work.limit);
		ret->period = MIN(ret->period, seats[i].work.period);
		ease &= seats[i].work.actual == seats[i].work.max && !seats[i].in.override_kib &&
			!seats[i].in.idle_kib && seats[i].work.limit == seats[i].work.max;
	}
	if (ease || ret->period == USEC_INFINITY)
		ret->period = p->period_ease;
	ret->degraded = h->total && minimums + h->enter > h->total;
}

void balloon_decide(const struct balloon_policy *policy, const struct balloon_pool *pool,
	struct balloon_pool_memory *pool_memory, struct balloon_seat *seats, size_t n,
	struct balloon_outcome *ret)
{
	n = MIN(n, (size_t)SPEC_GUESTS_MAX);
	struct host h = read_host(policy, pool, largest_growth(policy, seats, n));
	uint64_t lack;

	*ret = (struct balloon_outcome){
		.enter_kib = h.enter,
		.leave_kib = h.leave,
		.blind = h.blind,
		.critical = !h.blind && h.available < h.critical,
	};
	update_pressure(policy, pool, &h, pool_memory);
	ret->tight = pool_memory->tight;
	sense_all(policy, pool, pool_memory, seats, n, &h, ret);
	for (size_t i = 0; i < n; i++)
		if (overridden(&seats[i].in, pool->now) && seats[i].work.max &&
			seats[i].in.phase > BALLOON_LEAVING)
			decide_override(policy, &seats[i], pool->now);
	lack = balloon_grant(policy, seats, n,
		h.blind ? BALLOON_KIB_MAX : balloon_less(h.available, h.critical),
		&ret->granted_kib);
	ret->pressed = pool_memory->pressed;
	ret->need_kib = need_of(policy, &h, pool_memory, seats, n, ret->granted_kib, lack);
	balloon_collect(policy, seats, n, ret->need_kib, ret->tight, ret->tight && lack > 0);
	return_loans(policy, pool, &h, pool_memory, seats, n, ret);
	for (size_t i = 0; i < n; i++)
		finish(&seats[i], pool->now, policy);
}
