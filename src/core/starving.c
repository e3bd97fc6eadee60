/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics, the host's pressure and the guest's clock, on their way to policy/starve. */
#include "core/starving.h"

#include "base/log.h"
#include "core/event.h"
#include "core/supervisor.h"

/* Many guests are sampled in one turn of the loop; the host's pressure is read once for them. */
#define PRESSURE_AGE (50 * USEC_PER_MSEC)

/* More than QEMU can run: what libvirt says beyond is not believed. */
#define STARVING_VCPUS_MAX 8192u

static uint64_t pressure(struct supervisor *s, usec_t now)
{
	usec_t total;

	if (!s->config.pressure)
		return STARVE_ABSENT;
	if (s->pressure_at && usec_sub(now, s->pressure_at) < PRESSURE_AGE)
		return s->pressure_usec;
	s->pressure_at = now;
	s->pressure_usec = s->config.pressure(&total) == 0 ? total : STARVE_ABSENT;
	return s->pressure_usec;
}

/* What the decision rested on, for `why`. */
static void note(struct guest *g, const char *action)
{
	const struct starve *p = &g->starving.policy;

	why_note(g, WHY_HEALTH, "starvation", action,
		"vcpu-delay=%u%%%s vcpu-run=%u%%%s host-pressure=%u%%%s", p->delay.permille / 10,
		p->delay.told ? "" : "?", p->run.permille / 10, p->run.told ? "" : "?",
		p->pressure.permille / 10, p->pressure.told ? "" : "?");
}

static void tell(struct guest *g, usec_t now)
{
	struct starving *v = &g->starving;
	char span[TIMESPAN_TEXT_MAX];

	if (v->policy.starved == v->told)
		return;
	v->told = v->policy.starved;
	g->dirty = true;
	if (v->told) {
		v->since_realtime = usec_sub(now_realtime(), usec_sub(now, v->policy.since));
		event_note(g, EVENT_HEALTH, NULL, LOG_NOTICE,
			"starved: %s; questions missed meanwhile are inconclusive",
			v->policy.reason);
		note(g, "missed questions are inconclusive");
		return;
	}
	event_note(g, EVENT_HEALTH, NULL, LOG_NOTICE, "no longer starved, after %s",
		format_timespan(span, sizeof(span), usec_sub(now, v->policy.since)));
	note(g, "missed questions count");
}

void starving_reset(struct guest *g)
{
	g->dirty |= g->starving.told;
	g->starving = (struct starving){ 0 };
}

/* CPUs= may have changed since QEMU was started with it. */
static unsigned vcpus(const struct guest *g)
{
	bool told = g->stats.vcpus >= 1 && g->stats.vcpus <= STARVING_VCPUS_MAX;

	return told ? (unsigned)g->stats.vcpus : g->spec->cpus;
}

void starving_stats(struct guest *g, usec_t now)
{
	static_assert(STARVE_ABSENT == HV_STAT_ABSENT, "absent is absent");
	const struct starve_sample sample = {
		.delay_nsec = g->stats.vcpu_delay_nsec,
		.run_nsec = g->stats.cpu_time_nsec,
		.pressure_usec = pressure(g->supervisor, now),
		.vcpus = vcpus(g),
	};

	if (g->stats_at == 0 || g->stats_at == g->starving.taken_at)
		return;
	g->starving.taken_at = g->stats_at;
	(void)starve_sample(&g->starving.policy, &sample, g->stats_at);
	tell(g, now);
}

void starving_answer(const struct service *s, const struct judgement *j, usec_t now)
{
	struct guest *g = s->guest;

	if (!j->has_uptime)
		return;
	(void)starve_clock(&g->starving.policy, s->spec->name, j->boot_id, j->uptime_sec, now);
	tell(g, now);
}

/* Its last answer, if it was one from inside the guest, came promptly, and since `since`. */
static bool answered_promptly(const struct service *o, usec_t since)
{
	const struct probe *p = &o->probe;
	usec_t prompt = service_timeout(o->spec, o->guest->facts.tcg) / STARVE_PROMPT;

	if (verdict_effect(p->last.verdict) == EFFECT_NOTHING ||
		p->last.verdict == VERDICT_TIMEOUT || p->last.verdict == VERDICT_UNREACHABLE)
		return false;
	return p->last.latency <= prompt && p->judged_at >= since;
}

/* Did all the others while this question was out? A connection alone is QEMU's to take, and a
 * unit's state the agent's. */
static bool alone(const struct service *s)
{
	const struct guest *g = s->guest;
	unsigned n = 0;

	for (unsigned i = 0; i < g->n_services; i++) {
		const struct service *o = &g->services[i];

		if (o == s || !o->probe.enabled ||
			(o->spec->probe != PROBE_CBOR && o->spec->probe != PROBE_HTTP))
			continue;
		if (!answered_promptly(o, s->probe.asked_at))
			return false;
		n++;
	}
	return n >= STARVE_OTHERS;
}

bool starving_excuses(const struct service *s, usec_t due, usec_t now, const char **ret_why)
{
	struct guest *g = s->guest;
	const struct starve_sample host = {
		.delay_nsec = STARVE_ABSENT,
		.run_nsec = STARVE_ABSENT,
		.pressure_usec = pressure(g->supervisor, now),
	};

	starving_stats(g, now);
	(void)starve_sample(&g->starving.policy, &host, now);
	bool excused =
		starve_excuses(&g->starving.policy, s->probe.asked_at, due, now, alone(s), ret_why);
	if (!excused && g->starving.told)
		why_note(g, WHY_HEALTH, "starvation", "the miss counts",
			"service=%s: all others answered promptly", s->spec->name);
	tell(g, now);
	return excused;
}

usec_t starving_look_at(usec_t asked, usec_t timeout)
{
	return usec_add(asked, timeout - MIN(timeout / 2, STARVING_LOOK));
}

usec_t starving_run(struct guest *g, usec_t now)
{
	usec_t next = starve_tick(&g->starving.policy, now);

	tell(g, now);
	return next;
}
