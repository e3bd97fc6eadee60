/* SPDX-License-Identifier: Apache-2.0 */
/* What came in, turned into events, in one fixed order. */
#include "core/news.h"

#include "base/log.h"
#include "base/parse.h"
#include "core/exit.h"
#include "core/hvlink.h"
#include "core/probing.h"
#include "core/sight.h"
#include "core/restarting.h"
#include "core/starting.h"
#include "core/stopping.h"
#include "core/supervisor.h"

#include <errno.h>
#include <string.h>

/* A guest all of whose services answer, and whose cloud-init has not said for this long that it
 * ended, is ready: the image may have cloud-init switched off, or no agent and a quiet serial line.
 * One without an image has no cloud-init. */
#define READY_ANYWAY (120 * USEC_PER_SEC)

/* How old the kept verdicts may be while nothing changes. */
#define SAVE_CALM (60 * USEC_PER_SEC)

static bool is_gone(const struct guest *g)
{
	return g->facts.state == HV_DOMAIN_ABSENT || g->facts.state == HV_DOMAIN_OFF;
}

/* QEMU is gone, or the domain is. */
static void take_exit(struct guest *g, enum guest_event absent_event, usec_t now)
{
	if (!guest_state_has_qemu(g->state) || g->state == GUEST_STARTING) {
		/* Who was given up and panicked was being ended all the same. */
		if (g->state == GUEST_FAILED)
			stopping_over(g);
		if (g->state != GUEST_STARTING)
			starting_release_lock(g);
		guest_event(g, absent_event, now);
		return;
	}
	/* A retry already scheduled means that this end was dealt with. */
	if (g->state == GUEST_CRASHED && g->retry_due != USEC_INFINITY)
		return;
	enum exit_cause cause = exit_cause_of(g);
	if (g->state != GUEST_CRASHED)
		exit_record(g, cause, NULL, now);
	guest_forget_run(g);
	if (absent_event == GUEST_EV_SEEN_ABSENT)
		guest_event(g, absent_event, now);
	else if (cause_restarts(cause, g->spec->restart_on, NULL))
		guest_event(g, GUEST_EV_EXIT_FAULT, now);
	else
		guest_event(g, GUEST_EV_EXIT_CLEAN, now);
	if (g->state == GUEST_STOPPED && g->want == WANT_UP)
		restarting_stays(g);
}

/* The first look since the daemon began, after its facts were taken: settles whether an unfinished
 * wish is to be fulfilled. `was` is the state that was kept. */
static void first_look(struct guest *g, enum guest_state was, usec_t now)
{
	bool was_down = was == GUEST_STOPPED || was == GUEST_ABSENT;

	g->seen = true;
	g->news |= NEWS_HEALTH;
	/* What ended while nobody looked was dealt with by its cause: by itself or by a person's
	 * hand, and it stays so. */
	if ((g->state == GUEST_STOPPED || g->state == GUEST_ABSENT) && was_down &&
		g->want == WANT_UP && !g->rests)
		guest_event(g, GUEST_EV_START, now);
	else if (guest_state_probes(g->state))
		guest_adopt(g, now);
	/* It was being saved by a daemon that died, and runs: what was asked for is done. */
	if (was == GUEST_SAVING && g->state != GUEST_SAVING && g->want == WANT_DOWN &&
		guest_state_probes(g->state))
		guest_event(g, saving_refusal(g) ? GUEST_EV_STOP : GUEST_EV_SAVE, now);
	/* It was being stopped: the ladder is climbed again from its foot. */
	if (g->state == GUEST_STOPPING && g->ladder.began == 0)
		stopping_begin(g, now);
}

/* It counts as crashed, nobody is ending it, and it is there: the answer to its start was lost, a
 * person started it, or its end was a former daemon's doing and never came. Whether it has written
 * since is not known, so it is adopted. */
static bool runs_after_all(const struct guest *g)
{
	bool there = g->facts.state == HV_DOMAIN_RUNNING ||
		     (g->facts.state == HV_DOMAIN_PAUSED && g->facts.reason != HV_REASON_PANICKED &&
			     g->facts.reason != HV_REASON_STARTING_UP);

	return there && !g->destroy_in_flight && g->ladder.began == 0;
}

/* What runs is known now, and with it what becomes of the start that waited for that. */
static void take_waiting_start(struct guest *g, usec_t now)
{
	char text[64];

	g->start_waits = false;
	/* What is being ended is started again by its end. */
	if (g->state == GUEST_CRASHED && g->ladder.began != 0)
		return;
	guest_set_reason(g, "");
	guest_event(g, GUEST_EV_START, now);
	/* Of one that is being stopped the start comes after that, and its answer with it. */
	if (!guest_state_probes(g->state) || g->state == GUEST_STOPPING)
		return;
	if (g->state == GUEST_PAUSED && starting_resumable(g)) {
		starting_may_be_cut_short(g);
		g->read_due = now;
		operations_answer(&g->operations, OPERATIONS_START, 0,
			"it was paused and is being resumed");
		return;
	}
	bool halted = g->state == GUEST_PAUSED || g->state == GUEST_SAVING;
	(void)snprintf(text, sizeof(text), halted ? "it is %s" : "it is %s already",
		guest_state_to_string(g->state));
	operations_answer(&g->operations, OPERATIONS_START, halted ? -EBUSY : 0, text);
}

/* Likewise of the stop that found nothing to stop, as far as anybody knew. */
static void take_waiting_stop(struct guest *g, usec_t now)
{
	bool stoppable = guest_state_probes(g->state) && g->state != GUEST_STOPPING;

	if (stoppable) {
		event_note(g, EVENT_STOP, NULL, LOG_NOTICE,
			"a stop was asked for before it was known to run: it is stopped now");
		g->kill_asked |= g->stop_waits == NEWS_ASKED_KILL;
		g->news |= g->stop_waits;
	} else if (g->state != GUEST_STOPPING && (!is_gone(g) || now < g->orphan_until)) {
		return;
	}
	g->stop_waits = 0;
	g->save_due = now;
}

/* A save that we asked for, a former daemon of ours perhaps, and whose end nobody heard: libvirt
 * gave it up, and the guest is there. It was to go down, and nobody else will see to it. */
static void take_lost_save(struct guest *g, usec_t now)
{
	enum hv_reason reason = g->facts.reason;
	bool there = g->facts.state == HV_DOMAIN_RUNNING ||
		     (g->facts.state == HV_DOMAIN_PAUSED && reason != HV_REASON_SAVING &&
			     reason != HV_REASON_PANICKED);

	/* What a daemon left that died is taken up by the first look. */
	if (!g->seen || g->state != GUEST_SAVING || !g->saving.asked || g->want != WANT_DOWN ||
		!there)
		return;
	g->saving.asked = false;
	event_note(g, EVENT_STOP, NULL, LOG_WARNING,
		"its save was given up while nobody looked; it is shut down instead");
	guest_event(g, GUEST_EV_SAVE_FAILED, now);
}

static void take_facts(struct guest *g, usec_t now)
{
	enum guest_state was = g->state;

	/* Read before the start that is under way: it says nothing about what comes. */
	if (g->start_in_flight || g->image.start_waits || g->saving.take_waits || saving_busy(g) ||
		g->saving.over || starting_resume(g))
		return;
	if (was == GUEST_CRASHED && runs_after_all(g)) {
		g->retry_due = USEC_INFINITY;
		guest_set_state(g, GUEST_STOPPED, now);
	}
	g->start_lost = false;
	take_lost_save(g, now);
	switch (g->facts.state) {
	case HV_DOMAIN_ABSENT:
		take_exit(g, GUEST_EV_SEEN_ABSENT, now);
		break;
	case HV_DOMAIN_OFF:
		take_exit(g, GUEST_EV_EXIT_CLEAN, now);
		break;
	case HV_DOMAIN_RUNNING:
		g->resumes_left = 0;
		if (g->evidence.pid != g->facts.pid)
			evidence_look(g);
		guest_event(g, GUEST_EV_SEEN_RUNNING, now);
		break;
	case HV_DOMAIN_PAUSED:
		if (g->facts.reason == HV_REASON_SAVING)
			guest_event(g, GUEST_EV_SEEN_SAVING, now);
		else if (g->facts.reason == HV_REASON_PANICKED)
			g->news |= NEWS_PANIC;
		else if (g->facts.reason != HV_REASON_STARTING_UP)
			guest_event(g, GUEST_EV_SEEN_PAUSED, now);
		break;
	case HV_DOMAIN_CRASHED:
		g->news |= NEWS_PANIC;
		break;
	case HV_DOMAIN_SHUTDOWN: /* halted, QEMU about to go: its end comes as an event */
	case HV_DOMAIN_STATE_NUM:
		break;
	}
	if (!g->seen)
		first_look(g, was, now);
	if (g->stop_waits)
		take_waiting_stop(g, now);
	if (g->start_waits)
		take_waiting_start(g, now);
	if (g->facts.agent_connected)
		g->news |= NEWS_USERSPACE;
	g->dirty = true;
}

static void take_start(struct guest *g, usec_t now)
{
	/* libvirt says that it runs already: then it is ours to adopt. */
	if (g->start_error == 0 || g->start_error == -EEXIST) {
		if (g->start_error != 0)
			saving_adopt(g, now);
		bool warm = g->start_error == 0 && g->saving.kind == START_WARM;
		char words[320];
		if (g->state == GUEST_STARTING)
			operations_answer(&g->operations, OPERATIONS_START, 0,
				saving_start_words(g, words, sizeof(words), now));
		guest_event(g, warm ? GUEST_EV_RESTORED : GUEST_EV_STARTED, now);
		/* There was nothing to kill before. */
		if (g->state == GUEST_STOPPING && g->ladder.forced_at)
			stopping_force(g, now);
		/* Not by us, and nobody knows how long ago. */
		g->boot.root_writable |= g->start_error == -EEXIST;
		return;
	}
	if (saving_refused(g)) {
		guest_start_cold(g, now);
		return;
	}
	/* What the look at it finds decides. */
	g->start_lost = g->start_error == -ENOTCONN || g->start_error == -ETIMEDOUT;
	if (g->start_lost && g->state == GUEST_STOPPING)
		return;
	if (!g->start_lost)
		starting_release_lock(g);
	exit_record(g, CAUSE_START_FAILED, g->start_message, now);
	/* The first attempt of somebody who waits: he is told at once, while the policy goes on
	 * trying. */
	char text[HV_ERROR_MAX + 64];
	(void)snprintf(text, sizeof(text), "the start failed: %s", g->start_message);
	operations_answer(&g->operations, OPERATIONS_START, g->start_error, text);
	guest_event(g, GUEST_EV_START_FAILED, now);
}

/* The services that keep the guest from being healthy, as many as fit. */
static void name_missing(const struct guest *g, char *buf, size_t size)
{
	size_t len = strlen(buf);

	for (unsigned i = 0; i < g->n_services && len + 1 < size; i++) {
		const struct service *s = &g->services[i];
		if (!sight_counts(s) || s->probe.state == SERVICE_UP ||
			s->probe.state == SERVICE_DEGRADED)
			continue;
		len += (size_t)snprintf(buf + len, size - len, " %s=%s(%s)", s->spec->name,
			service_state_to_string(s->probe.state),
			verdict_to_string(s->probe.last.verdict));
	}
}

static void note_health(struct guest *g, unsigned active, unsigned up)
{
	bool ready = g->state == GUEST_READY;
	char missing[DECISION_INPUTS_MAX] = "";
	const char *rule = "all active services are up";

	name_missing(g, missing, sizeof(missing));
	if (g->state == GUEST_PAUSED || g->state == GUEST_SAVING)
		rule = "nothing is known of a guest that is paused";
	else if (!ready)
		rule = "the guest is not ready";
	else if (up != active)
		rule = "an active service is not up";
	why_note(g, WHY_HEALTH, rule,
		g->state == GUEST_PAUSED || g->state == GUEST_SAVING ? "hold"
		: ready && up == active                              ? "healthy"
								     : "not healthy",
		"state=%s up=%u/%u%s", guest_state_to_string(g->state), up, active, missing);
}

static void take_health(struct guest *g, usec_t now)
{
	unsigned active, up;

	sight_count(g, &active, &up);
	/* A restored guest had its cloud-init long ago. */
	bool warm = g->saving.kind == START_WARM && g->boot.unseen;
	bool all_up = (active > 0 || warm) && up == active;
	if (!all_up || (g->state != GUEST_BOOTING && g->state != GUEST_RUNNING))
		g->ready_due = USEC_INFINITY;
	else if (g->ready_due == USEC_INFINITY)
		g->ready_due = guest_spec_has_disk(g->spec) && !warm
				       ? usec_add(now, READY_ANYWAY)
				       : now;
	/* Paused, saved: what was believed stands. */
	note_health(g, active, up);
	if (g->state == GUEST_PAUSED || g->state == GUEST_SAVING)
		return;
	guest_set_healthy(g, g->state == GUEST_READY && up == active);
	g->save_due = MIN(g->save_due, usec_add(now, USEC_PER_SEC));
}

static void take_stats(struct guest *g, usec_t now)
{
	starving_stats(g, now);
	evidence_look(g);
	ballooning_stats(g, now);
}

static void take_panic(struct guest *g, usec_t now)
{
	bool dealt_with = g->state == GUEST_CRASHED && g->retry_due != USEC_INFINITY;

	/* A hint that comes late. Should another run have begun since, the look that it asks for
	 * finds it. */
	if (dealt_with && is_gone(g))
		return;
	if (g->state != GUEST_STOPPING && (g->state != GUEST_CRASHED || dealt_with) &&
		guest_state_has_qemu(g->state))
		exit_record(g, CAUSE_GUEST_PANIC, g->boot.hint, now);
	/* It is there after all, and is ended: nothing is started before that. */
	if (dealt_with)
		g->retry_due = USEC_INFINITY;
	guest_event(g, GUEST_EV_SEEN_PANICKED, now);
}

/* Its OS ended, and QEMU went on. */
static void take_reboot(struct guest *g, usec_t now)
{
	if (lifecycle_step(g->state, GUEST_EV_REBOOT).action == GUEST_ACT_BOOT)
		exit_record(g, CAUSE_GUEST_REBOOT, NULL, now);
	guest_event(g, GUEST_EV_REBOOT, now);
}

/* Nothing runs, and nothing shall: the attempt that was to come is called off. */
static void call_off(struct guest *g, usec_t now)
{
	g->retry_due = USEC_INFINITY;
	/* No attempt of ours: that of a former daemon may come true. */
	if (now < g->orphan_until)
		g->stop_waits = g->kill_asked ? NEWS_ASKED_KILL : NEWS_ASKED_STOP;
	g->kill_asked = false;
	starting_release_lock(g);
	guest_set_state(g, GUEST_STOPPED, now);
	guest_set_reason(g, "");
	operations_answer(&g->operations, OPERATIONS_STOP, 0,
		"it was down; the next attempt to start it is called off");
}

/* The same where the last attempt may have come true, and nobody heard: until somebody looked it is
 * being stopped. */
static void call_off_unseen(struct guest *g, bool kill, usec_t now)
{
	g->retry_due = USEC_INFINITY;
	guest_set_state(g, GUEST_STOPPING, now);
	if (kill)
		stopping_force(g, now);
	else
		stopping_begin(g, now);
}

/* Before the first look nobody knows what runs, so a start waits for it. */
static void take_asked_start(struct guest *g, usec_t now)
{
	const struct hv_health *hv = &g->supervisor->hv_health;
	char text[HV_ERROR_MAX + 64] = "";

	/* Only the look ends the waiting, however often libvirt comes and goes before it. */
	g->start_waits |= !g->seen || !hv->connected;
	if (g->start_waits)
		(void)snprintf(text, sizeof(text), "the start waits for libvirt%s%s",
			hv->message[0] ? ": " : "", hv->message);
	guest_set_reason(g, text);
	if (!g->start_waits)
		guest_event(g, GUEST_EV_START, now);
}

/* In this order: what was asked for, what is, what it did, what its inhabitants say. */
void news_take(struct guest *g, usec_t now)
{
	unsigned news = g->news;

	g->news = 0;
	if (news & (NEWS_ASKED_STOP | NEWS_ASKED_KILL) && g->state == GUEST_CRASHED &&
		g->retry_due != USEC_INFINITY) {
		if (g->start_lost)
			call_off_unseen(g, news & NEWS_ASKED_KILL, now);
		else
			call_off(g, now);
		news &= ~(unsigned)(NEWS_ASKED_STOP | NEWS_ASKED_KILL);
	}
	if (news & (NEWS_ASKED_STOP | NEWS_ASKED_KILL) &&
		(g->image.start_waits || g->saving.take_waits)) {
		/* Nothing was started yet. A restart wants what is under way. */
		if (g->want == WANT_DOWN) {
			if (g->saving.take_waits && news & NEWS_TICKET)
				saving_put_back(g);
			g->image.start_waits = g->saving.take_waits = false;
			starting_release_lock(g);
			call_off(g, now);
		}
		news &= ~(unsigned)(NEWS_ASKED_STOP | NEWS_ASKED_KILL);
	}
	if (news & (NEWS_ASKED_STOP | NEWS_ASKED_KILL))
		g->start_waits = false;
	if (news & NEWS_ASKED_STOP)
		guest_event(g, GUEST_EV_STOP, now);
	if (news & NEWS_ASKED_SAVE && snapshotting_busy(g))
		snapshotting_give_way(g, now);
	else if (news & NEWS_ASKED_SAVE)
		guest_event(g, GUEST_EV_SAVE, now);
	if (news & NEWS_SAVED)
		saving_ended(g, now);
	if (news & NEWS_ASKED_KILL)
		guest_event(g, GUEST_EV_KILL, now);
	if (news & NEWS_ASKED_START)
		take_asked_start(g, now);
	if (news & NEWS_IMAGE)
		guest_image_seen(g, now);
	if (news & NEWS_TICKET)
		guest_ticket_seen(g, now);
	if (news & NEWS_START)
		take_start(g, now);
	if (news & NEWS_FACTS)
		take_facts(g, now);
	if (news & NEWS_PANIC)
		take_panic(g, now);
	if (news & (NEWS_RESET | NEWS_BOOT_ID))
		take_reboot(g, now);
	if (news & NEWS_USERSPACE && (g->state == GUEST_BOOTING || g->state == GUEST_RUNNING)) {
		if (boot_userspace(&g->boot, now))
			bootwatch_moved(g);
		guest_event(g, GUEST_EV_OS_UP, now);
	}
	if (news & NEWS_READY)
		guest_event(g, GUEST_EV_READY, now);
	if (news & NEWS_WATCHDOG)
		remedy_watchdog(g, now);
	if (news & NEWS_STATS)
		take_stats(g, now);
	if (news & NEWS_HEALTH)
		take_health(g, now);
	/* The age of a verdict that stands is worth a sync now and then, not at each question. */
	if (news & NEWS_JUDGED)
		g->save_due = MIN(g->save_due, usec_add(now, SAVE_CALM));
}
