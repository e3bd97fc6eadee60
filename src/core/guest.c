/* SPDX-License-Identifier: Apache-2.0 */
/* The state of a guest, and what follows from each of its changes: the actions of
 * policy/lifecycle's table. */
#include "core/guest.h"

#include "base/log.h"
#include "core/exit.h"
#include "core/hvlink.h"
#include "core/probing.h"
#include "core/sight.h"
#include "core/restarting.h"
#include "core/setclock.h"
#include "core/starting.h"
#include "core/stopping.h"
#include "core/supervisor.h"
#include "core/words.h"

#include <errno.h>
#include <string.h>

/* The first statistics of a boot: not before the balloon's driver can be there. */
#define FIRST_STATS (5 * USEC_PER_SEC)

void guest_set_reason(struct guest *g, const char *text)
{
	if (strcmp(g->reason, text) == 0)
		return;
	(void)words_cut(g->reason, sizeof(g->reason), text);
	g->dirty = true;
}

void guest_set_healthy(struct guest *g, bool healthy)
{
	if (g->healthy == healthy)
		return;
	g->healthy = healthy;
	g->healthy_since_realtime = now_realtime();
	g->dirty = true;
	unsigned active, up;
	sight_count(g, &active, &up);
	bool expected = healthy || g->state == GUEST_STOPPING || g->state == GUEST_STOPPED;
	event_note(g, EVENT_HEALTH, NULL, expected ? LOG_NOTICE : LOG_WARNING,
		"%s (%u of %u active services up)", healthy ? "healthy" : "no longer healthy", up,
		active);
}

void guest_set_state(struct guest *g, enum guest_state next, usec_t now)
{
	enum guest_state old = g->state;

	if (next == old)
		return;
	if ((next == GUEST_PAUSED || next == GUEST_SAVING) && old != GUEST_PAUSED &&
		old != GUEST_SAVING)
		g->state_before = old == GUEST_RUNNING || old == GUEST_READY ? old : GUEST_BOOTING;
	g->state = next;
	if (next == GUEST_READY) {
		g->boots = 0;
		bootwatch_ready(g, now);
	}
	g->state_since = now;
	g->state_since_realtime = now_realtime();
	g->save_due = now;
	g->dirty = true;
	event_note(g, EVENT_STATE, NULL, LOG_NOTICE, "%s -> %s", guest_state_to_string(old),
		guest_state_to_string(next));
	if (guest_state_inconclusive(next, NULL))
		probing_cast_doubt(g);
	if (guest_state_probes(old) && !guest_state_probes(next))
		probing_disable(g, now);
	g->news |= NEWS_HEALTH;
}

/* The run is over, however: nothing of it may leak into the next. */
void guest_forget_run(struct guest *g)
{
	agent_drop(g);
	remedy_drop(g);
	remedy_superseded(g);
	snapshotting_forget_run(g);
	evidence_begin(g);
	starting_release_lock(g);
	g->saving.asked = false;
	if (g->boot_id[0])
		memcpy(g->past_boot_id, g->boot_id, sizeof(g->past_boot_id));
	g->boot_id[0] = '\0';
	g->boot_id_by_agent = false;
	g->started_at_realtime = 0;
	g->stats_at = 0;
	starving_reset(g);
	ballooning_forget(g);
	cputune_forget(g);
	g->boot_due = g->ready_due = g->ladder_due = g->agent_due = g->stats_due = USEC_INFINITY;
	g->facts.agent_connected = g->facts.console_open = false;
	operations_answer(
		&g->operations, 1u << OPERATION_BALLOON, -ESRCH, "the guest is not running");
}

static void refuse_start(struct guest *g, int r, const struct reason *reason, usec_t now)
{
	starting_release_lock(g);
	guest_set_reason(g, reason->text);
	/* An operator is waiting: he is told, and it is his to try again. Nobody waiting: by the
	 * restart policy. */
	bool asked = operations_wait(&g->operations, OPERATIONS_START);
	event_note(g, EVENT_RESTART, NULL, LOG_ERR, "cannot start: %s", reason->text);
	if (asked)
		g->want = WANT_DOWN;
	operations_answer(&g->operations, OPERATIONS_START, r, reason->text);
	/* Trying again makes no disk, nor another base or library, and a latch would be one more
	 * thing to clear once there is one. */
	bool refused = asked || r == -ENOENT || r == -EBADMSG || r == -ENOEXEC;
	if (!refused)
		exit_record(g, CAUSE_START_FAILED, reason->text, now);
	guest_event(g, refused ? GUEST_EV_REFUSED : GUEST_EV_START_FAILED, now);
}

static void submit_start(struct guest *g, usec_t now)
{
	struct reason reason = { "" };
	int r = starting_submit(g, &reason);

	if (r < 0) {
		/* Nobody was offered the save. */
		saving_put_back(g);
		refuse_start(g, r, &reason, now);
		return;
	}
	probing_forward(g);
	g->save_due = now;
	/* Its first serial bytes come before the answer that it was started. What was heard of the
	 * boot that is gone on with stands. */
	if (g->saving.kind != START_WARM)
		hearing_boot(g, true);
	image_boot(g);
	boot_begin(&g->boot, now);
	bootwatch_begin(g, true, now);
}

/* All that could refuse the start is behind us. */
static void take_ticket(struct guest *g, usec_t now)
{
	g->saving.start_began = now;
	g->saving.began = 0;
	if (saving_take(g) == 0)
		submit_start(g, now);
}

void guest_ticket_seen(struct guest *g, usec_t now)
{
	if (!g->saving.take_waits)
		return;
	g->saving.take_waits = false;
	submit_start(g, now);
}

void guest_start_cold(struct guest *g, usec_t now)
{
	submit_start(g, now);
}

static void act_start(struct guest *g, usec_t now)
{
	struct reason reason = { "" };

	g->retry_due = USEC_INFINITY;
	/* What was to end the last run must not end this one. */
	stopping_over(g);
	int r = starting_preflight(g, &reason);
	/* With the lock held: nobody changes the base between the look and the start. */
	if (r == 0)
		r = image_check(g, &reason);
	if (r == 0)
		take_ticket(g, now);
	else if (r > 0)
		guest_set_reason(g, "the base of its disk is looked at");
	else
		refuse_start(g, r, &reason, now);
}

void guest_image_seen(struct guest *g, usec_t now)
{
	struct reason reason = { "" };

	if (!g->image.start_waits)
		return;
	g->image.start_waits = false;
	guest_set_reason(g, "");
	int r = image_verdict(g, &reason);
	if (r < 0)
		refuse_start(g, r, &reason, now);
	else
		take_ticket(g, now);
}

/* `begun`: by our own start, so that the serial line has been read since then. */
static void act_boot(struct guest *g, bool begun, usec_t now)
{
	if (g->boot_id[0])
		memcpy(g->past_boot_id, g->boot_id, sizeof(g->past_boot_id));
	g->boot_id[0] = '\0';
	g->boot_id_by_agent = false;
	agent_drop(g);
	remedy_drop(g);
	starving_reset(g);
	evidence_begin(g);
	if (!begun) {
		hearing_boot(g, false);
		image_boot(g);
		boot_begin(&g->boot, now);
		bootwatch_begin(g, true, now);
	}
	g->boots++;
	g->started_at_realtime = now_realtime();
	g->boot_due = now;
	g->agent_due = now;
	g->stats_due = usec_add(now, FIRST_STATS);
	guest_set_reason(g, "");
	probing_boot(g, now);
	ballooning_boot(g, !begun);
	cputune_begin(g, now);
	/* What was heard before the start was answered told a guest that was starting nothing. */
	if (begun && g->boot.stage >= BOOT_SERVICES)
		g->news |= NEWS_USERSPACE;
	if (begun && g->boot.finished_mark)
		g->news |= NEWS_READY;
}

/* Everything of the host's side is new, the guest is what it was. */
static void act_restore(struct guest *g, usec_t now)
{
	agent_drop(g);
	remedy_drop(g);
	starving_reset(g);
	evidence_begin(g);
	g->boot_id_by_agent = false;
	boot_begin(&g->boot, now);
	bootwatch_begin(g, false, now);
	g->boot.root_writable = g->boot.unseen = true;
	g->boot.stage = BOOT_SERVICES;
	g->boots++;
	g->started_at_realtime = now_realtime();
	g->boot_due = g->agent_due = now;
	g->stats_due = usec_add(now, FIRST_STATS);
	guest_set_reason(g, "");
	probing_boot(g, now);
	ballooning_boot(g, false);
	cputune_begin(g, now);
	setclock_begin(g, now);
	g->news |= NEWS_HEALTH;
	event_note(g, EVENT_BOOT, NULL, LOG_NOTICE, "it goes on where it was saved");
}

void guest_adopt(struct guest *g, usec_t now)
{
	boot_begin(&g->boot, now);
	bootwatch_begin(g, false, now);
	/* It may have booted long ago: its root must be taken for writable. */
	g->boot.root_writable = g->boot.unseen = true;
	g->boot.stage = g->restored_stage;
	/* What the last daemon kept is of an older QEMU, or it did not come to keeping it. */
	g->started_at_realtime = MAX(g->started_at_realtime, g->facts.pid_realtime);
	g->agent_due = g->stats_due = g->boot_due = now;
	starting_hold_lock(g);
	cputune_begin(g, now);
	ballooning_hurry(g->supervisor, now);
	probing_adopt(g, now);
}

/* It is down. */
static void act_settle(struct guest *g, enum guest_state old, usec_t now)
{
	char message[640], span[TIMESPAN_TEXT_MAX];
	const struct guest_saving *saving = &g->saving;

	g->retry_due = USEC_INFINITY;
	if (g->last_exit.cause == CAUSE_SAVED && saving->began)
		(void)snprintf(message, sizeof(message), "saved in %s%s%s",
			format_timespan(span, sizeof(span), usec_sub(now, saving->began)),
			saving->kept ? "; the next start goes on from there"
				     : ", but the next start boots: ",
			saving->kept ? "" : saving->words);
	else if (old == GUEST_STOPPING && saving->began)
		(void)snprintf(message, sizeof(message), "stopped: %s; it was not saved: %s",
			g->last_exit.words, saving->words);
	else if (old == GUEST_STOPPING || g->last_exit.cause == CAUSE_OPERATOR)
		(void)snprintf(message, sizeof(message), "stopped: %s", g->last_exit.words);
	else if (old == GUEST_CRASHED)
		(void)snprintf(message, sizeof(message), "it ended: %s", g->last_exit.words);
	else
		(void)snprintf(message, sizeof(message), "it is not running");
	stopping_over(g);
	g->kill_asked = false;
	g->saving.began = 0;
	guest_set_reason(g, "");
	operations_answer(&g->operations, OPERATIONS_STOP, 0, message);
	/* A restart, or a start that came while it was being stopped. */
	if (old == GUEST_STOPPING && g->want == WANT_UP)
		guest_event(g, GUEST_EV_START, now);
	else if (!g->start_waits)
		operations_answer(&g->operations, OPERATIONS_START, -ECANCELED, message);
}

static void act_retry(struct guest *g, usec_t now)
{
	stopping_over(g);
	if (g->want == WANT_DOWN) {
		guest_set_state(g, GUEST_STOPPED, now);
		act_settle(g, GUEST_CRASHED, now);
	} else if (g->retry_due == USEC_INFINITY) {
		restarting_decide(g, now);
	}
}

void guest_event(struct guest *g, enum guest_event event, usec_t now)
{
	enum guest_state old = g->state;
	struct lifecycle_step step = lifecycle_step(old, event);

	guest_set_state(g, step.back ? g->state_before : step.next, now);
	if (old != g->state && !guest_state_has_qemu(g->state))
		guest_forget_run(g);
	switch (step.action) {
	case GUEST_ACT_START:
		act_start(g, now);
		break;
	case GUEST_ACT_BOOT:
		act_boot(g, old == GUEST_STARTING, now);
		g->tally.boots++;
		break;
	case GUEST_ACT_RESTORE:
		act_restore(g, now);
		break;
	case GUEST_ACT_ADOPT:
		/* One that was given up may have been ended, and started again by a person. */
		stopping_over(g);
		saving_adopt(g, now);
		/* The stage that was kept is of another run. */
		g->restored_stage = BOOT_FIRMWARE;
		guest_adopt(g, now);
		hearing_boot(g, false);
		image_boot(g);
		/* A run that began without us, perhaps just now: its services get their time. */
		probing_boot(g, now);
		break;
	case GUEST_ACT_LADDER:
		stopping_begin(g, now);
		break;
	case GUEST_ACT_SAVE:
		saving_begin(g, now);
		break;
	case GUEST_ACT_DESTROY:
		stopping_force(g, now);
		break;
	case GUEST_ACT_SETTLE:
		act_settle(g, old, now);
		break;
	case GUEST_ACT_RETRY:
		act_retry(g, now);
		break;
	case GUEST_ACT_REFUSE: /* the request's own answer says so */
	case GUEST_ACT_NONE:
	case GUEST_ACT_NUM:
		break;
	}
}

void guest_retire(struct guest *g)
{
	operations_answer(
		&g->operations, ~0u, -ECANCELED, "the guest was removed from the configuration");
	probing_disable(g, 0);
	/* Its start is not to be: what was taken for that is put back, now or when it comes. */
	if (g->saving.take_waits) {
		g->saving.take_waits = false;
		saving_put_back(g);
	}
	/* What a save fits is written down with the lock held; guest_free() comes after that. */
	if (!saving_busy(g))
		starting_release_lock(g);
	/* What the flood held back is of its services, and under its name. */
	event_flush(g->supervisor, g);
	/* The old spec goes away; answers that are still owed find this one, with the name under
	 * which they are to be kept. */
	g->n_services = 0;
	(void)snprintf(g->retired_name, sizeof(g->retired_name), "%s", g->spec->name);
	g->retired = (struct guest_spec){ .name = g->retired_name };
	g->spec = &g->retired;
	events_free(&g->events);
}

void guest_free(struct guest *g)
{
	if (!g)
		return;
	operations_answer(&g->operations, ~0u, -ECANCELED,
		"the daemon is going away; the guest is left as it is");
	probing_drop(g);
	g->saving.at_disk = 0; /* who is at it still tells nobody */
	starting_release_lock(g);
	console_free(&g->console);
	event_flush(g->supervisor, g);
	events_free(&g->events);
	decisions_free(&g->decisions);
	free(g);
}
