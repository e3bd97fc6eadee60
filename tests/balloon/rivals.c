/* SPDX-License-Identifier: Apache-2.0 */
/* The rules as published; where a description leaves something open, the kinder reading. */
#include "balloon/rivals.h"

#include "base/macro.h"

#define MIB 1024.0
#define S   USEC_PER_SEC

static double low(double a, double b)
{
	return a < b ? a : b;
}

static double high(double a, double b)
{
	return a > b ? a : b;
}

static bool runs(const struct balloon_guest *g)
{
	return g->phase != BALLOON_AWAY;
}

/* No controller at all. */
static usec_t none_decide(void *state, const struct balloon_pool *pool,
	const struct balloon_guest *guests, size_t n, uint64_t *targets)
{
	(void)state, (void)pool, (void)guests, (void)n, (void)targets;
	return 60 * S;
}

/* oVirt MOM, doc/balloon.rules: collectors every 5 s, policy every 10 s, means over ten samples;
 * pressure below 20 % free (free and caches, which on the model host is what is available),
 * critical below 5 %; a tick moves at most 5 %, changes below 0.25 % are left. Guests whose
 * statistics are incomplete are left alone. */
static double mean(const double *samples, unsigned n)
{
	double sum = 0;

	n = MIN(n, MOM_SAMPLES);
	for (unsigned i = 0; i < n; i++)
		sum += samples[i];
	return n ? sum / n : 0;
}

static void mom_collect(struct rivals *r, const struct balloon_pool *pool,
	const struct balloon_guest *guests, size_t n)
{
	r->mom.host[r->mom.host_n++ % MOM_SAMPLES] =
		(double)pool->available_kib / (double)pool->total_kib;
	for (size_t i = 0; i < n; i++) {
		if (!runs(&guests[i]) || guests[i].unused_kib == BALLOON_ABSENT) {
			r->mom.n[i] = 0;
			continue;
		}
		unsigned at = r->mom.n[i]++ % MOM_SAMPLES;
		r->mom.cur[i][at] = (double)guests[i].actual_kib;
		r->mom.unused[i][at] = (double)guests[i].unused_kib;
	}
}

static usec_t mom_decide(void *state, const struct balloon_pool *pool,
	const struct balloon_guest *guests, size_t n, uint64_t *targets)
{
	struct rivals *r = state;

	mom_collect(r, pool, guests, n);
	if (r->mom.ticks++ % 2 == 0)
		return 5 * S;
	double host_free = mean(r->mom.host, r->mom.host_n);
	for (size_t i = 0; i < n; i++) {
		const struct balloon_guest *g = &guests[i];

		if (r->mom.n[i] < 2)
			continue;
		double cur = (double)g->actual_kib, size;
		double used =
			mean(r->mom.cur[i], r->mom.n[i]) - mean(r->mom.unused[i], r->mom.n[i]);
		if (host_free < 0.20) {
			double f =
				host_free <= 0.05 ? -0.05 + host_free : 0.20 * (host_free / 0.20);
			double least = high((double)g->min_kib, used + f * cur);

			size = low(high(cur * 0.95, least), cur);
		} else {
			double least = high((double)g->min_kib, used + 0.20 * cur);

			size = low(high(cur * 1.05, least), (double)g->max_kib);
		}
		size = high(size, (double)g->min_kib);
		if (size > cur * 1.0025 || size < cur * 0.9975)
			targets[i] = (uint64_t)size;
	}
	return 5 * S;
}

/* Proxmox, PVE/AutoBalloon.pm as pvestatd runs it: every 10 s towards 80 % of the host used, 10 MiB
 * of dead band, at most 100 MiB a guest. Growth serves guests under pressure first, shrinking takes
 * from those with enough free first and, where that yields nothing, from all. A guest that is
 * started is set to its minimum at once. */
static bool enough_free(const struct balloon_guest *g)
{
	return g->unused_kib != BALLOON_ABSENT &&
	       (double)g->unused_kib > 0.25 * (double)g->min_kib && g->actual_kib >= g->min_kib;
}

/* One pass over one list; returns what was moved, signed as goal. */
static double proxmox_pass(const struct balloon_guest *guests, size_t n, uint64_t *targets,
	double goal, int want_enough)
{
	double shares = 0, pot = goal, moved = 0;

	for (size_t i = 0; i < n; i++) {
		if (!runs(&guests[i]) ||
			(want_enough >= 0 && enough_free(&guests[i]) != want_enough))
			continue;
		shares += guests[i].weight;
		pot += (double)guests[i].actual_kib - (double)guests[i].min_kib;
	}
	pot = high(pot, 0);
	for (size_t i = 0; i < n; i++) {
		const struct balloon_guest *g = &guests[i];
		if (!runs(g) || shares <= 0 || (want_enough >= 0 && enough_free(g) != want_enough))
			continue;
		double desired = (double)g->min_kib + g->weight / shares * pot;
		desired = low(high(desired, (double)g->min_kib), (double)g->max_kib);
		double diff = desired - (double)g->actual_kib;
		diff = low(high(diff, -100 * MIB), 100 * MIB);
		if (goal > 0)
			diff = low(high(diff, 0), goal - moved);
		else
			diff = high(low(diff, 0), goal - moved);
		if (diff > -MIB && diff < MIB)
			continue;
		moved += diff;
		targets[i] = (uint64_t)((double)g->actual_kib + diff);
	}
	return moved;
}

static usec_t proxmox_decide(void *state, const struct balloon_pool *pool,
	const struct balloon_guest *guests, size_t n, uint64_t *targets)
{
	struct rivals *r = state;
	double used = (double)pool->total_kib - (double)pool->available_kib;
	double goal = 0.80 * (double)pool->total_kib - used, rest;
	bool starting = false;

	for (size_t i = 0; i < n; i++) {
		if (runs(&guests[i]) && guests[i].phase == BALLOON_BOOTING &&
			!r->proxmox.started[i]) {
			targets[i] = guests[i].min_kib;
			starting = true;
		}
		r->proxmox.started[i] = runs(&guests[i]);
	}
	if (starting)
		return 10 * S;
	if (goal > 10 * MIB) {
		rest = goal - proxmox_pass(guests, n, targets, goal, 0);
		if (rest > 10 * MIB)
			(void)proxmox_pass(guests, n, targets, rest, 1);
	} else if (goal < -10 * MIB) {
		if (proxmox_pass(guests, n, targets, goal, 1) == 0)
			(void)proxmox_pass(guests, n, targets, goal, -1);
	}
	return 10 * S;
}

/* xapi squeezed: everybody at the same point between minimum and maximum, the host left with its
 * reserve; who makes no progress in 5 s is left out; what is handed out must be free first. */
static void squeezed_watch(struct rivals *r, const struct balloon_guest *g, size_t i, usec_t now)
{
	uint64_t target = r->squeezed.target[i];
	uint64_t off = target > g->actual_kib ? target - g->actual_kib : g->actual_kib - target;

	if (!target || off < 10 * 1024) {
		r->squeezed.stuck[i] = false;
		r->squeezed.progress_at[i] = now;
	} else if (g->actual_kib != r->squeezed.actual[i]) {
		r->squeezed.stuck[i] = false;
		r->squeezed.progress_at[i] = now;
	} else if (now - r->squeezed.progress_at[i] >= 5 * S) {
		r->squeezed.stuck[i] = true;
	}
	r->squeezed.actual[i] = g->actual_kib;
}

static usec_t squeezed_decide(void *state, const struct balloon_pool *pool,
	const struct balloon_guest *guests, size_t n, uint64_t *targets)
{
	struct rivals *r = state;
	double mins = 0, span = 0, have = (double)pool->available_kib - (double)pool->reserve_kib;
	double at_hand = have;

	for (size_t i = 0; i < n; i++) {
		if (!runs(&guests[i])) {
			r->squeezed.target[i] = 0;
			continue;
		}
		squeezed_watch(r, &guests[i], i, pool->now);
		if (r->squeezed.stuck[i])
			continue;
		mins += (double)guests[i].min_kib;
		span += (double)guests[i].max_kib - (double)guests[i].min_kib;
		have += low((double)guests[i].rss_kib, (double)guests[i].actual_kib);
	}
	double f = span > 0 ? low(high((have - mins) / span, 0), 1) : 0;
	for (size_t i = 0; i < n; i++) {
		const struct balloon_guest *g = &guests[i];
		double size = (double)g->min_kib + f * ((double)g->max_kib - (double)g->min_kib);
		double more = size - (double)g->actual_kib;

		if (!runs(g) || r->squeezed.stuck[i] || (more < 10 * MIB && more > -10 * MIB))
			continue;
		if (more > 0) {
			more = low(more, high(at_hand, 0));
			at_hand -= more;
			if (more < 10 * MIB)
				continue;
			size = (double)g->actual_kib + more;
		}
		targets[i] = r->squeezed.target[i] = (uint64_t)size;
	}
	return 2 * S;
}

void rival_init(struct rivals *r, enum rival which, struct replay_controller *ret)
{
	static const struct replay_controller all[] = {
		[RIVAL_NONE] = { .name = "none", .decide = none_decide },
		[RIVAL_MOM] = { .name = "MOM", .decide = mom_decide },
		[RIVAL_PROXMOX] = { .name = "Proxmox", .decide = proxmox_decide },
		[RIVAL_SQUEEZED] = { .name = "squeezed", .decide = squeezed_decide },
	};

	*r = (struct rivals){ 0 };
	*ret = all[which];
	ret->state = r;
}
