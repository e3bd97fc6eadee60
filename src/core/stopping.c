/* SPDX-License-Identifier: Apache-2.0 */
/* The ladder's rungs as requests, events and words. */
#include "core/stopping.h"

#include "base/log.h"
#include "core/event.h"
#include "core/hvlink.h"
#include "core/supervisor.h"

#include <errno.h>
#include <string.h>

static struct shutdown_budget budget_of(const struct guest *g)
{
	return (struct shutdown_budget){
		.agent = g->spec->shutdown_agent,
		.guest = g->spec->shutdown_timeout,
		.quit = g->spec->shutdown_quit,
	};
}

usec_t stopping_total(const struct guest *g)
{
	const struct shutdown_budget budget = budget_of(g);

	return shutdown_total(&budget);
}

void stopping_begin(struct guest *g, usec_t now)
{
	const struct shutdown_budget budget = budget_of(g);

	shutdown_begin(&g->ladder, &budget, now);
	hearing_stop(g);
	g->ladder_due = now;
}

void stopping_force(struct guest *g, usec_t now)
{
	shutdown_force(&g->ladder, now);
	g->ladder_due = now;
}

void stopping_over(struct guest *g)
{
	g->ladder = (struct shutdown){ 0 };
	g->ladder_due = USEC_INFINITY;
}

void stopping_refused(struct guest *g, usec_t now)
{
	if (g->ladder.began == 0 || g->ladder.rung != RUNG_AGENT)
		return;
	event_note(g, EVENT_STOP, NULL, LOG_INFO, "the guest agent refused, or did not answer");
	shutdown_refused(&g->ladder, now);
	g->ladder_due = g->ladder.next;
}

/* What is told of a rung, and why it was the one. */
/* clang-format off */
static const struct {
	const char *rule, *action;
	int level;
} told[RUNG_NUM] = {
	[RUNG_RESUME]  = { "paused", "resume it: it can hear nothing", LOG_NOTICE },
	[RUNG_AGENT]   = { "agent answers", "ask the guest agent", LOG_INFO },
	[RUNG_ACPI]    = { "no agent, or its time is over",
		"press the power button, again every 5s", LOG_INFO },
	[RUNG_QUIT]    = { "time of Timeout= is over",
		"cutting the power: QEMU is asked to write out its caches and end", LOG_WARNING },
	[RUNG_DESTROY] = { "time of QuitTimeout= is over", "cutting the power: QEMU is killed",
		LOG_WARNING },
};
/* clang-format on */

static void tell(struct guest *g, enum shutdown_rung before, usec_t now)
{
	const struct shutdown *s = &g->ladder;
	const char *rule = told[s->rung].rule, *action = told[s->rung].action;
	char since[TIMESPAN_TEXT_MAX], left[TIMESPAN_TEXT_MAX];

	if (s->rung == RUNG_DESTROY && s->forced_at) {
		rule = g->kill_asked ? "kill asked for" : "its run is over";
		action = "cutting the power at once";
	}
	why_note(g, WHY_SHUTDOWN, rule, action, "since=%s left=%s paused=%s agent=%s presses=%u",
		format_timespan(since, sizeof(since), usec_sub(now, s->began)),
		format_timespan(left, sizeof(left), usec_sub(shutdown_end(s), now)),
		g->facts.state == HV_DOMAIN_PAUSED ? "yes" : "no",
		g->facts.agent_connected ? "yes" : "no", s->presses);
	/* Repetitions are counted, not told. */
	if (s->rung != before)
		event_note(g, EVENT_STOP, NULL,
			s->rung == RUNG_DESTROY && g->kill_asked ? LOG_NOTICE : told[s->rung].level,
			"%s", action);
}

/* Paused by a person or for an error, not in the middle of something that libvirt does. */
static bool can_be_resumed(const struct guest *g)
{
	enum hv_reason reason = g->facts.reason;

	return g->facts.state == HV_DOMAIN_PAUSED && reason != HV_REASON_SAVING &&
	       reason != HV_REASON_PANICKED && reason != HV_REASON_STARTING_UP;
}

/* As long as there is nobody to ask. */
static void tell_waiting(struct guest *g, const struct hv_health *health)
{
	static const char waits[] = "the stop waits for libvirt";
	char text[HV_ERROR_MAX + sizeof(waits) + 2];

	(void)snprintf(text, sizeof(text), "%s%s%s", waits, health->message[0] ? ": " : "",
		health->message);
	if (!health->connected)
		guest_set_reason(g, text);
	else if (strncmp(g->reason, waits, sizeof(waits) - 1) == 0)
		guest_set_reason(g, "");
}

void stopping_climb(struct guest *g, usec_t now)
{
	static const enum hv_verb verbs[RUNG_NUM] = {
		[RUNG_RESUME] = HV_RESUME,
		[RUNG_AGENT] = HV_AGENT_SHUTDOWN,
		[RUNG_ACPI] = HV_ACPI,
		[RUNG_QUIT] = HV_QUIT,
	};
	struct hv *hv = g->supervisor->config.hv;
	const struct hv_health *health = &g->supervisor->hv_health;
	const struct shutdown_sight see = {
		.away = !health->connected,
		.paused = can_be_resumed(g),
		.agent_connected = g->facts.agent_connected,
		.qemu_hangs = hv->vtable->wedged(hv, g->spec->uuid),
	};
	enum shutdown_rung before = g->ladder.rung;
	tell_waiting(g, health);
	enum shutdown_rung rung = shutdown_step(&g->ladder, &see, now);

	g->ladder_due = g->ladder.began ? g->ladder.next : USEC_INFINITY;
	if (rung == RUNG_NONE)
		return;
	tell(g, before, now);
	if (rung == RUNG_DESTROY)
		hvlink_destroy(g);
	else if (hvlink_stop(g, verbs[rung]) < 0 && rung == RUNG_AGENT)
		stopping_refused(g, now);
	g->dirty = true;
}

static void words_of_force(const struct guest *g, char *buf, size_t size, const char *span)
{
	const char *killed = g->ladder.rung == RUNG_DESTROY ? "; QEMU had to be killed" : "";

	if (g->hearing.halt.at[0])
		(void)snprintf(buf, size, "forced after %s: guest still at \"%s\"%s", span,
			g->hearing.halt.at, killed);
	else if (g->boot.stage < BOOT_SERVICES)
		(void)snprintf(buf, size,
			"forced after %s: the guest did not power off, its boot was at stage %s%s",
			span, boot_stage_to_string(g->boot.stage), killed);
	else
		(void)snprintf(
			buf, size, "forced after %s: the guest did not power off%s", span, killed);
}

void stopping_words(const struct guest *g, char *buf, size_t size)
{
	const struct shutdown *s = &g->ladder;
	char span[TIMESPAN_TEXT_MAX];

	(void)format_timespan(span, sizeof(span), g->last_exit.took);
	if (s->rung == RUNG_NONE)
		(void)snprintf(buf, size, "it was down before anybody was asked, after %s", span);
	else if (!shutdown_is_forced(s->rung))
		(void)snprintf(buf, size, "clean, %s, %s", rung_to_string(s->rung), span);
	else if (s->forced_at == 0)
		words_of_force(g, buf, size, span);
	else if (g->kill_asked)
		(void)snprintf(buf, size, "killed by request after %s", span);
	else
		(void)snprintf(buf, size, "it was ending already when the stop came");
}
