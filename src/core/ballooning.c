/* SPDX-License-Identifier: Apache-2.0 */
/* The rounds of the memory pool: statistics in, decisions, orders out. */
#include "core/ballooning.h"

#include "base/log.h"
#include "base/macro.h"
#include "base/parse.h"
#include "core/hvlink.h"
#include "core/supervisor.h"
#include "model/state.h"

#include <errno.h>
#include <string.h>

static_assert(HV_STAT_ABSENT == BALLOON_ABSENT, "absent is absent");
static_assert(HOSTMEM_PSI_ABSENT == BALLOON_PSI_ABSENT, "absent is absent");

/* What the guest is released to is his at once, or not at all. */
#define RELEASE_MAX (2 * USEC_PER_MINUTE)
/* As near as the policy takes an order for met. */
#define NEAR_KIB (UINT64_C(16) * 1024)

void pool_free(struct pool *pool)
{
	free(pool->seats);
}

static bool asks(const struct guest *g)
{
	return g->seen && guest_state_has_qemu(g->state) && g->state != GUEST_STARTING;
}

void ballooning_hurry(struct supervisor *s, usec_t now)
{
	s->pool.due = MIN(s->pool.due, now);
}

void ballooning_collect(struct supervisor *s, usec_t now)
{
	struct pool *pool = &s->pool;

	if (pool->collecting || now < pool->due)
		return;
	pool->began = now;
	pool->collecting = usec_add(now, BALLOONING_COLLECT);
	for (unsigned i = 0; i < s->n_guests; i++)
		if (asks(s->guests[i]))
			s->guests[i]->stats_due = now;
}

/* While another call holds the domain's lock, libvirt answers with what it can have without: no
 * RSS, and nothing of the guest's. Without a driver there is an RSS. */
void ballooning_stats(struct guest *g, usec_t now)
{
	const struct starve_counter *delay = &g->starving.policy.delay;
	struct ballooning *b = &g->ballooning;

	if (delay->told && delay->permille >= STARVE_LEAVE)
		b->cpu_short_at = now;
	if (g->stats.balloon_kib == HV_STAT_ABSENT ||
		(g->stats.rss_kib == HV_STAT_ABSENT && g->stats.last_update_sec == HV_STAT_ABSENT))
		return;
	b->stats = g->stats;
	b->stats_at = now;
}

static enum balloon_phase phase_of(const struct guest *g)
{
	if (!asks(g))
		return BALLOON_AWAY;
	switch (g->state) {
	case GUEST_BOOTING:
	case GUEST_RUNNING:
		return BALLOON_BOOTING;
	case GUEST_READY:
		return g->healthy ? BALLOON_UP : BALLOON_UNWELL;
	default:
		return BALLOON_LEAVING;
	}
}

static int compare(const void *a, const void *b)
{
	usec_t x = *(const usec_t *)a, y = *(const usec_t *)b;

	return (x > y) - (x < y);
}

/* The median of the services' last answers, of those that answered; 0 says nothing. Where the guest
 * waits for a CPU slow answers are no sign of memory: a compiler on the host made them four times
 * as slow, and all that was lent went back for it. */
static usec_t latency_of(const struct guest *g, usec_t now)
{
	const struct ballooning *b = &g->ballooning;
	usec_t list[SPEC_SERVICES_MAX];
	unsigned n = 0;

	if (g->starving.told ||
		(b->cpu_short_at && usec_sub(now, b->cpu_short_at) < BALLOONING_CPU_SHORT))
		return 0;
	for (unsigned i = 0; i < g->n_services; i++) {
		const struct probe *p = &g->services[i].probe;
		bool up = p->state == SERVICE_UP || p->state == SERVICE_DEGRADED;

		if (up && g->services[i].host_port && p->last.latency > 0)
			list[n++] = p->last.latency;
	}
	qsort(list, n, sizeof(list[0]), compare);
	return n ? list[n / 2] : 0;
}

static uint64_t maximum_of(const struct guest *g)
{
	uint64_t max = g->ballooning.stats_at ? g->ballooning.stats.maximum_kib : HV_STAT_ABSENT;

	return max == HV_STAT_ABSENT ? g->spec->memory_kib : max;
}

uint64_t ballooning_limit(const struct guest *g)
{
	return MIN(maximum_of(g), g->spec->memory_kib);
}

/* What was asked for, as the policy takes it: a size that holds until taken back. */
static uint64_t override_of(const struct guest *g)
{
	const struct ballooning *b = &g->ballooning;

	if (b->override_kib)
		return b->override_kib;
	if (b->release_kib)
		return b->release_kib;
	if (g->spec->balloon == BALLOON_MODE_MANUAL && b->stats_at)
		return b->stats.balloon_kib;
	return 0;
}

void ballooning_input(const struct guest *g, usec_t now, struct balloon_guest *ret)
{
	const struct ballooning *b = &g->ballooning;
	const struct guest_spec *spec = g->spec;
	struct hv_stats st = b->stats;

	if (b->stats_at == 0) {
		memset(&st, 0xff, sizeof(st));
		st.balloon_kib = maximum_of(g);
	}
	*ret = (struct balloon_guest){
		.phase = phase_of(g),
		.tcg = g->facts.tcg,
		.max_kib = maximum_of(g),
		.limit_kib = spec->memory_kib < maximum_of(g) ? spec->memory_kib : 0,
		.min_kib = spec->memory_min_kib,
		.idle_kib = guest_spec_idle_kib(spec),
		.weight = spec->memory_weight,
		.actual_kib = st.balloon_kib,
		.rss_kib = st.rss_kib,
		.usable_kib = st.usable_kib,
		.unused_kib = st.unused_kib,
		.caches_kib = st.disk_caches_kib,
		.swap_in_kib = st.swap_in_kib,
		.swap_out_kib = st.swap_out_kib,
		.major_faults = st.major_faults,
		.last_update_sec = st.last_update_sec,
		.latency = latency_of(g, now),
		.override_kib = override_of(g),
		.override_until = b->override_kib && b->override_until != USEC_INFINITY
					  ? b->override_until
					  : 0,
	};
}

/* With [Pool] Total= the host is as much smaller as it is not to be used. */
static void read_host(struct supervisor *s, usec_t now)
{
	struct balloon_pool *in = &s->pool.in;
	const struct spec *spec = s->spec;
	struct hostmem h;

	*in = (struct balloon_pool){
		.now = now,
		.available_kib = BALLOON_ABSENT,
		.psi_some_avg10 = BALLOON_PSI_ABSENT,
		.reserve_kib = spec->reserve_kib,
		.critical_kib = spec->critical_kib,
		.realtime_sec = now_realtime() / USEC_PER_SEC,
	};
	if (!s->config.host_memory || s->config.host_memory(&h) < 0)
		return;
	in->total_kib = h.total_kib;
	in->available_kib = h.available_kib;
	in->psi_some_avg10 = h.psi_some_avg10;
	if (spec->pool_total_kib && spec->pool_total_kib < h.total_kib) {
		uint64_t kept = h.total_kib - spec->pool_total_kib;

		in->total_kib = spec->pool_total_kib;
		in->available_kib = h.available_kib > kept ? h.available_kib - kept : 0;
	}
}

static int make_room(struct supervisor *s)
{
	struct pool *pool = &s->pool;

	if (pool->n_seats >= s->n_guests)
		return 0;
	struct balloon_seat *seats = realloc(pool->seats, s->n_guests * sizeof(*seats));
	if (!seats)
		return -ENOMEM;
	pool->seats = seats;
	pool->n_seats = s->n_guests;
	return 0;
}

static void expire(struct guest *g, usec_t now)
{
	struct ballooning *b = &g->ballooning;

	if (b->override_kib && b->override_until <= now) {
		char text[SIZE_TEXT_MAX];

		event_note(g, EVENT_BALLOON, NULL, LOG_NOTICE,
			"the size of %s that was asked for is over; automatic again",
			format_size_kib(text, sizeof(text), b->override_kib));
		ballooning_override(g, 0, USEC_INFINITY, now);
	}
	bool there = b->stats_at && b->stats.balloon_kib + NEAR_KIB >= b->release_kib;
	if (b->release_kib && (there || now >= b->release_until)) {
		b->release_kib = 0;
		g->dirty = true;
	}
}

static void carry_out(struct guest *g)
{
	struct ballooning *b = &g->ballooning;

	if (b->last.action == BALLOON_HOLD || b->in_flight || g->stats_in_flight)
		return;
	if (hvlink_balloon(g, b->last.target_kib) < 0)
		return;
	b->in_flight = true;
	b->ordered = b->last;
	ballooning_tell_order(g, &b->last);
}

static void take_decision(struct guest *g, const struct balloon_seat *seat)
{
	struct ballooning *b = &g->ballooning;

	g->dirty |= !b->decided || b->last.reason != seat->out.reason ||
		    b->last.target_kib != seat->out.target_kib ||
		    b->last.floor_kib != seat->out.floor_kib;
	b->last = seat->out;
	b->in = seat->in;
	b->decided = true;
	carry_out(g);
}

/* Statistics or an order that are out. Nobody waits for a guest whose calls do not return. */
static bool waits(const struct supervisor *s)
{
	for (unsigned i = 0; i < s->n_guests; i++)
		if (s->guests[i]->stats_in_flight || s->guests[i]->ballooning.in_flight)
			return true;
	return false;
}

static void decide(struct supervisor *s, usec_t now)
{
	struct pool *pool = &s->pool;
	struct balloon_policy policy;

	balloon_policy_from_spec(s->spec, &policy);
	read_host(s, now);
	pool->before = pool->memory;
	for (unsigned i = 0; i < s->n_guests; i++) {
		struct guest *g = s->guests[i];

		expire(g, now);
		g->ballooning.before = g->ballooning.memory;
		ballooning_input(g, now, &pool->seats[i].in);
		pool->seats[i].memory = &g->ballooning.memory;
	}
	balloon_decide(&policy, &pool->in, &pool->memory, pool->seats, s->n_guests, &pool->outcome);
	pool->decided = true;
	for (unsigned i = 0; i < s->n_guests; i++)
		take_decision(s->guests[i], &pool->seats[i]);
	ballooning_tell(s, now);
}

usec_t ballooning_decide(struct supervisor *s, usec_t now)
{
	struct pool *pool = &s->pool;

	if (!pool->collecting)
		return pool->due;
	if (now < pool->collecting && waits(s))
		return pool->collecting;
	pool->collecting = 0;
	/* Without memory for a decision there is none; the guests stay as they are. */
	usec_t period = balloon_policy_default.period_ease;
	if (make_room(s) == 0) {
		decide(s, now);
		period = pool->outcome.period;
	}
	return pool->due = MAX(usec_add(pool->began, period), usec_add(now, 1));
}

void ballooning_answered(struct guest *g, int error, const char *message, usec_t now)
{
	struct ballooning *b = &g->ballooning;
	const struct balloon_decision *d = &b->ordered;
	struct balloon_policy policy;

	b->in_flight = false;
	g->stats_due = now;
	/* A call that does not return may still have its effect. */
	if (error != 0 && error != -ETIMEDOUT) {
		log_full(LOG_DEBUG, g->spec->name, NULL, "the balloon could not be set: %s",
			message);
		return;
	}
	if (!asks(g))
		return;
	balloon_policy_from_spec(g->supervisor->spec, &policy);
	balloon_ordered(&policy, &b->memory, d, now);
	b->grows += d->action == BALLOON_GROW;
	b->shrinks += d->action == BALLOON_SHRINK;
	b->returns += d->rolled_back;
	/* Lessons and sizes outlive the daemon. */
	g->save_due = MIN(g->save_due, usec_add(now, USEC_PER_SEC));
}

void ballooning_boot(struct guest *g, bool same_qemu)
{
	struct ballooning *b = &g->ballooning;

	balloon_rebooted(&b->memory, same_qemu);
	b->before = b->memory;
	b->decided = false;
	b->stats_at = 0;
	b->release_kib = 0;
	b->blind_since = b->held_since = 0;
	b->blind_told = b->aside_told = false;
}

void ballooning_forget(struct guest *g)
{
	ballooning_boot(g, false);
	g->ballooning.last = (struct balloon_decision){ 0 };
}

void ballooning_override(struct guest *g, uint64_t kib, usec_t until, usec_t now)
{
	struct ballooning *b = &g->ballooning;
	const struct pool *pool = &g->supervisor->pool;
	uint64_t spare = 0, limit = ballooning_limit(g);

	if (pool->decided && !pool->outcome.pressed && !pool->outcome.blind &&
		pool->in.available_kib > pool->outcome.leave_kib)
		spare = pool->in.available_kib - pool->outcome.leave_kib;
	b->override_kib = kib;
	b->override_until = until;
	b->release_kib = 0;
	if (kib == 0 && b->stats_at && b->stats.balloon_kib < limit && spare > 0) {
		b->release_kib = MIN(limit, b->stats.balloon_kib + spare);
		b->release_until = usec_add(now, RELEASE_MAX);
	}
	b->held_since = 0;
	g->dirty = true;
	g->save_due = now;
	ballooning_hurry(g->supervisor, now);
}

int ballooning_dry_run(
	const struct guest *g, struct balloon_decision *ret, struct balloon_outcome *ret_outcome)
{
	const struct supervisor *s = g->supervisor;
	struct balloon_pool_memory pool_memory = s->pool.before;
	CLEANUP_FREE struct balloon_seat *seats = calloc(s->n_guests, sizeof(*seats));
	CLEANUP_FREE struct balloon_memory *memories = calloc(s->n_guests, sizeof(*memories));
	struct balloon_policy policy;

	if (!seats || !memories)
		return -ENOMEM;
	if (!s->pool.decided)
		return -ENODATA;
	for (unsigned i = 0; i < s->n_guests; i++) {
		const struct ballooning *b = &s->guests[i]->ballooning;

		memories[i] = b->before;
		seats[i].in = b->in;
		seats[i].in.override_kib = 0;
		seats[i].memory = &memories[i];
	}
	balloon_policy_from_spec(s->spec, &policy);
	balloon_decide(&policy, &s->pool.in, &pool_memory, seats, s->n_guests, ret_outcome);
	for (unsigned i = 0; i < s->n_guests; i++)
		if (s->guests[i] == g)
			*ret = seats[i].out;
	return 0;
}

/* Boottime means nothing after a reboot of the host, so it travels as real time; what lies ahead
 * stays ahead. */
static usec_t to_realtime(usec_t at, usec_t now)
{
	if (at == 0 || at == USEC_INFINITY)
		return at == 0 ? 0 : INT64_MAX;
	return at > now ? usec_add(now_realtime(), at - now) : usec_sub(now_realtime(), now - at);
}

static usec_t to_boottime(usec_t at, usec_t now)
{
	usec_t real = now_realtime();

	if (at == 0 || at >= INT64_MAX)
		return at == 0 ? 0 : USEC_INFINITY;
	return at > real ? usec_add(now, at - real) : MAX(usec_sub(now, real - at), 1u);
}

void ballooning_to_state(const struct guest *g, struct state_record *ret)
{
	const struct ballooning *b = &g->ballooning;
	const struct balloon_memory *m = &b->memory;
	usec_t now = now_boottime();

	ret->balloon_override_kib = b->override_kib;
	ret->balloon_override_until_realtime =
		b->override_kib ? to_realtime(b->override_until, now) : 0;
	ret->balloon_learned_kib = m->learned_kib;
	ret->balloon_learned_until_realtime = to_realtime(m->learned_until, now);
	ret->balloon_learned_decayed_realtime = to_realtime(m->learned_decayed, now);
	ret->balloon_lesson_at_realtime = to_realtime(m->lesson_at, now);
	ret->balloon_lessons = m->lessons;
	ret->balloon_lesson_unseen = m->lesson_unseen;
	ret->balloon_fall_kib_s = m->fall_kib_s;
	ret->balloon_fall_at_realtime = to_realtime(m->fall_at, now);
}

void ballooning_from_state(struct guest *g, const struct state_record *r, usec_t now)
{
	struct ballooning *b = &g->ballooning;
	struct balloon_memory *m = &b->memory;

	b->override_kib = MIN(r->balloon_override_kib, BALLOON_KIB_MAX);
	b->override_until = to_boottime(r->balloon_override_until_realtime, now);
	m->learned_kib = MIN(r->balloon_learned_kib, BALLOON_KIB_MAX);
	m->learned_until = to_boottime(r->balloon_learned_until_realtime, now);
	m->learned_decayed = to_boottime(r->balloon_learned_decayed_realtime, now);
	m->lesson_at = MIN(to_boottime(r->balloon_lesson_at_realtime, now), now);
	m->lessons = r->balloon_lessons;
	m->lesson_unseen = r->balloon_lesson_unseen;
	m->fall_kib_s = MIN(r->balloon_fall_kib_s, BALLOON_KIB_MAX);
	m->fall_at = MIN(to_boottime(r->balloon_fall_at_realtime, now), now);
}
