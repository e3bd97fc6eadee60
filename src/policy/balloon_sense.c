/* SPDX-License-Identifier: Apache-2.0 */
/* What one guest feels: whether its statistics can be believed, whether it is in need, and why it
 * may not give. */
#include "policy/balloon_parts.h"

#include "base/macro.h"

/* QEMU rounds to pages and the guest's driver to its own units: an order is met this near. */
#define NEAR_KIB (UINT64_C(16) * 1024)
/* Counted rates need some time between two statistics. */
#define RATE_MIN (USEC_PER_SEC / 2)
/* Per second: what is more is a lie, and would wrap. */
#define RATE_MAX  (UINT64_C(1) << 32)
#define FALL_HALF USEC_PER_HOUR

static bool known(uint64_t v)
{
	return v <= BALLOON_KIB_MAX;
}

/* Limits first: every later number is clamped to them. */
static void take_limits(struct balloon_seat *s)
{
	const struct balloon_guest *in = &s->in;
	struct balloon_work *w = &s->work;

	w->max = known(in->max_kib) ? in->max_kib : 0;
	w->limit = in->limit_kib ? MIN(in->limit_kib, w->max) : w->max;
	w->floor = MIN(in->min_kib, w->limit);
	w->actual = MIN(in->actual_kib, w->max);
}

/* What the guest says against what it says elsewhere, and against the balloon. */
static bool absurd(const struct balloon_guest *in, const struct balloon_work *w,
	const struct balloon_memory *m)
{
	/* The balloon is read now, the rest is up to a period older. */
	uint64_t size = MAX(w->actual, MIN(m->actual_kib, w->max)) + NEAR_KIB;

	if (w->max == 0 || !known(in->actual_kib) || in->actual_kib > w->max + NEAR_KIB)
		return true;
	if (in->usable_kib != BALLOON_ABSENT && in->usable_kib > size)
		return true;
	if (in->unused_kib != BALLOON_ABSENT && in->unused_kib > size)
		return true;
	if (in->caches_kib != BALLOON_ABSENT && in->caches_kib > size)
		return true;
	if (in->usable_kib == 0 && (in->unused_kib == 0 || in->unused_kib == BALLOON_ABSENT))
		return true;
	/* Usable is what is unused, and caches, and some slab: an eighth is more than any. */
	return known(in->usable_kib) && known(in->unused_kib) && known(in->caches_kib) &&
	       in->usable_kib > in->unused_kib + in->caches_kib + w->max / 8;
}

static bool future(const struct balloon_pool *pool, const struct balloon_guest *in)
{
	return pool->realtime_sec && in->last_update_sec > pool->realtime_sec &&
	       in->last_update_sec - pool->realtime_sec > 60;
}

/* Whether the statistics can be believed. Age is counted from when we saw the timestamp move, so
 * that a clock that was set means nothing. */
static enum balloon_reason take_sight(
	const struct balloon_policy *p, const struct balloon_pool *pool, struct balloon_seat *s)
{
	const struct balloon_guest *in = &s->in;
	struct balloon_memory *m = s->memory;
	usec_t now = pool->now;

	if (in->last_update_sec == 0 || in->last_update_sec == BALLOON_ABSENT ||
		(in->usable_kib == BALLOON_ABSENT && in->unused_kib == BALLOON_ABSENT)) {
		m->moving = m->counted = false;
		return BALLOON_NO_STATISTICS;
	}
	if (in->last_update_sec != m->update_sec) {
		m->moving = m->update_sec != 0;
		m->update_sec = in->last_update_sec;
		m->update_at = now;
		s->work.fresh = m->moving;
	}
	if (!m->moving || usec_sub(now, m->update_at) >= MAX(p->stale_after, 3 * s->work.period)) {
		m->counted = false;
		return BALLOON_STALE;
	}
	if (future(pool, in) || absurd(in, &s->work, m)) {
		m->counted = false;
		return BALLOON_ABSURD;
	}
	return BALLOON_STEADY;
}

/* Units a second between two readings of a counter; 0 where it went back or is not there. */
static uint64_t rate(uint64_t before, uint64_t after, usec_t dt)
{
	if (before == BALLOON_ABSENT || after == BALLOON_ABSENT || after <= before || dt < RATE_MIN)
		return 0;
	uint64_t n = MIN(after - before, UINT64_MAX / USEC_PER_SEC) * USEC_PER_SEC / dt;
	return MIN(n, RATE_MAX);
}

/* How fast usable memory falls by the guest's own doing: what the balloon took is not its fall. */
static uint64_t own_fall(const struct balloon_work *w, const struct balloon_memory *m, usec_t dt)
{
	uint64_t before = m->usable_kib + balloon_less(w->actual, m->actual_kib);
	uint64_t after = w->usable + balloon_less(m->actual_kib, w->actual);

	return before > after && dt >= RATE_MIN
		       ? MIN((before - after) * USEC_PER_SEC / dt, RATE_MAX)
		       : 0;
}

struct rates {
	uint64_t swap_in, swap_out, faults;
};

static void count(struct balloon_seat *s, usec_t now, usec_t counted_at, struct rates *ret)
{
	const struct balloon_guest *in = &s->in;
	struct balloon_memory *m = s->memory;
	struct balloon_work *w = &s->work;

	*ret = (struct rates){ 0 };
	if (m->counted) {
		usec_t dt = usec_sub(now, counted_at);

		ret->swap_in = rate(m->swap_in_kib, in->swap_in_kib, dt);
		ret->swap_out = rate(m->swap_out_kib, in->swap_out_kib, dt);
		ret->faults = rate(m->major_faults, in->major_faults, dt);
		w->fall_kib_s = own_fall(w, m, dt);
		m->fall_kib_s = balloon_halve(
			MIN(m->fall_kib_s, RATE_MAX), usec_sub(now, m->fall_at), FALL_HALF);
		m->fall_kib_s = MAX(m->fall_kib_s, w->fall_kib_s);
		m->usable_slow_kib = (3 * m->usable_slow_kib + w->usable) / 4;
	} else {
		m->usable_slow_kib = w->usable;
	}
	m->fall_at = now;
	m->counted = true;
	m->swap_in_kib = in->swap_in_kib;
	m->swap_out_kib = in->swap_out_kib;
	m->major_faults = in->major_faults;
	m->usable_kib = w->usable;
	m->actual_kib = w->actual;
}

/* The lines usable memory is held against. A guest that has been seen to take memory fast keeps
 * more, enough for two periods of its fastest, at most a third of all; but not while the host
 * itself is about to fail. */
static void draw_lines(const struct balloon_policy *p, struct balloon_seat *s)
{
	struct balloon_work *w = &s->work;
	uint64_t fall = MIN(s->memory->fall_kib_s, RATE_MAX) * (w->period / USEC_PER_MSEC) / 1000;
	uint64_t keep =
		MAX(balloon_part(w->max, p->keep_permille, 1000), MIN(p->keep_kib, w->max / 4));
	uint64_t low = MAX(
		balloon_part(w->max, p->low_permille, 1000), MIN(p->low_kib, w->max / 16 * 3));

	w->keep = balloon_clamp(2 * fall, keep, MAX(keep, w->max / 3));
	if (w->tight)
		w->keep = keep;
	w->low = MIN(low, keep);
	w->keep = MAX(w->keep, MIN(s->memory->learned_kib, w->max));
	if (w->keep == s->memory->learned_kib)
		w->floor = balloon_clamp(balloon_less(w->actual + w->keep, w->usable), w->floor,
			MAX(w->actual, w->floor));
}

/* Faults are pain only where memory is short or on loan: a program's start faults as well. */
static bool many_faults(const struct balloon_policy *p, struct balloon_memory *m, uint64_t faults)
{
	uint64_t usual = m->faults_usual_milli;
	bool many = faults * 1000 > 3 * usual + p->faults_s * UINT64_C(1000);

	if (!many)
		m->faults_usual_milli = (usual * 15 + faults * 1000) / 16;
	return many;
}

static bool slow_answers(const struct balloon_policy *p, struct balloon_memory *m, usec_t latency,
	bool on_trial, usec_t now)
{
	latency = MIN(latency, USEC_PER_HOUR);
	if (latency == 0) {
		m->latency_high_at = 0;
		return false;
	}
	if (m->latency_usual && latency > 2 * m->latency_usual + p->latency_more) {
		if (!m->latency_high_at)
			m->latency_high_at = MAX(now, 1u);
		/* Not ours: the usual follows, lest a service that became slow for good blocks
		 * its guest for ever. */
		if (!on_trial)
			m->latency_usual = (m->latency_usual * 15 + latency) / 16;
		return usec_sub(now, m->latency_high_at) >= p->latency_for;
	}
	m->latency_high_at = 0;
	/* Nor does it follow while a loan is on trial, or a loan given back by inches would hurt
	 * without anybody noticing. */
	if (!m->latency_usual)
		m->latency_usual = latency;
	else if (!on_trial)
		m->latency_usual = (m->latency_usual * 7 + latency) / 8;
	return false;
}

static bool recent(usec_t at, usec_t now, usec_t span)
{
	return at && usec_sub(now, at) < span;
}

/* Why the guest needs memory, the surest sign first. */
static enum balloon_reason read_signs(const struct balloon_policy *p, struct balloon_seat *s,
	const struct rates *r, bool on_trial, usec_t now)
{
	struct balloon_memory *m = s->memory;
	struct balloon_work *w = &s->work;
	/* With that much free, twice of where the kernel begins to reclaim, nothing was reclaimed:
	 * what is read is read for the first time, and where the counters show that something is
	 * read, that is what the answers wait for. */
	bool idle = known(s->in.unused_kib) && s->in.unused_kib > w->max / 32;
	bool reads = idle && r->faults > 0;
	bool short_of =
		(on_trial || w->usable < balloon_part(w->max, p->keep_permille, 1000)) && !idle;
	bool faults = many_faults(p, m, r->faults);
	bool slow = slow_answers(p, m, reads ? 0 : s->in.latency, on_trial, now);

	w->hard = true;
	if (r->swap_in > p->swap_kib_s)
		return BALLOON_SWAP_IN;
	if (r->swap_out > p->swap_kib_s && short_of)
		return BALLOON_SWAP_OUT;
	if (faults && short_of)
		return BALLOON_FAULTS;
	if (slow && on_trial)
		return BALLOON_LATENCY;
	w->hard = false;
	if (w->usable < w->low)
		return BALLOON_LOW;
	/* Another two periods like the last one, and what an order that is on its way takes. */
	uint64_t ahead = w->fall_kib_s * 2 * (w->period / USEC_PER_MSEC) / 1000;
	uint64_t coming = w->pending ? balloon_less(w->actual, m->ordered_kib) : 0;
	if (ahead > NEAR_KIB && w->usable < w->low + ahead + coming)
		return BALLOON_FALLING;
	return BALLOON_STEADY;
}

/* How far it should grow, by the sign. */
static uint64_t grow_to(
	const struct balloon_policy *p, const struct balloon_seat *s, uint64_t loan_level)
{
	const struct balloon_work *w = &s->work;
	uint64_t step = balloon_part(w->max, p->grow_permille, 1000);
	uint64_t keep = MAX(balloon_part(w->max, p->keep_permille, 1000), w->low);
	uint64_t middle = w->low + (keep - w->low) / 2;
	uint64_t ahead = w->fall_kib_s * 3 * (w->period / USEC_PER_MSEC) / 1000;
	uint64_t lack = balloon_less(middle + ahead, w->usable);

	if (w->hard) {
		uint64_t large = w->actual + MAX(step, lack);

		return MAX(loan_level, large);
	}
	return w->actual + MAX(lack, p->change_min_kib);
}

static void feel(const struct balloon_policy *p, const struct balloon_pool *pool,
	struct balloon_seat *s, usec_t counted_at)
{
	usec_t now = pool->now;
	struct balloon_memory *m = s->memory;
	struct balloon_work *w = &s->work;
	uint64_t level = balloon_loan_level(p, m, now);
	struct rates r;

	count(s, now, counted_at, &r);
	draw_lines(p, s);
	w->sign = read_signs(p, s, &r, level != 0, now);
	if (r.swap_out > 0)
		m->swapped_at = MAX(now, 1u);
	if (r.swap_in > 0 && w->sign != BALLOON_SWAP_IN)
		m->grown_at = now; /* too little for pain, enough not to be asked */
	if (w->sign == BALLOON_STEADY)
		return;
	w->grow_to = grow_to(p, s, level);
	if (!w->hard)
		return;
	/* What comes back and went out before this loan was made says nothing of the loan. */
	bool residue = w->sign == BALLOON_SWAP_IN && s->in.swap_out_kib != BALLOON_ABSENT &&
		       !recent(m->swapped_at, now, p->watch);
	if (level && !residue) {
		m->lesson_unseen =
			w->sign == BALLOON_LATENCY && !r.swap_in && !r.swap_out && !r.faults;
		balloon_learn(p, s, level, now);
	}
	m->hurt_at = now;
}

/* The balloon against the last order. */
static void follow(const struct balloon_policy *p, struct balloon_seat *s, usec_t now)
{
	struct balloon_memory *m = s->memory;
	struct balloon_work *w = &s->work;
	usec_t patience = s->in.tcg ? 3 * p->stuck_after : p->stuck_after;

	if (!m->ordered_kib)
		return;
	uint64_t order = MIN(m->ordered_kib, w->max), size = MIN(m->order_from_kib, w->max);
	uint64_t left = order > w->actual ? order - w->actual : w->actual - order;
	size = order > size ? order - size : size - order;
	/* The driver is not loaded yet. */
	if (s->in.phase == BALLOON_BOOTING)
		m->progress_at = now;
	if (left <= MIN(NEAR_KIB, size / 4)) {
		m->ordered_kib = 0;
		m->level_kib = w->actual;
		m->aside_span = 0;
		return;
	}
	w->pending = true;
	if (left + size / 4 <= m->progress_kib) {
		m->progress_kib = left;
		m->progress_at = now;
	}
	if (usec_sub(now, m->progress_at) < patience)
		return;
	/* A shrink that will not come is withdrawn, lest it comes when nobody looks; a growth that
	 * will not come does no harm. */
	w->withdraw = order < w->actual;
	w->pending = false;
	m->ordered_kib = 0;
	m->level_kib = w->actual;
	m->n_loans = 0;
	m->aside_span = m->aside_span ? MIN(2 * m->aside_span, p->aside_max) : p->aside_first;
	m->aside_until = usec_add(now, m->aside_span);
}

/* Grown without an order: the guest's own driver gave way, or a person meddled. */
static bool took_back(struct balloon_seat *s)
{
	struct balloon_memory *m = s->memory;
	bool grew = m->level_kib && !m->ordered_kib && s->work.actual > m->level_kib + NEAR_KIB;

	if (!m->ordered_kib)
		m->level_kib = s->work.actual;
	return grew;
}

static enum balloon_reason block_of_phase(enum balloon_phase phase)
{
	switch (phase) {
	case BALLOON_UP:
		return BALLOON_STEADY;
	case BALLOON_UNWELL:
		return BALLOON_GUEST_UNWELL;
	case BALLOON_BOOTING:
		return BALLOON_GUEST_BOOTING;
	case BALLOON_LEAVING:
		return BALLOON_GUEST_LEAVING;
	default:
		return BALLOON_GUEST_AWAY;
	}
}

/* Left in peace: for long after a lesson, and after growth unless the host is about to fail. */
static bool resting(const struct balloon_policy *p, const struct balloon_seat *s, usec_t now)
{
	const struct balloon_memory *m = s->memory;

	usec_t peace = p->recover, rest = p->recover_lesson;

	if (s->work.tight && !m->lesson_unseen) {
		/* With that much usable it was no lack of memory for long. */
		bool ample = s->work.usable > s->work.max / 3;
		unsigned doubled = MIN(m->again, 5u);

		peace = ample ? p->recover_ample : peace;
		rest = MIN((ample ? p->recover_ample : p->recover_tight) << doubled, rest);
	}
	/* Using so much less than when it hurt, it is no longer the guest that hurt. */
	uint64_t used = s->work.actual - s->work.usable;
	if (used + balloon_part(s->work.max, p->other_permille, 1000) < m->lesson_used_kib)
		rest = MIN(rest, p->recover);
	if (recent(m->hurt_at, now, peace))
		return true;
	return recent(m->lesson_at, now, rest) ||
	       (!s->work.tight && recent(m->grown_at, now, p->recover));
}

/* Blindness while a loan is out: the loan goes back, since its trial cannot be watched. */
static void lose_sight(const struct balloon_policy *p, struct balloon_seat *s, usec_t now)
{
	struct balloon_memory *m = s->memory;
	uint64_t level = balloon_loan_level(p, m, now);

	m->counted = false;
	if (level > s->work.actual && s->work.block != BALLOON_NO_STATISTICS) {
		s->work.sign = BALLOON_LOST_SIGHT;
		s->work.hard = true;
		s->work.grow_to = level;
	}
}

void balloon_sense(const struct balloon_policy *p, const struct balloon_pool *pool, bool tight,
	struct balloon_seat *s)
{
	struct balloon_memory *m = s->memory;
	struct balloon_work *w = &s->work;
	usec_t now = pool->now, counted_at = m->update_at;

	*w = (struct balloon_work){
		.sign = BALLOON_STEADY, .block = BALLOON_STEADY, .tight = tight
	};
	s->out = (struct balloon_decision){ .action = BALLOON_HOLD };
	w->period = s->in.tcg ? p->period_tcg : p->period;
	take_limits(s);
	balloon_decay(p, s, now);
	enum balloon_reason phase = block_of_phase(s->in.phase);
	if (phase == BALLOON_GUEST_AWAY || phase == BALLOON_GUEST_LEAVING) {
		w->block = phase;
		m->counted = false;
		return;
	}
	bool back = took_back(s);
	follow(p, s, now);
	w->block = take_sight(p, pool, s);
	s->out.sighted = w->block == BALLOON_STEADY;
	if (!s->out.sighted) {
		lose_sight(p, s, now);
	} else {
		w->usable = known(s->in.usable_kib) ? s->in.usable_kib : s->in.unused_kib;
		w->usable = MIN(w->usable, w->actual);
		if (w->fresh)
			feel(p, pool, s, counted_at);
		else
			draw_lines(p, s);
	}
	if (back && m->n_loans > 0) {
		m->lesson_unseen = false;
		balloon_learn(p, s, balloon_loan_level(p, m, now), now);
		m->hurt_at = now;
		w->sign = w->sign == BALLOON_STEADY ? BALLOON_TOOK_BACK : w->sign;
		w->grow_to = MAX(w->grow_to, w->actual);
		m->n_loans = 0;
	}
	if (w->actual < MIN(s->in.min_kib, w->limit) && w->sign == BALLOON_STEADY &&
		s->out.sighted) {
		w->sign = BALLOON_UNDER_FLOOR;
		w->grow_to = MIN(s->in.min_kib, w->limit);
	}
	m->anew &= phase == BALLOON_GUEST_BOOTING;
	if (m->anew && w->sign == BALLOON_STEADY) {
		w->sign = BALLOON_REBOOTED;
		w->grow_to = balloon_less(w->limit, p->change_min_kib);
	}
	if (w->block != BALLOON_STEADY)
		return;
	if (phase != BALLOON_STEADY)
		w->block = phase;
	else if (usec_sub(m->aside_until, now) > 0)
		w->block = BALLOON_STUCK;
	else if (w->pending || !w->fresh)
		w->block = BALLOON_WAITING;
	else if (resting(p, s, now))
		w->block = BALLOON_RECOVERING;
	w->light_rest = !recent(m->hurt_at, now, p->recover);
}
