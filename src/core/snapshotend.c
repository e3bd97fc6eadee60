/* SPDX-License-Identifier: Apache-2.0 */
/* What a copy leaves that is not to be: ended, thawed, removed, whoever began it; and the copies
 * that somebody wants gone. */
#include "core/snapshot_parts.h"

#include "base/log.h"
#include "core/hvlink.h"
#include "core/supervisor.h"
#include "core/words.h"
#include "model/agent.h"

#include <errno.h>

#define ABORT_EVERY (500 * USEC_PER_MSEC)
/* For a save that waits. What was frozen then would be frozen for ever. */
#define SAVE_PATIENCE (30 * USEC_PER_SEC)

/* The marker of all copies of this guest, whatever daemon began them. */
static char *part_marker(const struct guest *g)
{
	char *marker = NULL;

	return asprintf(&marker, "/%s/snapshots/", g->spec->name) < 0 ? NULL : marker;
}

/* The first look ---- */

static void look_done(void *userdata, const struct snapshot_news *news, usec_t now)
{
	struct guest *g = userdata;
	struct guest_snapshotting *s = &g->snapshotting;

	g->hv_in_flight--;
	s->ordered = false;
	if (s->phase != SNAPSHOT_UNKNOWN)
		return;
	if (news->error != 0) {
		event_note(g, EVENT_SNAPSHOT, NULL, LOG_WARNING,
			"its snapshots cannot be looked at: %s", news->reason.text);
		snapshot_rest(g);
		return;
	}
	snapshot_take_list(g, news);
	if (!news->leftover) {
		snapshot_rest(g);
		return;
	}
	event_note(g, EVENT_SNAPSHOT, NULL, LOG_NOTICE,
		"the daemon ended while its disk was copied: that is ended, and its file systems "
		"are thawed where they are frozen");
	s->begun = true;
	s->error = 0; /* nobody waits for it */
	thawing_begin(g, now);
	snapshot_set_phase(g, SNAPSHOT_ENDING, now);
}

void snapshot_look_first(struct guest *g, usec_t now)
{
	struct guest_snapshotting *s = &g->snapshotting;

	if (s->ordered || now < s->due)
		return;
	s->due = USEC_INFINITY;
	if (snapshot_order_put(g, SNAPSHOT_LOOK, look_done) < 0)
		s->due = usec_add(now, SNAPSHOT_RETRY_EVERY);
}

/* Ending ---- */

static void discard_done(void *userdata, const struct snapshot_news *news, usec_t now)
{
	struct guest *g = userdata;
	struct guest_snapshotting *s = &g->snapshotting;

	(void)now;
	g->hv_in_flight--;
	s->ordered = false;
	if (news->error == 0)
		snapshot_take_list(g, news);
	else
		event_note(g, EVENT_SNAPSHOT, NULL, LOG_WARNING,
			"the half-made copy cannot be removed (%s): the next snapshot tries again",
			news->reason.text);
	if (s->error != 0 && s->answer_by != USEC_INFINITY)
		snapshot_conclude(g, s->error, s->words);
	s->error = 0;
	snapshot_rest(g);
}

static void abort_done(void *userdata, const struct hv_reply *reply, usec_t now)
{
	struct guest *g = userdata;
	struct guest_snapshotting *s = &g->snapshotting;

	g->hv_in_flight--;
	s->out = false;
	if (s->phase != SNAPSHOT_ENDING)
		return;
	s->begun &= reply->error != 0 && reply->error != -ESRCH && reply->error != -ENOENT;
	s->due = usec_add(now, reply->error == -EINPROGRESS ? ABORT_EVERY : SNAPSHOT_RETRY_EVERY);
	if (!s->begun)
		s->due = now;
}

void snapshot_end(struct guest *g, usec_t now)
{
	struct guest_snapshotting *s = &g->snapshotting;

	if (s->error != 0 && now >= s->answer_by)
		snapshot_conclude(g, s->error, s->words);
	if (s->out || s->ordered || now < s->due || !g->seen)
		return;
	if (!guest_state_has_qemu(g->state) || s->run_over)
		s->begun = false;
	if (s->begun) {
		CLEANUP_FREE char *marker = part_marker(g);
		if (marker)
			snapshot_call(g, HV_BACKUP_ABORT, marker, abort_done, now);
		return;
	}
	s->due = USEC_INFINITY;
	if (snapshot_order_put(g, SNAPSHOT_DISCARD, discard_done) < 0)
		s->due = usec_add(now, SNAPSHOT_RETRY_EVERY);
}

/* From outside ---- */

int snapshotting_cancel(struct guest *g, const char *why, usec_t now)
{
	if (!snapshot_is_made(g))
		return -ESRCH;
	snapshot_fail(g, -ECANCELED, why, now);
	return 0;
}

usec_t snapshot_save(struct guest *g, usec_t now)
{
	struct guest_snapshotting *s = &g->snapshotting;
	bool late = now >= s->save_by;

	if (s->save_by == USEC_INFINITY || (snapshotting_busy(g) && !late))
		return s->save_by;
	if (late)
		event_note(g, EVENT_STOP, NULL, LOG_WARNING,
			"it cannot be saved while its disk is copied, or it may be frozen, and "
			"that does not end: it is shut down instead");
	g->news |= late ? NEWS_ASKED_STOP : NEWS_ASKED_SAVE;
	s->save_by = USEC_INFINITY;
	return now;
}

void snapshotting_give_way(struct guest *g, usec_t now)
{
	(void)snapshotting_cancel(g, "the guest is being saved", now);
	g->snapshotting.save_by = usec_add(now, SAVE_PATIENCE);
}

void snapshotting_wind_up(struct guest *g, usec_t now)
{
	(void)snapshotting_cancel(g, "the daemon is ending", now);
	if (g->snapshotting.thawing.wanted)
		thawing_begin(g, now);
}

static void delete_done(void *userdata, const struct snapshot_news *news, usec_t now)
{
	struct guest *g = userdata;

	(void)now;
	g->hv_in_flight--;
	g->snapshotting.ordered = g->snapshotting.delete_waits = false;
	if (news->error == 0)
		snapshot_take_list(g, news);
	operations_answer(&g->operations, 1u << OPERATION_DELETE_SNAPSHOT, news->error,
		news->error == 0 ? "the snapshot is deleted" : news->reason.text);
}

int snapshotting_delete(struct guest *g, usec_t id)
{
	struct guest_snapshotting *s = &g->snapshotting;

	if (!snapshot_store(g))
		return -EOPNOTSUPP;
	if (s->phase != SNAPSHOT_NONE || s->ordered)
		return -EBUSY;
	s->id = id;
	int r = snapshot_order_put(g, SNAPSHOT_DELETE, delete_done);
	s->delete_waits = r == 0;
	return r;
}

void snapshotting_forget_run(struct guest *g)
{
	g->snapshotting.run_over = true;
	g->snapshotting.save_by = USEC_INFINITY; /* was to be of this run */
	thawing_forget(g);
}

static void nobody_waits(void *userdata, const struct hv_reply *reply, usec_t now)
{
	struct guest *g = userdata;

	(void)reply, (void)now;
	g->hv_in_flight--;
}

void snapshotting_retire(struct guest *g)
{
	struct guest_snapshotting *s = &g->snapshotting;
	CLEANUP_FREE char *marker = part_marker(g);

	if (!snapshotting_busy(g) || !guest_state_has_qemu(g->state))
		return;
	if (s->thawing.wanted && !s->thawing.out)
		(void)hvlink_agent(g, agent_thaw_text, nobody_waits);
	if (marker)
		(void)hvlink_backup(g, HV_BACKUP_ABORT, marker, nobody_waits);
	s->phase = SNAPSHOT_NONE;
}

void snapshotting_to_state(const struct guest *g, struct state_record *ret)
{
	const struct guest_snapshotting *s = &g->snapshotting;

	ret->snapshot_tried_realtime = s->tried_realtime;
	ret->snapshot_failed = s->failed;
	(void)words_cut(ret->snapshot_result, sizeof(ret->snapshot_result), s->result);
	ret->thaw_owed = s->thawing.wanted;
}

void snapshotting_from_state(struct guest *g, const struct state_record *r, usec_t now)
{
	struct guest_snapshotting *s = &g->snapshotting;

	s->tried_realtime = r->snapshot_tried_realtime;
	s->failed = r->snapshot_failed;
	(void)words_cut(s->result, sizeof(s->result), r->snapshot_result);
	if (r->thaw_owed)
		thawing_begin(g, now);
}
