/* SPDX-License-Identifier: Apache-2.0 */
/* Counters and the ring of the last hour. */
#include "core/tally.h"

#include "base/macro.h"
#include "core/guest.h"

static void clear_point(struct guest *g, size_t at)
{
	g->tally.actual_mib[at] = TALLY_ABSENT;
	g->tally.usable_mib[at] = TALLY_ABSENT;
	g->tally.rss_mib[at] = TALLY_ABSENT;
	for (unsigned i = 0; i < g->n_services; i++) {
		g->services[i].tally.latency[at] = TALLY_ABSENT;
		g->services[i].tally.effect[at] = EFFECT_NOTHING;
	}
}

void tally_advance(struct guest *g, usec_t now)
{
	struct guest_tally *t = &g->tally;
	uint64_t newest = now / TALLY_STEP + 1; /* 0 stands for none */

	if (newest <= t->point)
		return;
	uint64_t fresh = t->point ? MIN(newest - t->point, (uint64_t)TALLY_POINTS) : TALLY_POINTS;
	for (uint64_t i = 0; i < fresh; i++) /* the host may be up for less than all of them */
		clear_point(g, (newest + TALLY_POINTS - i) % TALLY_POINTS);
	t->point = newest;
}

void tally_judged(struct service *s, const struct judgement *j, usec_t now)
{
	struct service_tally *t = &s->tally;

	tally_advance(s->guest, now);
	size_t at = s->guest->tally.point % TALLY_POINTS;
	uint32_t latency = (uint32_t)MIN(j->latency, (usec_t)TALLY_ABSENT - 1);
	uint8_t effect = (uint8_t)verdict_effect(j->verdict);

	t->verdicts[j->verdict]++;
	t->spent = usec_add(t->spent, j->latency);
	if (t->latency[at] == TALLY_ABSENT || latency > t->latency[at])
		t->latency[at] = latency;
	static_assert(EFFECT_NOTHING < EFFECT_UP && EFFECT_UP < EFFECT_NEITHER &&
			      EFFECT_NEITHER < EFFECT_DOWN,
		"the worst effect is the largest");
	t->effect[at] = MAX(t->effect[at], effect);
}

static uint32_t mib(uint64_t kib)
{
	return kib == HV_STAT_ABSENT ? TALLY_ABSENT
				     : (uint32_t)MIN(kib / 1024, (uint64_t)TALLY_ABSENT - 1);
}

void tally_stats(struct guest *g, usec_t now)
{
	tally_advance(g, now);
	size_t at = g->tally.point % TALLY_POINTS;

	g->tally.actual_mib[at] = mib(g->stats.balloon_kib);
	g->tally.usable_mib[at] = mib(g->stats.usable_kib);
	g->tally.rss_mib[at] = mib(g->stats.rss_kib);
}
