/* SPDX-License-Identifier: Apache-2.0 */
/* From "make one" to a copy that is whole, or to nothing at all.
 *
 * Theory of operation: a copy is QEMU's to make and ours to vouch for. Its file is there, half-made
 * by its name, before anything in the guest or in QEMU is touched, so that a daemon that comes upon
 * it knows what may be owed: a thaw (core/thawing), the end of a job that goes on without us, and
 * the file's. It gets its proper name only when QEMU has let go of it and it was found sound
 * (io/snapshots). Every way out but the good one goes through the phase `ending`, which is left
 * only when QEMU has ended the job or is gone itself: a file that is still written to is not
 * removed. The caller is answered there, after ENDING_PATIENCE at the latest.
 *
 * A guest that stops, is saved or ends takes its copy with it, except in the last phase. Rejected:
 * letting a stop wait for the copy (a host that shuts down does not), and joining one that is under
 * way (what was written since is not in it). */
#include "core/snapshotting.h"

#include "base/log.h"
#include "base/parse.h"
#include "core/hvlink.h"
#include "core/snapshot_parts.h"
#include "core/supervisor.h"
#include "core/words.h"
#include "io/layout.h"

#include <errno.h>
#include <string.h>

#define LOOK_EVERY      USEC_PER_SEC
#define ENDING_PATIENCE (30 * USEC_PER_SEC)
/* What comes before and after the copying, beyond Timeout=. */
#define THAW_PATIENCE   (30 * USEC_PER_SEC)
#define PREPARING_MAX   (5 * USEC_PER_MINUTE)

struct snapshots *snapshot_store(const struct guest *g)
{
	return g->supervisor->config.snapshots;
}

void snapshot_set_phase(struct guest *g, enum snapshot_phase phase, usec_t due)
{
	g->snapshotting.phase = phase;
	g->snapshotting.due = due;
	g->dirty = true;
}

void snapshotting_init(struct guest *g)
{
	g->snapshotting.phase = snapshot_store(g) ? SNAPSHOT_UNKNOWN : SNAPSHOT_NONE;
	g->snapshotting.due = snapshot_store(g) ? 0 : USEC_INFINITY;
	g->snapshotting.deadline = g->snapshotting.answer_by = g->snapshotting.save_by =
		USEC_INFINITY;
	thawing_init(g);
}

bool snapshot_is_made(const struct guest *g)
{
	enum snapshot_phase phase = g->snapshotting.phase;

	return phase == SNAPSHOT_PREPARING || phase == SNAPSHOT_FREEZING ||
	       phase == SNAPSHOT_COPYING;
}

bool snapshotting_busy(const struct guest *g)
{
	return snapshot_is_made(g) || g->snapshotting.phase == SNAPSHOT_ENDING ||
	       thawing_owed(g);
}

bool snapshotting_wants_agent(const struct guest *g)
{
	return g->snapshotting.phase == SNAPSHOT_UNKNOWN ||
	       g->snapshotting.phase == SNAPSHOT_FREEZING || g->snapshotting.thawing.wanted;
}

void snapshot_take_list(struct guest *g, const struct snapshot_news *news)
{
	struct guest_snapshotting *s = &g->snapshotting;

	s->n = news->n;
	memcpy(s->list, news->list, sizeof(s->list[0]) * news->n);
	g->dirty = true;
}

int snapshot_order_put(struct guest *g, enum snapshot_order_kind kind, snapshot_done_t done)
{
	struct guest_snapshotting *s = &g->snapshotting;
	const struct snapshot_order o = {
		.kind = kind,
		.guest = g->spec->name,
		.bytes = s->total,
		.keep = g->spec->backup_keep,
		.made = { .id = s->id,
			.at_realtime = s->at_realtime,
			.consistency = s->frozen ? SNAPSHOT_FROZEN : SNAPSHOT_CRASH },
	};
	int r = snapshot_store(g)->vtable->order(snapshot_store(g), &o, done, g);

	s->ordered = r == 0;
	g->hv_in_flight += r == 0;
	return r;
}

void snapshot_conclude(struct guest *g, int error, const char *words)
{
	struct guest_snapshotting *s = &g->snapshotting;

	s->failed = error != 0;
	s->tried_realtime = now_realtime();
	(void)words_cut(s->result, sizeof(s->result), words);
	s->answer_by = USEC_INFINITY;
	g->save_due = 0;
	g->dirty = true;
	event_note(g, EVENT_SNAPSHOT, NULL,
		error == 0              ? LOG_NOTICE
		: error == -ECANCELED   ? LOG_NOTICE
					: LOG_WARNING,
		"snapshot %s: %s", error == 0 ? "made" : "not made", words);
	operations_answer(&g->operations, 1u << OPERATION_SNAPSHOT, error, words);
}

void snapshot_rest(struct guest *g)
{
	struct guest_snapshotting *s = &g->snapshotting;

	snapshot_set_phase(g, SNAPSHOT_NONE, USEC_INFINITY);
	s->deadline = USEC_INFINITY;
	s->begun = s->run_over = false;
}

void snapshot_fail(struct guest *g, int error, const char *words, usec_t now)
{
	struct guest_snapshotting *s = &g->snapshotting;

	s->error = error;
	s->deadline = USEC_INFINITY;
	(void)words_cut(s->words, sizeof(s->words), words);
	s->answer_by = usec_add(now, ENDING_PATIENCE);
	if (s->thawing.wanted)
		thawing_begin(g, now);
	snapshot_set_phase(g, SNAPSHOT_ENDING, now);
}

/* Preparing ---- */

static void prepare_done(void *userdata, const struct snapshot_news *news, usec_t now)
{
	struct guest *g = userdata;
	struct guest_snapshotting *s = &g->snapshotting;

	g->hv_in_flight--;
	s->ordered = false;
	if (s->phase != SNAPSHOT_PREPARING)
		return;
	if (news->error != 0) {
		snapshot_fail(g, news->error, news->reason.text, now);
		return;
	}
	s->id = news->id;
	snapshot_set_phase(g, SNAPSHOT_FREEZING, now);
	s->thawing.since = now;
}

static void disk_done(void *userdata, const struct hv_reply *reply, usec_t now)
{
	struct guest *g = userdata;
	struct guest_snapshotting *s = &g->snapshotting;

	g->hv_in_flight--;
	s->out = false;
	if (s->phase != SNAPSHOT_PREPARING)
		return;
	if (reply->error != 0) {
		snapshot_fail(g, reply->error, reply->message, now);
		return;
	}
	s->total = reply->backup.total;
	int r = snapshot_order_put(g, SNAPSHOT_PREPARE, prepare_done);
	if (r < 0)
		snapshot_fail(g, r, "the disk that copies go to does not answer", now);
}

void snapshot_call(struct guest *g, enum hv_verb verb, const char *text, hv_done_t done, usec_t now)
{
	struct guest_snapshotting *s = &g->snapshotting;
	int r = hvlink_backup(g, verb, text, done);

	s->out = r == 0;
	s->due = USEC_INFINITY;
	if (r == 0)
		return;
	if (s->phase == SNAPSHOT_PREPARING || s->phase == SNAPSHOT_FREEZING)
		snapshot_fail(g, r,
			r == -ENOTCONN ? "libvirt is away"
				       : "an earlier call to libvirt does not return",
			now);
	else
		s->due = usec_add(now, SNAPSHOT_RETRY_EVERY);
}

int snapshotting_refusal(const struct guest *g, const char **ret_why)
{
	const struct guest_snapshotting *s = &g->snapshotting;
	struct hv *hv = g->supervisor->config.hv;
	int r = 0;

	*ret_why = NULL;
	if (!snapshot_store(g)) {
		*ret_why = "this daemon makes none";
		r = -EOPNOTSUPP;
	} else if (supervisor_is_ending(g->supervisor)) {
		*ret_why = "the daemon is ending";
		r = -EBUSY;
	} else if (!guest_spec_has_disk(g->spec)) {
		*ret_why = "it has no disk";
		r = -EOPNOTSUPP;
	} else if (s->phase == SNAPSHOT_UNKNOWN) {
		*ret_why = "what a former daemon left of one is still being looked at";
		r = -EBUSY;
	} else if (s->phase == SNAPSHOT_ENDING || thawing_owed(g)) {
		*ret_why = "the last one is still being ended";
		r = -EBUSY;
	} else if (s->phase != SNAPSHOT_NONE || s->ordered) {
		*ret_why = "one is under way";
		r = -EBUSY;
	} else if (g->state != GUEST_RUNNING && g->state != GUEST_READY) {
		*ret_why = guest_state_to_string(g->state);
		r = -ESRCH;
	} else if (!g->supervisor->hv_health.connected) {
		*ret_why = "libvirt is away";
		r = -ENOTCONN;
	} else if (hv->vtable->wedged(hv, g->spec->uuid)) {
		*ret_why = "a call into libvirt about it does not return";
		r = -EBUSY;
	}
	return r;
}

void snapshotting_begin(struct guest *g, usec_t now)
{
	struct guest_snapshotting *s = &g->snapshotting;

	s->began = now;
	s->deadline = usec_add(now, g->spec->backup_timeout + PREPARING_MAX);
	s->frozen = s->begun = s->run_over = false;
	s->unfrozen_words[0] = '\0';
	s->copied = s->total = 0;
	snapshot_set_phase(g, SNAPSHOT_PREPARING, USEC_INFINITY);
	event_note(g, EVENT_SNAPSHOT, NULL, LOG_INFO, "its disk is about to be copied");
	snapshot_call(g, HV_DISK, NULL, disk_done, now);
}

/* Freezing and beginning ---- */

static void begin_done(void *userdata, const struct hv_reply *reply, usec_t now)
{
	struct guest *g = userdata;
	struct guest_snapshotting *s = &g->snapshotting;

	g->hv_in_flight--;
	s->out = false;
	if (s->thawing.hold)
		thawing_begin(g, now);
	if (s->phase != SNAPSHOT_FREEZING)
		return;
	if (reply->error != 0) {
		snapshot_fail(g, reply->error, reply->message, now);
		return;
	}
	/* Of the moment at which QEMU began, which is at most an answer ago. */
	s->at_realtime = now_realtime();
	s->deadline = usec_add(now, g->spec->backup_timeout);
	snapshot_set_phase(g, SNAPSHOT_COPYING, usec_add(now, LOOK_EVERY / 4));
}

static void begin_copy(struct guest *g, usec_t now)
{
	char name[SNAPSHOT_NAME_TEXT];
	CLEANUP_FREE char *path = layout_snapshot(g->supervisor->spec->state_dir, g->spec->name,
		snapshot_name(g->snapshotting.id, name), LAYOUT_SNAPSHOT_PART);

	if (!path) {
		snapshot_fail(g, -ENOMEM, "out of memory", now);
		return;
	}
	g->snapshotting.begun = true;
	snapshot_call(g, HV_BACKUP, path, begin_done, now);
}

void snapshotting_frozen(struct guest *g, usec_t now)
{
	if (g->snapshotting.phase != SNAPSHOT_FREEZING) {
		thawing_begin(g, now);
		return;
	}
	g->snapshotting.frozen = true;
	begin_copy(g, now);
}

void snapshotting_not_frozen(struct guest *g, const char *why, usec_t now)
{
	struct guest_snapshotting *s = &g->snapshotting;

	s->frozen = false;
	(void)words_cut(s->unfrozen_words, sizeof(s->unfrozen_words), why);
	if (s->phase == SNAPSHOT_FREEZING && !s->begun)
		begin_copy(g, now);
}

static bool agent_is_idle(const struct guest *g)
{
	return !g->agent.busy && !g->agent.waits_for_hv && !g->saving.clock_out;
}

static void freeze(struct guest *g, usec_t now)
{
	struct guest_snapshotting *s = &g->snapshotting;

	/* One of a former daemon's, with nobody there to be asked. */
	if (!s->begun && s->thawing.wanted && !s->thawing.hold)
		snapshotting_not_frozen(g, "its guest agent is not connected", now);
	if (s->begun || s->thawing.wanted || now < s->due)
		return;
	s->due = USEC_INFINITY;
	if (!g->facts.agent_connected)
		snapshotting_not_frozen(g, "its guest agent is not connected", now);
	else if (agent_is_idle(g) && thawing_freeze(g, now) < 0)
		snapshotting_not_frozen(g, "its guest agent cannot be asked", now);
	else if (s->thawing.wanted)
		return;
	else if (usec_sub(now, s->thawing.since) >= THAWING_AGENT_WAIT)
		snapshotting_not_frozen(g, "its guest agent does not end what it was asked", now);
	else
		s->due = usec_add(now, AGENT_POLL_EVERY);
}

/* Copying ---- */

static void finish_done(void *userdata, const struct snapshot_news *news, usec_t now)
{
	struct guest *g = userdata;
	struct guest_snapshotting *s = &g->snapshotting;
	char words[640], size[SIZE_TEXT_MAX], span[TIMESPAN_TEXT_MAX], name[SNAPSHOT_NAME_TEXT];
	uint64_t bytes = 0;

	g->hv_in_flight--;
	s->ordered = false;
	s->deadline = USEC_INFINITY;
	if (news->error != 0) {
		(void)snprintf(words, sizeof(words), "%.400s; the copy is removed",
			news->reason.text);
		snapshot_conclude(g, news->error, words);
		snapshot_rest(g);
		return;
	}
	snapshot_take_list(g, news);
	for (unsigned i = 0; i < s->n; i++)
		if (s->list[i].id == s->id)
			bytes = s->list[i].bytes;
	(void)snprintf(words, sizeof(words), "%s, %s%s%s, %s, checked, in %s",
		snapshot_name(s->id, name),
		s->frozen ? "frozen by its guest agent" : "consistent as after a power cut (",
		s->unfrozen_words, s->frozen ? "" : ")",
		format_size_kib(size, sizeof(size), (bytes + 1023) / 1024),
		format_timespan(span, sizeof(span), usec_sub(now, s->began)));
	snapshot_conclude(g, 0, words);
	snapshot_rest(g);
}

static void finish(struct guest *g, usec_t now)
{
	int r = snapshot_order_put(g, SNAPSHOT_FINISH, finish_done);

	if (r < 0) {
		snapshot_fail(g, r, "the disk that copies go to does not answer", now);
		return;
	}
	if (g->snapshotting.frozen)
		g->snapshotting.unfrozen_words[0] = '\0';
	g->snapshotting.deadline = USEC_INFINITY;
	snapshot_set_phase(g, SNAPSHOT_CHECKING, USEC_INFINITY);
}

/* Enough for the guest's own disk to grow. */
static bool room_is_short(const struct guest *g, uint64_t *ret_free_kib)
{
	const struct supervisor *s = g->supervisor;
	CLEANUP_FREE char *path = layout_path(s->spec->state_dir, g->spec->name, LAYOUT_SNAPSHOTS);

	return s->config.disk_room && path && s->config.disk_room(path, ret_free_kib) == 0 &&
	       *ret_free_kib < SNAPSHOT_RESERVE_KIB / 2;
}

static void copying_moved(struct guest *g, const struct hv_backup *backup, usec_t now)
{
	struct guest_snapshotting *s = &g->snapshotting;
	char words[160], room[SIZE_TEXT_MAX];
	uint64_t free_kib = 0;

	g->dirty |= s->copied != backup->copied;
	s->copied = backup->copied;
	if (backup->total)
		s->total = backup->total;
	s->due = usec_add(now, LOOK_EVERY);
	if (!room_is_short(g, &free_kib))
		return;
	(void)snprintf(words, sizeof(words),
		"its disk's file system is nearly full (%s free), which would pause the guest",
		format_size_kib(room, sizeof(room), free_kib));
	snapshot_fail(g, -ENOSPC, words, now);
}

static void copying_done(void *userdata, const struct hv_reply *reply, usec_t now)
{
	struct guest *g = userdata;
	struct guest_snapshotting *s = &g->snapshotting;

	g->hv_in_flight--;
	s->out = false;
	if (s->phase != SNAPSHOT_COPYING)
		return;
	s->due = usec_add(now, LOOK_EVERY);
	/* Not connected, or wedged: QEMU copies on, and the deadline stands. */
	if (reply->error != 0)
		return;
	switch (reply->backup.state) {
	case HV_BACKUP_RUNS:
		copying_moved(g, &reply->backup, now);
		break;
	case HV_BACKUP_DONE:
		/* The thaw's answer says whether it was frozen all the time; without one the
		 * freeze's stands. */
		if (!s->thawing.wanted || !s->frozen ||
			usec_sub(now, s->thawing.since) > THAW_PATIENCE)
			finish(g, now);
		break;
	case HV_BACKUP_FAILED:
		snapshot_fail(g, -EIO,
			reply->message[0] ? reply->message : "QEMU's copying failed", now);
		break;
	case HV_BACKUP_NONE:
	case HV_BACKUP_STATE_NUM:
		snapshot_fail(g, -EIO, "libvirt does not know of the copying any more", now);
		break;
	}
}

/* What of the guest's own life ends it. */
static void watch_guest(struct guest *g, usec_t now)
{
	const struct guest_snapshotting *s = &g->snapshotting;
	const char *why = NULL;

	if (!snapshot_is_made(g))
		return;
	if (s->run_over || !guest_state_has_qemu(g->state))
		why = "the guest ended";
	else if (g->state == GUEST_STOPPING)
		why = "the guest is being stopped";
	else if (g->state == GUEST_SAVING)
		why = "the guest is being saved";
	else if (g->state == GUEST_CRASHED)
		why = "the guest crashed";
	else if (g->state == GUEST_PAUSED && g->facts.reason == HV_REASON_NO_SPACE)
		why = "the file system of its disk is full";
	if (why)
		(void)snapshotting_cancel(g, why, now);
	else if (now >= s->deadline)
		snapshot_fail(g, -ETIMEDOUT, "it had not ended after [Backup] Timeout=", now);
}

usec_t snapshotting_run(struct guest *g, usec_t now)
{
	struct guest_snapshotting *s = &g->snapshotting;

	watch_guest(g, now);
	switch (s->phase) {
	case SNAPSHOT_UNKNOWN:
		if (snapshot_store(g))
			snapshot_look_first(g, now);
		break;
	case SNAPSHOT_FREEZING:
		freeze(g, now);
		break;
	case SNAPSHOT_COPYING:
		if (!s->out && now >= s->due)
			snapshot_call(g, HV_BACKUP_LOOK, NULL, copying_done, now);
		break;
	case SNAPSHOT_ENDING:
		snapshot_end(g, now);
		break;
	default:
		break;
	}
	usec_t next = MIN(thawing_run(g, now), s->deadline);
	next = MIN(next, snapshot_save(g, now));
	if (s->phase == SNAPSHOT_ENDING)
		next = MIN(next, s->answer_by);
	return MIN(next, s->out || s->ordered || !g->seen ? USEC_INFINITY : s->due);
}
