/* SPDX-License-Identifier: Apache-2.0 */
/* What operators ask for: changes what is wanted, and lets the table do the rest. */
#include "core/request.h"

#include "base/failpoint.h"
#include "base/log.h"
#include "base/parse.h"
#include "core/probing.h"
#include "core/starting.h"
#include "core/stopping.h"
#include "core/supervisor.h"

#include <errno.h>
#include <string.h>

/* A request's answer comes at the latest this long after what it waits for should have ended. */
#define REQUEST_GRACE (60 * USEC_PER_SEC)
/* Define, start, console, under TCG on a busy host: measured 4.5 s, 70 s with a KVM device that
 * comes and goes. */
#define START_DEADLINE (180 * USEC_PER_SEC)
/* In steps, each of which statistics confirm, and inflating costs the guest CPU: 3 GiB took 12 s in
 * one step under TCG on two cores. */
#define BALLOON_DEADLINE (300 * USEC_PER_SEC)

/* Preparing and checking a copy, io/filesnapshots's own limits. */
#define SNAPSHOT_GRACE (90 * USEC_PER_MINUTE)

static int say(char *message, int error, const char *format, const char *a, const char *b)
{
	/* The formats are this file's own. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	(void)snprintf(message, REQUEST_MESSAGE_MAX, format, a, b);
#pragma GCC diagnostic pop
	return error;
}

/* A save that has not begun yet, because the guest's disk is being copied or because it was asked
 * for in this very turn: it would be of a guest that is wanted up. */
static void call_off_save(struct guest *g)
{
	if (!(g->news & NEWS_ASKED_SAVE) && g->snapshotting.save_by == USEC_INFINITY)
		return;
	g->news &= ~(unsigned)NEWS_ASKED_SAVE;
	g->snapshotting.save_by = USEC_INFINITY;
	operations_answer(&g->operations, 1u << OPERATION_SAVE, -ECANCELED,
		"a start was asked for meanwhile");
}

static void want(struct guest *g, enum guest_want w, const char *who)
{
	if (g->want != w || !g->want_known)
		log_full(LOG_DEBUG, g->spec->name, NULL, "wanted %s (%s)", want_to_string(w), who);
	FAILPOINT(WANT);
	g->want = w;
	g->want_known = true;
	g->rests = false;
	g->stop_waits = 0;
	if (w == WANT_UP)
		call_off_save(g);
	else
		g->start_waits = false;
	remedy_superseded(g);
	g->dirty = true;
	/* Later in this turn of the loop, together with the state that follows from it: a daemon
	 * that died between two writes left a guest that runs and is wanted down, with nobody to
	 * stop it. */
	g->save_due = 0;
	FAILPOINT(WANTED);
}

static int accept(struct guest *g, const struct request *request, usec_t now, usec_t within,
	char *message, struct operation **ret_op)
{
	struct operation *op = operation_add(&g->operations, request->kind, request->done,
		request->userdata, now, usec_add(now, within));

	if (!op)
		return say(message, -EBUSY, "too many requests wait on %s already%s", g->spec->name,
			"");
	*ret_op = op;
	return 1;
}

static int request_start(struct guest *g, const struct request *request, usec_t now, char *message,
	struct operation **ret_op)
{
	const char *name = g->spec->name;

	if (g->state == GUEST_FAILED)
		return say(message, -EPERM, "%s was given up (%s)", name, g->reason);
	if (g->state == GUEST_PAUSED && starting_resumable(g)) {
		want(g, WANT_UP, operation_kind_to_string(request->kind));
		starting_may_be_cut_short(g);
		g->read_due = now;
		return say(message, 0, "%s was paused and is being resumed%s", name, "");
	}
	if (g->state == GUEST_PAUSED && g->reason[0])
		return say(message, -EBUSY, "%s is paused: %s", name, g->reason);
	if (g->state == GUEST_PAUSED || g->state == GUEST_SAVING)
		return say(message, -EBUSY, "%s is %s", name, guest_state_to_string(g->state));
	if (g->state == GUEST_CRASHED && (g->destroy_in_flight || g->ladder.began))
		return say(message, -EBUSY,
			"the last run of %s is still being ended: try again in a moment%s", name,
			"");
	want(g, WANT_UP, operation_kind_to_string(request->kind));
	/* While libvirt is away it may have ended since: the start waits for the look. */
	if (guest_state_probes(g->state) && g->state != GUEST_STOPPING &&
		g->supervisor->hv_health.connected)
		return say(message, 0, "%s is %s already", name, guest_state_to_string(g->state));
	restart_clear(&g->restart);
	remedy_clear(g);
	g->boots = 0;
	int r = accept(g, request, now,
		usec_add(START_DEADLINE, g->state == GUEST_STOPPING ? stopping_total(g) : 0),
		message, ret_op);
	if (r <= 0)
		return r;
	/* Nor is a stop of this turn, which found nothing to stop, to call this one off. */
	if (!guest_state_has_qemu(g->state))
		g->news &= ~(unsigned)(NEWS_ASKED_STOP | NEWS_ASKED_KILL);
	g->news |= NEWS_ASKED_START;
	return r;
}

/* As far as is known nothing runs. */
static int stop_of_none(struct guest *g, bool kill, usec_t now, char *message)
{
	const char *format = "%s is %s already";
	bool dropped = kill && saving_drop(g);

	/* A start of this very turn is taken back, not carried out after it. */
	g->news &= ~(unsigned)NEWS_ASKED_START;
	g->news |= NEWS_ASKED_STOP;
	if (!g->seen || g->start_lost || now < g->orphan_until) {
		g->stop_waits = kill ? NEWS_ASKED_KILL : NEWS_ASKED_STOP;
		format = "%s is %s as far as is known: should it turn out to run, it is stopped";
	} else if (dropped) {
		format = "%s is %s already; its save is thrown away, the next start boots";
	} else if (!g->supervisor->hv_health.connected) {
		format = "%s is %s already, as last seen: libvirt is away";
	}
	return say(message, 0, format, g->spec->name, guest_state_to_string(g->state));
}

static int request_stop(struct guest *g, const struct request *request, usec_t now, char *message,
	struct operation **ret_op)
{
	bool kill = request->kind == OPERATION_KILL;

	want(g, WANT_DOWN, operation_kind_to_string(request->kind));
	if (!guest_state_has_qemu(g->state))
		return stop_of_none(g, kill, now, message);
	/* A save of ours is waited for, and may end on the ladder. */
	usec_t saving = saving_busy(g) ? g->spec->shutdown_save : 0;
	int r = accept(g, request, now,
		usec_add(kill ? 0 : usec_add(saving, stopping_total(g)), REQUEST_GRACE), message,
		ret_op);
	if (r > 0) {
		g->kill_asked |= kill;
		operations_answer(&g->operations, 1u << OPERATION_START | 1u << OPERATION_RESTART,
			-ECANCELED, "a stop was asked for meanwhile");
		/* A save of ours ends it, too. */
		if (kill || !saving_busy(g))
			g->news |= kill ? NEWS_ASKED_KILL : NEWS_ASKED_STOP;
	}
	return r;
}

/* As a stop, whose ladder it ends on where it cannot be saved. */
static int request_save(struct guest *g, const struct request *request, usec_t now, char *message,
	struct operation **ret_op)
{
	const char *refusal = saving_refusal(g);

	if (!guest_state_has_qemu(g->state) || g->state == GUEST_STOPPING || saving_busy(g))
		return request_stop(g, request, now, message, ret_op);
	if (refusal) {
		event_note(g, EVENT_STOP, NULL, LOG_WARNING,
			"it cannot be saved (%s): it is shut down instead", refusal);
		return request_stop(g, request, now, message, ret_op);
	}
	want(g, WANT_DOWN, "save");
	int r = accept(g, request, now,
		usec_add(stopping_total(g), usec_add(g->spec->shutdown_save, REQUEST_GRACE)),
		message, ret_op);
	if (r > 0) {
		operations_answer(&g->operations, OPERATIONS_START, -ECANCELED,
			"a stop was asked for meanwhile");
		g->news |= NEWS_ASKED_SAVE;
	}
	return r;
}

static int request_restart(struct guest *g, const struct request *request, usec_t now,
	char *message, struct operation **ret_op)
{
	if (!guest_state_has_qemu(g->state) || g->state == GUEST_CRASHED || saving_busy(g))
		return request_start(g, request, now, message, ret_op);
	want(g, WANT_UP, "restart");
	restart_clear(&g->restart);
	remedy_clear(g);
	g->boots = 0;
	int r = accept(g, request, now, usec_add(stopping_total(g), START_DEADLINE + REQUEST_GRACE),
		message, ret_op);
	if (r > 0)
		g->news |= NEWS_ASKED_STOP;
	return r;
}

static int request_balloon(struct guest *g, const struct request *request, usec_t now,
	char *message, struct operation **ret_op)
{
	struct hv *hv = g->supervisor->config.hv;
	uint64_t kib = request->kib;
	char low[SIZE_TEXT_MAX], high[SIZE_TEXT_MAX];

	if (!guest_state_probes(g->state) || g->state == GUEST_STOPPING || g->state == GUEST_SAVING)
		return say(message, -ESRCH, "%s is %s: its memory is set while it runs",
			g->spec->name, guest_state_to_string(g->state));
	if (kib && (kib > g->spec->memory_kib || kib < g->spec->memory_min_kib))
		return say(message, -ERANGE, "allowed are %s (MemoryMin=) to %s (Memory=)",
			format_size_kib(low, sizeof(low), g->spec->memory_min_kib),
			format_size_kib(high, sizeof(high), g->spec->memory_kib));
	if (!g->supervisor->hv_health.connected)
		return say(message, -ENOTCONN, "%s cannot be asked now: libvirt is away%s",
			g->spec->name, "");
	if (hv->vtable->wedged(hv, g->spec->uuid))
		return say(message, -EBUSY,
			"%s cannot be asked now: a call into libvirt about it does not return%s",
			g->spec->name, "");
	operations_answer(&g->operations, 1u << OPERATION_BALLOON, -ECANCELED,
		"another size was asked for meanwhile");
	int r = accept(g, request, now, BALLOON_DEADLINE, message, ret_op);
	if (r > 0)
		ballooning_override(g, kib,
			kib && request->span ? usec_add(now, request->span) : USEC_INFINITY, now);
	return r;
}

static int request_snapshot(struct guest *g, const struct request *request, usec_t now,
	char *message, struct operation **ret_op)
{
	const char *why;
	int r = snapshotting_refusal(g, &why);

	if (r == -ESRCH)
		return say(message, r,
			"%s is %s: a snapshot is of a guest that is up (the disk of a stopped one "
			"is copied by `qemu-img convert -O qcow2`)",
			g->spec->name, why);
	if (r < 0)
		return say(message, r, "no snapshot can be made of %s now: %s", g->spec->name, why);
	/* It ends by its own deadlines; this is for what they forget. */
	r = accept(g, request, now, usec_add(g->spec->backup_timeout, SNAPSHOT_GRACE), message,
		ret_op);
	if (r > 0)
		snapshotting_begin(g, now);
	return r;
}

static int request_delete(struct guest *g, const struct request *request, usec_t now,
	char *message, struct operation **ret_op)
{
	int r = accept(g, request, now, REQUEST_GRACE * 3, message, ret_op);

	if (r < 0)
		return r;
	r = snapshotting_delete(g, request->id);
	if (r == 0)
		return 1;
	operation_forget(&g->operations, *ret_op);
	*ret_op = NULL;
	return say(message, r, "%s: %s", g->spec->name,
		r == -EBUSY ? "a snapshot is under way, or being deleted: try again then"
			    : strerror(-r));
}

/* Who asked for what, and whether it was granted. */
static void note_request(
	struct guest *g, const char *what, const char *who, int r, const char *message)
{
	event_note(g, EVENT_REQUEST, NULL, LOG_NOTICE, "%s asked for by %s%s%s", what,
		who ? who : "somebody unknown",
		r < 0    ? ", refused: "
		: r == 0 ? ": "
			 : "",
		r <= 0 ? message : "");
}

static int take_request(struct guest *g, const struct request *request, usec_t now,
	char message[static REQUEST_MESSAGE_MAX], struct operation **ret_op)
{
	struct operation *op = NULL;
	int r = -EINVAL;

	message[0] = '\0';
	if (g->operations.n >= OPERATIONS_MAX)
		return say(message, -EBUSY, "too many requests wait on %s already%s", g->spec->name,
			"");
	switch (request->kind) {
	case OPERATION_START:
		r = request_start(g, request, now, message, &op);
		break;
	case OPERATION_STOP:
	case OPERATION_KILL:
		r = request_stop(g, request, now, message, &op);
		break;
	case OPERATION_RESTART:
		r = request_restart(g, request, now, message, &op);
		break;
	case OPERATION_SAVE:
		r = request_save(g, request, now, message, &op);
		break;
	case OPERATION_SNAPSHOT:
		r = request_snapshot(g, request, now, message, &op);
		break;
	case OPERATION_DELETE_SNAPSHOT:
		r = request_delete(g, request, now, message, &op);
		break;
	case OPERATION_BALLOON:
		r = request_balloon(g, request, now, message, &op);
		break;
	case OPERATION_KIND_NUM:
		break;
	}
	*ret_op = op;
	return r;
}

int guest_request(struct guest *g, const struct request *request, usec_t now,
	char message[static REQUEST_MESSAGE_MAX], struct operation **ret_op)
{
	int r = take_request(g, request, now, message, ret_op);

	note_request(g, operation_kind_to_string(request->kind), request->who, r, message);
	return r;
}

int service_restarted(struct service *s, const char *who, usec_t now,
	char message[static REQUEST_MESSAGE_MAX])
{
	struct guest *g = s->guest;

	if (!guest_state_probes(g->state) || g->state == GUEST_STOPPING)
		return say(message, -ESRCH, "%s is %s: its services are not asked", g->spec->name,
			guest_state_to_string(g->state));
	event_note(g, EVENT_REQUEST, s, LOG_NOTICE, "its unit was restarted by %s", who);
	probing_renew(s, now);
	return 0;
}

int guest_cancel_snapshot(struct guest *g, const char *who, usec_t now,
	char message[static REQUEST_MESSAGE_MAX])
{
	int r = snapshotting_cancel(g, "it was cancelled", now);

	if (r < 0)
		(void)say(message, r,
			g->snapshotting.phase == SNAPSHOT_CHECKING
				? "the snapshot of %s is copied and being checked: delete it "
				  "then%s"
				: "no snapshot of %s is being made%s",
			g->spec->name, "");
	note_request(g, "cancelling its snapshot", who, r < 0 ? r : 1, message);
	return r;
}

void guest_reset_failed(struct guest *g, const char *who, usec_t now)
{
	note_request(g, "reset-failed", who, 1, "");
	restart_clear(&g->restart);
	remedy_clear(g);
	g->reason[0] = '\0';
	g->dirty = true;
	guest_event(g, GUEST_EV_RESET_FAILED, now);
}
