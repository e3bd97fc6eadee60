/* SPDX-License-Identifier: Apache-2.0 */
/* From timers to questions, from answers to the states of services. */
#include "core/probing.h"
#include "core/sight.h"

#include "base/log.h"
#include "core/event.h"
#include "core/hvlink.h"
#include "core/supervisor.h"
#include "model/utf8.h"

#include <string.h>

/* Probes are always asked here, whatever Bind= says: every forward is bound on it (wire.md). */
#define PROBE_ADDRESS "127.0.0.1"

/* Guests are set apart by this much, so that not all of them ask in the same wake-up; sixteen slots
 * inside the default interval. */
#define STAGGER_STEP  (611 * USEC_PER_MSEC)
#define STAGGER_SLOTS 16u

/* More than a remedy's command and that about file systems, in front of a question, may take. */
#define UNIT_WAITS_MAX (3 * AGENT_COMMAND_MAX)

static bool guest_is_tcg(const struct guest *g)
{
	return g->facts.tcg;
}

static void note_state(const struct service *s, enum service_state old)
{
	enum service_state new = s->probe.state;
	int level =
		(new == SERVICE_DOWN || new == SERVICE_UNKNOWN) && s->spec->expect == EXPECT_ACTIVE
			? LOG_WARNING
			: LOG_INFO;

	/* It was believed to be up, and nobody knows any more. */
	if (new == SERVICE_UNKNOWN && s->probe.last.excused) {
		event_note(s->guest, EVENT_SERVICE, s, level, "%s -> %s (%s)",
			service_state_to_string(old), service_state_to_string(new),
			s->probe.last.reason);
		why_note(s->guest, WHY_HEALTH, "cap on starvation", "state unknown",
			"service=%s unanswered=%llus", s->spec->name,
			(unsigned long long)(s->probe.excused / USEC_PER_SEC));
		return;
	}
	if (new == SERVICE_UNKNOWN || new == SERVICE_STARTING)
		log_full(LOG_DEBUG, s->guest->spec->name, s->spec->name, "%s -> %s",
			service_state_to_string(old), service_state_to_string(new));
	else
		event_note(s->guest, EVENT_SERVICE, s, level, "%s -> %s (%s%s%s)",
			service_state_to_string(old), service_state_to_string(new),
			verdict_to_string(s->probe.last.verdict),
			s->probe.last.reason[0] ? ": " : "", s->probe.last.reason);
}

static void step(struct service *s, enum probe_event event, const struct judgement *judgement,
	usec_t now, struct probe_act *ret_act)
{
	struct guest *g = s->guest;
	bool begins = event == PROBE_EV_BOOT || event == PROBE_EV_ADOPT;
	const struct probe_input in = {
		.event = begins && sight_unasked(s) ? PROBE_EV_DISABLE : event,
		.now = now,
		.stagger = (g->index % STAGGER_SLOTS) * STAGGER_STEP,
		.tcg = guest_is_tcg(g),
		.judgement = judgement,
	};

	probe_step(&s->probe, s->spec, &in, ret_act);
	if (ret_act->state_changed) {
		s->state_since_realtime = now_realtime();
		note_state(s, ret_act->old_state);
	}
	if (ret_act->state_changed || ret_act->verdict_changed)
		g->news |= NEWS_HEALTH;
	else if (judgement)
		g->news |= NEWS_JUDGED;
	s->dirty |= ret_act->state_changed || ret_act->verdict_changed || judgement;
}

static void drop_question(struct service *s)
{
	const struct prober *p = s->guest->supervisor->config.prober;

	if (s->slot)
		p->vtable->cancel(s->guest->supervisor->config.prober, s->slot);
	s->slot = NULL;
	s->unit_wanted = false;
	s->unit_asked = false;
}

/* The first new boot_id after a start, or after events may have been lost, is the current one,
 * until the agent says otherwise. */
static bool learn_boot_id(struct guest *g, const struct judgement *j)
{
	if (!j->boot_id[0] || strcmp(j->boot_id, g->past_boot_id) == 0 ||
		(g->boot_id[0] && !g->boot_id_doubt))
		return false;
	g->boot_id_doubt = !g->supervisor->hv_health.connected;
	if (strcmp(j->boot_id, g->boot_id) == 0)
		return false;
	if (g->boot_id[0]) {
		event_note(g, EVENT_BOOT, NULL, LOG_NOTICE, "rebooted itself while nobody looked");
		memcpy(g->past_boot_id, g->boot_id, sizeof(g->past_boot_id));
		g->boot_id_by_agent = false;
	}
	memcpy(g->boot_id, j->boot_id, sizeof(g->boot_id));
	g->dirty = true;
	return true;
}

static void judge(struct service *s, const struct answer *answer, usec_t now)
{
	struct guest *g = s->guest;
	struct probe_act act;
	struct judgement j;
	const char *why = "the guest was paused or stopping while we asked";
	bool doubt = guest_state_inconclusive(g->state, &why) || s->was_inconclusive;
	struct expectation expect = {
		.nonce = s->nonce,
		/* Until the current id is known, the one before is the only one known to be wrong.
		 */
		.boot_id = g->boot_id,
		.past_boot_id = g->past_boot_id,
		.inconclusive = doubt,
		.why_inconclusive = why ? why : "the guest was paused or stopping while we asked",
		.timeout = service_timeout(s->spec, guest_is_tcg(g)),
		.host_port = s->host_port,
	};

	if (answer->kind == ANSWER_TIMEOUT && !doubt)
		expect.starved = starving_excuses(
			s, usec_add(s->probe.asked_at, expect.timeout), now, &expect.why_starved);
	verdict_judge(s->spec, answer, &expect, &j);
	starving_answer(s, &j, now);
	if (learn_boot_id(g, &j))
		verdict_judge(s->spec, answer, &expect, &j);
	s->restored = false;
	s->judged_at_realtime = now_realtime();
	tally_judged(s, &j, now);
	step(s, PROBE_EV_ANSWER, &j, now, &act);
	/* Something in the guest answered, so its userspace runs. A connection alone is taken by
	 * QEMU's own network stack, and would call off the watch over a boot that hangs. */
	if (verdict_effect(j.verdict) == EFFECT_UP && s->spec->probe != PROBE_TCP)
		g->news |= NEWS_USERSPACE;
}

static void answered(void *userdata, const struct answer *answer, usec_t now)
{
	struct service *s = userdata;

	s->slot = NULL;
	judge(s, answer, now);
}

static void judge_kind(struct service *s, enum answer_kind kind, const char *detail, usec_t now)
{
	struct answer answer = {
		.protocol = s->spec->probe == PROBE_UNIT  ? ANSWER_UNIT
			    : s->spec->probe == PROBE_TCP ? ANSWER_TCP
							  : ANSWER_HTTP,
		.kind = kind,
		.latency = usec_sub(now, s->probe.asked_at),
	};

	(void)snprintf(answer.detail, sizeof(answer.detail), "%s", detail);
	judge(s, &answer, now);
}

static void ask(struct service *s, usec_t now)
{
	struct guest *g = s->guest;
	struct prober *p = g->supervisor->config.prober;
	int error = 0;

	s->was_inconclusive = guest_state_inconclusive(g->state, NULL);
	s->looked = false;
	if (s->spec->probe == PROBE_UNIT) {
		s->unit_wanted = true;
		return;
	}
	g->supervisor->config.nonce(s->nonce);
	struct question q = {
		.address = PROBE_ADDRESS,
		.port = s->host_port,
		.protocol = s->spec->probe == PROBE_TCP ? ANSWER_TCP : ANSWER_HTTP,
		.path = s->spec->path,
		.nonce = s->nonce,
		.timeout = service_timeout(s->spec, guest_is_tcg(g)),
	};
	s->slot = p->vtable->ask(p, &q, answered, s, &error);
	if (!s->slot)
		judge_kind(s, ANSWER_LOCAL_ERROR, strerror(-error), now);
}

/* One line of `systemctl is-active` for each unit, in the order asked. */
static void units_answered(
	struct guest *g, int error, int exit_status, const char *output, usec_t now)
{
	(void)exit_status; /* 3 where any of them is not active: the lines say which */
	for (unsigned i = 0; i < g->n_services; i++) {
		struct service *s = &g->services[i];
		if (!s->unit_asked)
			continue;
		s->unit_asked = false;
		size_t len = strcspn(output, "\n");
		if (error != 0 || len == 0) {
			judge_kind(s, ANSWER_LOCAL_ERROR,
				error ? "the guest agent gave no answer" : "systemctl said nothing",
				now);
		} else {
			struct answer answer = {
				.protocol = ANSWER_UNIT,
				.kind = ANSWER_WHOLE,
				.latency = usec_sub(now, s->probe.asked_at),
			};
			(void)utf8_escape(
				answer.unit_state, sizeof(answer.unit_state), output, len);
			judge(s, &answer, now);
		}
		output += len + (output[len] == '\n');
	}
}

static void ask_units(struct guest *g, usec_t now)
{
	const char *argv[AGENT_ARGS_MAX] = { "/usr/bin/systemctl", "is-active", "--" };
	size_t n = 3;

	static_assert(SPEC_SERVICES_MAX + 4 <= AGENT_ARGS_MAX, "not all units fit one command");
	for (unsigned i = 0; i < g->n_services; i++)
		if (g->services[i].unit_wanted)
			argv[n++] = g->services[i].spec->unit;
	if (n == 3)
		return;
	int r = agent_yields(g, now) ? -EBUSY : agent_run_command(g, argv, units_answered, now);
	for (unsigned i = 0; i < g->n_services; i++) {
		struct service *s = &g->services[i];
		if (!s->unit_wanted)
			continue;
		/* Busy with something else: its end is seen soon, and the wish stands. But a call
		 * to libvirt that never returns has no end. */
		if (r == -EBUSY && now < usec_add(s->probe.asked_at, UNIT_WAITS_MAX))
			continue;
		s->unit_wanted = false;
		if (r == 0)
			s->unit_asked = true;
		else
			judge_kind(s, ANSWER_LOCAL_ERROR,
				r == -EBUSY ? "the calls before do not return" : "no guest agent",
				now);
	}
}

void probing_init(struct guest *g)
{
	for (unsigned i = 0; i < g->n_services; i++)
		probe_init(&g->services[i].probe);
}

static uint16_t find_forward(const struct service *s)
{
	const struct guest *g = s->guest;
	uint16_t found = 0;

	for (unsigned i = 0; i < g->n_forwards; i++) {
		const struct forward *f = &g->forwards[i];

		/* More than one may lead to a port: its own, where that is still there. */
		if (f->port == s->spec->port && (!found || f->host_port == s->spec->host_port))
			found = f->host_port;
	}
	return found;
}

void probing_find_forwards(struct guest *g)
{
	for (unsigned i = 0; i < g->n_services; i++) {
		struct service *s = &g->services[i];
		uint16_t host_port = find_forward(s);

		s->dirty |= host_port != s->host_port;
		s->host_port = host_port;
	}
}

void probing_forward(struct guest *g)
{
	g->n_forwards = 0;
	for (unsigned i = 0; i < g->n_services; i++) {
		const struct service_spec *spec = g->services[i].spec;

		if (spec->host_port)
			g->forwards[g->n_forwards++] =
				(struct forward){ spec->port, spec->host_port };
	}
	probing_find_forwards(g);
}

static void step_all(struct guest *g, enum probe_event event, usec_t now)
{
	struct probe_act act;

	for (unsigned i = 0; i < g->n_services; i++)
		step(&g->services[i], event, NULL, now, &act);
}

void probing_drop(struct guest *g)
{
	struct probe_act act;

	for (unsigned i = 0; i < g->n_services; i++) {
		bool out = g->services[i].probe.in_flight;
		drop_question(&g->services[i]);
		if (out)
			step(&g->services[i], PROBE_EV_CANCELLED, NULL,
				g->services[i].probe.asked_at, &act);
	}
}

void probing_boot(struct guest *g, usec_t now)
{
	probing_drop(g);
	step_all(g, PROBE_EV_BOOT, now);
}

void probing_renew(struct service *s, usec_t now)
{
	struct probe_act act;
	bool out = s->probe.in_flight;

	/* A unit asked about by the agent stays in its list, whose answer is a line for each; that
	 * line is void then, since the boot outdates it. Any other question is never answered. */
	if (!s->unit_asked) {
		drop_question(s);
		if (out)
			step(s, PROBE_EV_CANCELLED, NULL, s->probe.asked_at, &act);
	}
	step(s, PROBE_EV_BOOT, NULL, now, &act);
}

void probing_adopt(struct guest *g, usec_t now)
{
	/* A reload before the first look has asked already. */
	probing_drop(g);
	step_all(g, PROBE_EV_ADOPT, now);
}

void probing_disable(struct guest *g, usec_t now)
{
	probing_drop(g);
	step_all(g, PROBE_EV_DISABLE, now);
}

void probing_progress(struct guest *g, usec_t now)
{
	step_all(g, PROBE_EV_PROGRESS, now);
}

void probing_cast_doubt(struct guest *g)
{
	for (unsigned i = 0; i < g->n_services; i++)
		g->services[i].was_inconclusive = true;
}

/* When the question in flight wants something done: a look at the statistics, then its end. */
static usec_t question_next(const struct service *s)
{
	usec_t timeout = service_timeout(s->spec, guest_is_tcg(s->guest));

	if (!s->looked)
		return starving_look_at(s->probe.asked_at, timeout);
	return usec_add(s->probe.asked_at, timeout + PROBING_GRACE);
}

static usec_t run_one(struct service *s, usec_t now)
{
	struct probe_act act;

	if (s->slot && !s->looked && now >= question_next(s)) {
		s->looked = true;
		hvlink_stats(s->guest, now);
	}

	if (s->slot && s->looked && now >= question_next(s)) {
		drop_question(s);
		judge_kind(s, ANSWER_TIMEOUT, "", now);
	}
	if (s->probe.enabled && !s->probe.in_flight && now >= s->probe.next) {
		step(s, PROBE_EV_TICK, NULL, now, &act);
		if (act.ask)
			ask(s, now);
	}
	if (s->slot)
		return question_next(s);
	return s->probe.in_flight ? USEC_INFINITY : s->probe.next;
}

usec_t probing_run(struct guest *g, usec_t now)
{
	usec_t next = USEC_INFINITY;

	for (unsigned i = 0; i < g->n_services; i++)
		next = MIN(next, run_one(&g->services[i], now));
	ask_units(g, now);
	return next;
}
