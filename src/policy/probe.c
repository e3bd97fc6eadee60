/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From verdicts to the state of one service, and from the state to the moment of the next question.
 *
 * Theory of operation
 *
 * Two things are decided here and nothing else: what we believe (state, from runs of verdicts) and
 * when we ask (next, from the state). They are kept apart: counting never looks at the schedule,
 * and the schedule only asks whether the state is in doubt.
 *
 * Questions lie on a grid: a point chosen when the guest boots or is adopted, plus whole intervals.
 * All services of one guest get the same point, so their questions fall due together and are put in
 * one wake-up, which halves their cost, also after one of them has been asked faster for a while.
 * The next question is always computed from the grid and the present, never by adding to an old due
 * time in a loop, so a clock that jumped an hour (suspend) costs one question and not three
 * hundred.
 *
 * The one exception: while in doubt, a question that outlived its FastInterval is followed by the
 * next at once. Waiting for the grid would add up to a FastInterval to each of the Fall time-outs
 * that tell a silent service from a slow one.
 *
 * The invariants: at most one question in flight; `next` is finite while enabled and infinite while
 * not; a budget runs only in `starting`; an inconclusive verdict leaves runs alone, and the state,
 * too, until silence has been excused for as long as the operator said (count_excused()).
 */
#include "policy/probe.h"

#include "base/macro.h"

#include <limits.h>
#include <string.h>

static const char *const service_state_names[] = {
	[SERVICE_UNKNOWN] = "unknown",
	[SERVICE_STARTING] = "starting",
	[SERVICE_UP] = "up",
	[SERVICE_DEGRADED] = "degraded",
	[SERVICE_DOWN] = "down",
};
NAME_TABLE_DEFINE(service_state, enum service_state, SERVICE_STATE_NUM);

void probe_init(struct probe *p)
{
	*p = (struct probe){ .state = SERVICE_UNKNOWN, .next = USEC_INFINITY };
}

bool probe_in_doubt(const struct probe *p)
{
	if (p->last.verdict == VERDICT_INCONCLUSIVE)
		return true;
	switch (p->state) {
	case SERVICE_UP:
	case SERVICE_DEGRADED:
		return p->failures > 0;
	case SERVICE_DOWN:
		return p->successes > 0;
	case SERVICE_UNKNOWN:
	case SERVICE_STARTING:
	case SERVICE_STATE_NUM:
		break;
	}
	return true;
}

/* The state's one setter. Nothing but the guest's own boot leads to `starting` out of a judged
 * state. */
static void set_state(struct probe *p, enum service_state state, usec_t now)
{
	if (p->state == state)
		return;
	assert((size_t)state < SERVICE_STATE_NUM);
	p->state = state;
	p->state_since = now;
	if (state != SERVICE_STARTING)
		p->budget_until = 0;
}

static bool budget_runs(const struct probe *p, usec_t now)
{
	return p->budget_until > 0 && now < p->budget_until;
}

static void start_budget(
	struct probe *p, const struct service_spec *service, const struct probe_input *in)
{
	p->budget_until = usec_add(in->now, service_start_budget(service, in->tcg));
}

static usec_t step_of(const struct probe *p, const struct service_spec *service)
{
	usec_t step = service->interval;

	if (probe_in_doubt(p))
		step = MIN(step, service->fast_interval);
	/* The configuration allows no zero; a division must not depend on that. */
	return MAX(step, USEC_PER_MSEC);
}

/* The first point of the grid later than `from`. */
static usec_t grid_after(const struct probe *p, usec_t from, usec_t step)
{
	if (from < p->grid)
		return p->grid;
	return usec_add(p->grid, ((from - p->grid) / step + 1) * step);
}

static void schedule(struct probe *p, const struct service_spec *service, usec_t now)
{
	if (!p->enabled) {
		p->next = USEC_INFINITY;
		return;
	}
	usec_t step = step_of(p, service);
	usec_t next = grid_after(p, p->asked_at, step);

	if (next <= now)
		next = probe_in_doubt(p) ? now : grid_after(p, now, step);
	p->next = next;
}

/* From here on the guest's answers mean something (again). */
static void enable(struct probe *p, const struct probe_input *in)
{
	p->enabled = true;
	p->grid = usec_add(in->now, in->stagger);
	p->next = p->grid;
}

/* Nothing that was learned, or is still on its way, belongs to what comes now. */
static void forget(struct probe *p)
{
	p->successes = p->failures = 0;
	p->budget_until = 0;
	p->judged_at = 0;
	p->excused = 0;
	p->last = (struct judgement){ .verdict = VERDICT_NONE };
	p->stale = p->in_flight;
}

static void on_disable(struct probe *p, usec_t now)
{
	forget(p);
	p->enabled = false;
	p->next = USEC_INFINITY;
	set_state(p, SERVICE_UNKNOWN, now);
}

static void on_boot(
	struct probe *p, const struct service_spec *service, const struct probe_input *in)
{
	forget(p);
	set_state(p, SERVICE_STARTING, in->now);
	/* A second boot in a row is a new start, although the state's name stays. */
	p->state_since = in->now;
	start_budget(p, service, in);
	enable(p, in);
}

static void on_adopt(struct probe *p, const struct probe_input *in)
{
	p->in_flight = p->stale = false;
	enable(p, in);
}

static void on_tick(
	struct probe *p, const struct service_spec *service, usec_t now, struct probe_act *act)
{
	if (!p->enabled || now < p->next)
		return;
	if (!p->in_flight) {
		p->in_flight = true;
		p->asked_at = now;
		act->ask = true;
	}
	/* Also while in flight: a due time that stays in the past would keep the caller's timer
	 * firing. */
	p->next = grid_after(p, now, step_of(p, service));
}

static unsigned saturating_inc(unsigned n)
{
	return n < UINT_MAX ? n + 1 : n;
}

static void count_up(struct probe *p, const struct service_spec *service, usec_t now)
{
	bool first_is_enough = p->state != SERVICE_DOWN;

	p->failures = 0;
	p->successes = saturating_inc(p->successes);
	if (first_is_enough || p->successes >= service->rise)
		set_state(p, p->last.verdict == VERDICT_DEGRADED ? SERVICE_DEGRADED : SERVICE_UP,
			now);
}

static void count_down(struct probe *p, const struct service_spec *service, usec_t now)
{
	p->successes = 0;
	if (budget_runs(p, now))
		return;
	p->failures = saturating_inc(p->failures);
	if (p->failures >= service->fall)
		set_state(p, SERVICE_DOWN, now);
}

static void count_neither(
	struct probe *p, const struct service_spec *service, const struct probe_input *in)
{
	if (budget_runs(p, in->now))
		return;
	if (p->state == SERVICE_UNKNOWN) {
		set_state(p, SERVICE_STARTING, in->now);
		p->failures = 0;
		start_budget(p, service, in);
		return;
	}
	count_down(p, service, in->now);
}

/* "no answer for 15min: the host starved …": what was missed last comes after how long it lasts. */
static void say_silent(struct probe *p)
{
	char old[VERDICT_REASON_MAX], span[TIMESPAN_TEXT_MAX];

	memcpy(old, p->last.reason, sizeof(old));
	(void)format_timespan(span, sizeof(span), p->excused);
	/* A cut here may fall inside a character; the words excused with are ASCII. */
	(void)snprintf(
		p->last.reason, sizeof(p->last.reason), "no answer for %s: %.200s", span, old);
}

static void count_excused(
	struct probe *p, const struct service_spec *service, const struct probe_input *in)
{
	/* Asked late, or the host slept: no question is out for longer than its time-out. */
	usec_t out = MIN(usec_sub(in->now, p->asked_at), service_timeout(service, in->tcg));

	p->excused = usec_add(p->excused, out);
	if (p->excused < service_start_budget(service, in->tcg) || budget_runs(p, in->now) ||
		p->state == SERVICE_DOWN)
		return;
	say_silent(p);
	p->successes = p->failures = 0;
	set_state(p, SERVICE_UNKNOWN, in->now);
}

static void count(struct probe *p, const struct service_spec *service, const struct probe_input *in)
{
	enum verdict_effect effect = verdict_effect(p->last.verdict);

	if (effect != EFFECT_NOTHING)
		p->excused = 0;
	switch (effect) {
	case EFFECT_UP:
		count_up(p, service, in->now);
		break;
	case EFFECT_NEITHER:
		count_neither(p, service, in);
		break;
	case EFFECT_DOWN:
		count_down(p, service, in->now);
		break;
	case EFFECT_NOTHING:
		if (p->last.excused)
			count_excused(p, service, in);
		break;
	case EFFECT_NUM:
		break;
	}
}

static void on_answer(
	struct probe *p, const struct service_spec *service, const struct probe_input *in)
{
	if (!p->in_flight)
		return;
	bool counts = p->enabled && !p->stale && in->judgement;

	p->in_flight = p->stale = false;
	if (counts) {
		p->last = *in->judgement;
		p->judged_at = in->now;
		count(p, service, in);
	}
	schedule(p, service, in->now);
}

static void on_cancelled(struct probe *p, const struct service_spec *service, usec_t now)
{
	if (!p->in_flight)
		return;
	p->in_flight = p->stale = false;
	schedule(p, service, now);
}

void probe_step(struct probe *p, const struct service_spec *service, const struct probe_input *in,
	struct probe_act *ret)
{
	struct probe_act act = { .old_state = p->state };
	enum verdict old_verdict = p->last.verdict;
	bool old_proven = p->last.proven;
	enum probe_event event = in->event;

	if (service->probe == PROBE_NONE && (event == PROBE_EV_BOOT || event == PROBE_EV_ADOPT))
		event = PROBE_EV_DISABLE;

	switch (event) {
	case PROBE_EV_BOOT:
		on_boot(p, service, in);
		break;
	case PROBE_EV_PROGRESS:
		if (p->state == SERVICE_STARTING)
			start_budget(p, service, in);
		break;
	case PROBE_EV_ADOPT:
		on_adopt(p, in);
		break;
	case PROBE_EV_DISABLE:
		on_disable(p, in->now);
		break;
	case PROBE_EV_TICK:
		on_tick(p, service, in->now, &act);
		break;
	case PROBE_EV_ANSWER:
		on_answer(p, service, in);
		break;
	case PROBE_EV_CANCELLED:
		on_cancelled(p, service, in->now);
		break;
	case PROBE_EV_NUM:
		break;
	}

	act.state_changed = p->state != act.old_state;
	act.verdict_changed = p->last.verdict != old_verdict || p->last.proven != old_proven;
	*ret = act;
}
