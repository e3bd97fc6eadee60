/* SPDX-License-Identifier: Apache-2.0 */
/* What services look like to policy/remedy, and the doing of what it decides. */
#include "core/remedy.h"

#include "base/log.h"
#include "core/event.h"
#include "core/probing.h"
#include "core/sight.h"
#include "core/restarting.h"
#include "core/supervisor.h"

#include <errno.h>
#include <string.h>

/* The agent has one command at a time, and a poll of units is over in a second or two. */
#define BUSY_RETRY (1 * USEC_PER_SEC)

/* Why nothing may be done to the guest or in it now; NULL where it may. Only a guest that is ready:
 * while it boots the boot's own watch is responsible, and while cloud-init runs it may be just
 * about to bring up what is down. */
static const char *guest_held(const struct guest *g)
{
	if (g->want != WANT_UP)
		return "the guest is not wanted up";
	if (g->state != GUEST_READY)
		return "the guest is not ready";
	if (!g->supervisor->hv_health.connected)
		return "libvirt is away";
	/* What is weaker than the vCPUs' delay excuses a missed question and no more: it may be the
	 * guest's word, and an uptime that stands still would hold this up for ever. */
	if (g->starving.policy.starved && !g->starving.policy.by_miss)
		return "the host starves the guest";
	return NULL;
}

/* What was believed before the daemon's restart is no sight, nor is an answer that proves nothing.
 */
static enum remedy_sight sight_of(const struct service *s)
{
	if (s->spec->expect == EXPECT_PENDING || s->spec->probe == PROBE_NONE || s->restored)
		return REMEDY_SEES_NOTHING;
	if (s->probe.state == SERVICE_UP || s->probe.state == SERVICE_DEGRADED)
		return REMEDY_SEES_UP;
	if (s->probe.state != SERVICE_DOWN ||
		verdict_effect(s->probe.last.verdict) == EFFECT_NOTHING)
		return REMEDY_SEES_NOTHING;
	return REMEDY_SEES_DOWN;
}

/* A unit that the agent says nothing of any more: what was last believed of it stands for ever, and
 * would keep a guest that hangs as a whole from its quorum. */
static bool is_out_of_sight(const struct service *s)
{
	return sight_counts(s) && s->spec->probe == PROBE_UNIT &&
	       verdict_effect(s->probe.last.verdict) == EFFECT_NOTHING;
}

static const char *unit_held(const struct service *s, const char *guest_is_held)
{
	if (!s->spec->restart_unit)
		return "RestartUnit=no";
	if (guest_is_held)
		return guest_is_held;
	if (!s->guest->facts.agent_connected)
		return "no guest agent";
	if (s->remedy.asked)
		return "its unit is being restarted";
	if (sight_blocked_by(s))
		return "a service it depends on is down";
	return NULL;
}

static struct service *asked_service(struct guest *g)
{
	for (unsigned i = 0; i < g->n_services; i++)
		if (g->services[i].remedy.asked)
			return &g->services[i];
	return NULL;
}

static void unit_restarted(
	struct guest *g, int error, int exit_status, const char *output, usec_t now)
{
	struct service *s = asked_service(g);

	(void)output;
	if (!s)
		return;
	s->remedy.asked = false;
	if (error != 0 || exit_status != 0) {
		event_note(g, EVENT_REMEDY, s, LOG_WARNING,
			"its unit %s could not be restarted: %s %d", s->spec->unit,
			error ? "no answer from the guest agent, error" : "systemctl exited with",
			error ? -error : exit_status);
		return;
	}
	/* It starts as after a boot: what failed before counts no more. */
	probing_renew(s, now);
}

/* --no-block: the agent has one command at a time, and a unit may take minutes to stop. How it went
 * is seen by the probes. */
static int restart_unit(struct service *s, usec_t now)
{
	const char *const argv[] = { "/usr/bin/systemctl", "restart", "--no-block", "--",
		s->spec->unit, NULL };
	struct guest *g = s->guest;
	int r = agent_run_command(g, argv, unit_restarted, now);

	if (r == -EBUSY)
		return r;
	s->remedy.asked = r == 0;
	remedy_unit_acted(&s->remedy.policy, now);
	g->save_due = now;
	event_note(g, EVENT_REMEDY, s, LOG_WARNING,
		"its unit %s is restarted in the guest (%u of %u), because it is down (%s)",
		s->spec->unit, s->remedy.policy.n, s->spec->restart_unit_limit,
		verdict_to_string(s->probe.last.verdict));
	if (r < 0)
		unit_restarted(g, r, 0, "", now);
	return 0;
}

static void tell_unit(struct service *s, enum remedy_step step, const char *held)
{
	struct service_remedy *v = &s->remedy;

	if (v->told == step && v->held == held)
		return;
	v->told = step;
	v->held = held;
	if (step != REMEDY_WELL)
		why_note(s->guest, WHY_RESTART, "unit remedy", remedy_step_to_string(step),
			"service=%s verdict=%s restarts=%u/%u%s%s", s->spec->name,
			verdict_to_string(s->probe.last.verdict), v->policy.n,
			s->spec->restart_unit_limit, held ? " held: " : "", held ? held : "");
}

static usec_t run_unit(struct service *s, const char *guest_is_held, usec_t now)
{
	const struct remedy_unit_policy policy = {
		.after = s->spec->restart_unit_after,
		.limit = s->spec->restart_unit_limit,
		.window = restarting_remedy_window(s->guest),
		.stable_after = s->guest->spec->restart_stable_after,
	};
	enum remedy_sight sight = sight_of(s);
	const char *held = sight == REMEDY_SEES_DOWN ? unit_held(s, guest_is_held) : NULL;
	usec_t at;
	enum remedy_step step =
		remedy_unit_step(&s->remedy.policy, &policy, sight, held != NULL, now, &at);

	tell_unit(s, step, held);
	if (step == REMEDY_ACT)
		return restart_unit(s, now) < 0 ? usec_add(now, BUSY_RETRY) : USEC_INFINITY;
	return at;
}

/* Shuts it down gracefully and starts it again. Counted before it is stopped, because a guest that
 * still runs is not stopped in order to be given up. The back-off is over before the time that led
 * here could have passed again. */
static void restart_guest(struct guest *g, enum exit_cause cause, const char *rule, usec_t now)
{
	struct restart_policy policy = restarting_policy(g);
	usec_t at;

	policy.window = restarting_remedy_window(g);
	if (!restart_affordable(&g->restart, &policy, now)) {
		why_note(g, WHY_RESTART, rule, "hold: the budget is used up", "restarts=%u/%u",
			g->restart.n_faults, policy.limit);
		return;
	}
	(void)restart_after_exit(
		&g->restart, &policy, cause, now, g->supervisor->config.jitter(), &at);
	g->remedy.ending = cause;
	why_note(g, WHY_RESTART, rule, "stop and start the guest", "restarts=%u/%u %s",
		g->restart.n_faults, policy.limit, g->remedy.words);
	event_note(g, EVENT_REMEDY, NULL, LOG_WARNING,
		"is shut down to be started again (%u of %u): %s", g->restart.n_faults,
		policy.limit, g->remedy.words);
	g->tally.restarts++;
	guest_event(g, GUEST_EV_STOP, now);
}

static const char *quorum_held(const struct guest *g, const char *guest_is_held)
{
	return g->spec->restart_quorum == 0 ? "Quorum= is not set" : guest_is_held;
}

static usec_t run_quorum(struct guest *g, const char *guest_is_held, usec_t now)
{
	const struct remedy_quorum_policy policy = {
		.percent = g->spec->restart_quorum,
		.after = g->spec->restart_quorum_after,
	};
	const char *held = quorum_held(g, guest_is_held);
	struct remedy_quorum_input in = { .now = now, .held = held != NULL };
	unsigned up;
	usec_t at;

	sight_count(g, &in.active, &up);
	for (unsigned i = 0; i < g->n_services; i++) {
		in.down += sight_of(&g->services[i]) == REMEDY_SEES_DOWN;
		in.active -= is_out_of_sight(&g->services[i]);
	}
	enum remedy_step step = remedy_quorum_step(&g->remedy.quorum_since, &policy, &in, &at);
	if (step == REMEDY_WELL || step == REMEDY_WAIT)
		held = NULL;
	if (step != g->remedy.told || held != g->remedy.held) {
		g->remedy.told = step;
		g->remedy.held = held;
		if (step != REMEDY_WELL)
			why_note(g, WHY_RESTART, "quorum down", remedy_step_to_string(step),
				"down=%u active=%u quorum=%u%%%s%s", in.down, in.active,
				policy.percent, held ? " held: " : "", held ? held : "");
	}
	if (step != REMEDY_ACT)
		return at;
	char span[TIMESPAN_TEXT_MAX];
	(void)snprintf(g->remedy.words, sizeof(g->remedy.words),
		"%u of %u active services were down for %s", in.down, in.active,
		format_timespan(span, sizeof(span), policy.after));
	restart_guest(g, CAUSE_REMEDY, "quorum down", now);
	return now;
}

usec_t remedy_run(struct guest *g, usec_t now)
{
	const char *held = guest_held(g);
	usec_t next = run_quorum(g, held, now);

	/* The guest is being stopped now, perhaps. */
	held = guest_held(g);
	for (unsigned i = 0; i < g->n_services; i++)
		next = MIN(next, run_unit(&g->services[i], held, now));
	return next;
}

void remedy_watchdog(struct guest *g, usec_t now)
{
	const char *held = guest_held(g);

	if (g->spec->restart_on[ON_WATCHDOG] == RESTART_STAY)
		held = "OnWatchdog=stay";
	event_note(g, EVENT_HEALTH, NULL, LOG_WARNING, "stopped feeding its watchdog");
	if (held) {
		why_note(g, WHY_RESTART, "watchdog", "hold", "%s", held);
		return;
	}
	(void)snprintf(g->remedy.words, sizeof(g->remedy.words), "it stopped feeding its watchdog");
	restart_guest(g, CAUSE_WATCHDOG, "watchdog", now);
}

void remedy_drop(struct guest *g)
{
	struct service *s = asked_service(g);

	if (s)
		s->remedy.asked = false;
}

void remedy_superseded(struct guest *g)
{
	g->remedy.ending = CAUSE_NONE;
}

void remedy_clear(struct guest *g)
{
	for (unsigned i = 0; i < g->n_services; i++)
		g->services[i].remedy.policy = (struct remedy_unit){ 0 };
	g->remedy.quorum_since = 0;
}
