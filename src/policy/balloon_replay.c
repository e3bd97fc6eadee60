/* SPDX-License-Identifier: Apache-2.0 */
/* The closed loop: trace, model guests, controller, and what came of it. */
#include "policy/balloon_replay.h"

#include "base/macro.h"

#include <errno.h>
#include <string.h>

#define CONSTANT_AFTER (2 * USEC_PER_MINUTE)
#define TURN_KIB       (16 * 1024)
#define FALL_KIB       (512 * 1024)
#define TURN_WINDOW    (10 * USEC_PER_MINUTE)

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static struct replay_guest *guest_of(
	struct replay *r, struct trace_reader *reader, const char *name)
{
	for (size_t i = 0; i < r->n; i++)
		if (strcmp(r->guests[i].name, name) == 0)
			return &r->guests[i];
	if (r->n == TRACE_GUESTS_MAX) {
		(void)snprintf(reader->fault, sizeof(reader->fault),
			"%.60s:%u: guest: more than %u guests", reader->name, reader->line,
			TRACE_GUESTS_MAX);
		return NULL;
	}
	struct replay_guest *g = &r->guests[r->n++];
	*g = (struct replay_guest){ .in.phase = BALLOON_AWAY };
	memcpy(g->name, name, sizeof(g->name));
	return g;
}

static void end_boot(struct replay_guest *g)
{
	g->swap_run += g->run.swap_in_kib;
	g->swap_alone += g->alone.swap_in_kib;
	g->ooms_run += g->run.ooms;
	g->ooms_alone += g->alone.ooms;
	g->run = g->alone = (struct guestmem){ 0 };
	g->runs = false;
}

static void begin_boot(struct replay *r, struct replay_guest *g, const struct trace_row *row,
	const struct replay_controller *controller)
{
	guestmem_boot(&g->run, row->in.max_kib, row->swap_kib, row->in.tcg, &row->demand);
	g->alone = g->run;
	g->runs = true;
	g->direction = 0;
	g->mark_kib = guestmem_actual_kib(&g->run);
	if (controller->booted)
		controller->booted(controller->state, (size_t)(g - r->guests));
}

static void time_fall(struct replay *r, struct replay_guest *g, const struct trace_row *row)
{
	uint64_t fall = less(g->demand.demand_kib, row->demand.demand_kib);

	if (g->demand.demand_kib == row->demand.demand_kib)
		return;
	if (g->fell_at)
		r->summary.falls_unmet++;
	g->fell_at = 0;
	if (fall < FALL_KIB || !g->runs)
		return;
	r->summary.falls++;
	g->fell_at = MAX(row->time, 1u);
	g->fell_goal = less(guestmem_rss_kib(&g->run), fall / 5 * 4);
}

/* The host's part of a row. */
static void apply_pool(struct replay *r, const struct trace_row *row)
{
	r->pool = row->pool;
	if (row->pool.reserve_kib == BALLOON_ABSENT)
		r->pool.reserve_kib = r->defaults.reserve_kib;
	if (row->pool.critical_kib == BALLOON_ABSENT)
		r->pool.critical_kib = r->defaults.critical_kib;
	r->other_kib = row->other_kib;
}

static bool same_demand(const struct guestmem_input *a, const struct guestmem_input *b)
{
	return a->demand_kib == b->demand_kib && a->hot_kib == b->hot_kib &&
	       a->read_kib_s == b->read_kib_s && a->flaw == b->flaw;
}

static int apply(struct replay *r, struct trace_reader *reader, const struct trace_row *row,
	const struct replay_controller *controller)
{
	struct replay_guest *g = guest_of(r, reader, row->guest);

	if (!g)
		return -EINVAL;
	if (!same_demand(&g->demand, &row->demand) || r->other_kib != row->other_kib ||
		g->in.phase != row->in.phase)
		r->changed_at = row->time;
	time_fall(r, g, row);
	apply_pool(r, row);
	bool away = row->in.phase == BALLOON_AWAY;
	if (g->runs && (away || g->run.max_kib != row->in.max_kib))
		end_boot(g);
	if (!g->runs && !away)
		begin_boot(r, g, row, controller);
	g->in = row->in;
	g->demand = row->demand;
	return 0;
}

/* What the hypervisor would tell of it now. */
static void observe(const struct replay_guest *g, struct balloon_guest *ret)
{
	const struct guestmem *m = &g->run;

	*ret = g->in;
	if (!g->runs) {
		ret->phase = BALLOON_AWAY;
		return;
	}
	ret->actual_kib = guestmem_actual_kib(m);
	ret->rss_kib = guestmem_rss_kib(m);
	ret->usable_kib = m->usable_kib;
	ret->unused_kib = m->unused_kib;
	ret->caches_kib = m->caches_kib;
	ret->swap_in_kib = m->seen_swap_in;
	ret->swap_out_kib = m->seen_swap_out;
	ret->major_faults = m->seen_faults;
	ret->last_update_sec = m->update_sec;
	ret->latency = m->latency_usec;
}

/* By the balloon's real size: an order nobody follows hurts nobody. */
static void count_turn(struct replay *r, struct replay_guest *g, usec_t now)
{
	uint64_t size = guestmem_actual_kib(&g->run);
	int direction = size > g->mark_kib + TURN_KIB ? 1 : size + TURN_KIB < g->mark_kib ? -1 : 0;

	if (direction == 0)
		return;
	bool turned = g->direction && direction != g->direction;
	g->direction = direction;
	g->mark_kib = size;
	if (!turned || usec_sub(now, r->changed_at) < CONSTANT_AFTER)
		return;
	r->summary.turns++;
	g->turns[g->n_turns++ % REPLAY_TURNS] = now;
	unsigned recent = 0;
	for (unsigned i = 0; i < MIN(g->n_turns, REPLAY_TURNS); i++)
		recent += usec_sub(now, g->turns[i]) < TURN_WINDOW;
	r->summary.turns_10min = MAX(r->summary.turns_10min, recent);
}

static usec_t control(struct replay *r, const struct replay_controller *controller, usec_t now)
{
	for (size_t i = 0; i < r->n; i++) {
		observe(&r->guests[i], &r->in[i]);
		r->targets[i] = 0;
	}
	r->pool.now = now;
	usec_t next = controller->decide(controller->state, &r->pool, r->in, r->n, r->targets);
	for (size_t i = 0; i < r->n; i++) {
		struct replay_guest *g = &r->guests[i];

		if (!g->runs || r->targets[i] == 0)
			continue;
		guestmem_order(&g->run, r->targets[i]);
	}
	return MAX(next, GUESTMEM_STEP);
}

/* One guest, one step; adds what QEMU holds with the controller and without. */
static void step_guest(
	struct replay *r, struct replay_guest *g, usec_t now, uint64_t *held, uint64_t *held_alone)
{
	guestmem_step(&g->run, &g->demand, now, REPLAY_REPORT);
	guestmem_step(&g->alone, &g->demand, now, REPLAY_REPORT);
	count_turn(r, g, now);
	*held += guestmem_rss_kib(&g->run);
	*held_alone += guestmem_rss_kib(&g->alone);
	r->summary.guest_seconds += (double)GUESTMEM_STEP / USEC_PER_SEC;
	if (g->run.pressed && !g->alone.pressed)
		r->summary.pressed_guest_s += (double)GUESTMEM_STEP / USEC_PER_SEC;
	if (g->fell_at && guestmem_rss_kib(&g->run) <= g->fell_goal) {
		r->back_sum += (double)usec_sub(now, g->fell_at) / USEC_PER_SEC;
		g->fell_at = 0;
	}
}

static void step(struct replay *r, const struct replay_observer *observer, usec_t now)
{
	uint64_t held = 0, held_alone = 0;

	for (size_t i = 0; i < r->n; i++)
		if (r->guests[i].runs)
			step_guest(r, &r->guests[i], now, &held, &held_alone);
	uint64_t used = r->other_kib + held;
	if (used > r->pool.total_kib)
		r->summary.host_short_s += (double)GUESTMEM_STEP / USEC_PER_SEC;
	r->pool.available_kib = less(r->pool.total_kib, used);
	double returned = (double)held_alone - (double)held;
	r->returned_sum += returned;
	r->summary.returned_end_kib = returned;
	if (observer && observer->sample && r->steps % (60 * USEC_PER_SEC / GUESTMEM_STEP) == 0) {
		const struct replay_sample sample = {
			.now = now,
			.host_available_kib = r->pool.available_kib,
			.returned_kib = (int64_t)returned,
		};
		observer->sample(observer->userdata, &sample);
	}
	r->steps++;
}

static void sum_up(struct replay *r, struct replay_summary *ret)
{
	struct replay_summary *s = &r->summary;
	uint64_t run = 0, alone = 0;
	unsigned ooms_run = 0, ooms_alone = 0, met;

	for (size_t i = 0; i < r->n; i++) {
		struct replay_guest *g = &r->guests[i];

		s->falls_unmet += g->fell_at != 0;
		end_boot(g);
		/* Guest for guest: what one is spared does not excuse another. */
		run += MAX(g->swap_run, g->swap_alone);
		alone += g->swap_alone;
		ooms_run += MAX(g->ooms_run, g->ooms_alone);
		ooms_alone += g->ooms_alone;
	}
	s->swap_in_kib = run - alone;
	s->ooms = ooms_run - ooms_alone;
	s->seconds = (double)r->steps * GUESTMEM_STEP / USEC_PER_SEC;
	s->returned_mean_kib = r->steps ? r->returned_sum / (double)r->steps : 0;
	met = s->falls - MIN(s->falls, s->falls_unmet);
	s->back_mean_s = met ? r->back_sum / met : 0;
	*ret = *s;
}

static int too_long(struct trace_reader *reader)
{
	(void)snprintf(reader->fault, sizeof(reader->fault),
		"%.60s:%u: time: a trace with demand spans at most 7 days", reader->name,
		reader->line);
	return -EINVAL;
}

int replay_run(struct replay *r, struct trace_reader *reader, const struct balloon_pool *defaults,
	const struct replay_controller *controller, const struct replay_observer *observer,
	struct replay_summary *ret)
{
	struct trace_row row;

	*r = (struct replay){ .defaults = *defaults };
	int got = trace_next(reader, &row);
	usec_t start = got > 0 ? row.time : 0, now = start, decide_at = start, last = start;
	while (got > 0 || now < last) {
		while (got > 0 && row.time <= now) {
			last = row.time;
			if (apply(r, reader, &row, controller) < 0)
				return -EINVAL;
			got = trace_next(reader, &row);
			if (got > 0 && usec_sub(row.time, start) > REPLAY_SPAN_MAX)
				return too_long(reader);
		}
		if (got < 0)
			return got;
		now += GUESTMEM_STEP;
		step(r, observer, now);
		if (now >= decide_at)
			decide_at = now + control(r, controller, now);
	}
	if (got < 0)
		return got;
	sum_up(r, ret);
	return 0;
}

int replay_recorded(struct replay *r, struct trace_reader *reader,
	const struct balloon_pool *defaults, const struct replay_controller *controller)
{
	struct trace_row row;
	int got;

	*r = (struct replay){ .defaults = *defaults };
	got = trace_next(reader, &row);
	while (got > 0) {
		usec_t now = row.time;

		do {
			struct replay_guest *g = guest_of(r, reader, row.guest);

			if (!g)
				return -EINVAL;
			apply_pool(r, &row);
			g->in = row.in;
			got = trace_next(reader, &row);
		} while (got > 0 && row.time == now);
		for (size_t i = 0; i < r->n; i++)
			r->in[i] = r->guests[i].in;
		r->pool.now = now;
		(void)controller->decide(controller->state, &r->pool, r->in, r->n, NULL);
	}
	return got;
}

static usec_t policy_decide(void *state, const struct balloon_pool *pool,
	const struct balloon_guest *guests, size_t n, uint64_t *targets)
{
	struct replay_policy *p = state;

	for (size_t i = 0; i < n; i++) {
		p->seats[i].in = guests[i];
		p->seats[i].memory = &p->memory[i];
	}
	balloon_decide(p->policy, pool, &p->pool_memory, p->seats, n, &p->outcome);
	for (size_t i = 0; i < n; i++) {
		const struct balloon_decision *d = &p->seats[i].out;

		if (p->told)
			p->told(p->userdata, pool->now, i, d);
		if (!targets || d->action == BALLOON_HOLD)
			continue;
		targets[i] = d->target_kib;
		balloon_ordered(p->policy, &p->memory[i], d, pool->now);
	}
	return p->outcome.period;
}

static void policy_booted(void *state, size_t guest)
{
	struct replay_policy *p = state;

	balloon_rebooted(&p->memory[guest], false);
}

void replay_policy_init(
	struct replay_policy *p, const struct balloon_policy *policy, struct replay_controller *ret)
{
	*p = (struct replay_policy){ .policy = policy };
	*ret = (struct replay_controller){
		.name = "mediakitd", .state = p, .decide = policy_decide, .booted = policy_booted
	};
}
