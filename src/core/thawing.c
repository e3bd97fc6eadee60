/* SPDX-License-Identifier: Apache-2.0 */
/* Freeze once, thaw until it is done.
 *
 * Theory of operation: a guest that stays frozen is worse than a copy that is not quite consistent,
 * so from the moment the freeze is asked for the thaw is owed, and nothing but an answer of the
 * agent, or the end of QEMU, pays it. A freeze without an answer may happen later, so it counts as
 * one that did. What the agent answers while its file systems are frozen is only fsfreeze; every
 * other command waits (snapshotting_wants_agent()). A daemon that dies in between leaves a
 * half-made copy on the disk, made before the freeze was asked for, by which the next one knows
 * that a thaw is owed (core/snapshotting); where the copy came to its end first, and the thaw has
 * no answer yet, the state record says it.
 *
 * A daemon that is told to end may have no next one, so it ends the copy, and goes when the thaw
 * is answered, or after SUPERVISOR_ENDING_MAX (supervisor_end()). Rejected: to send the thaw and go
 * at once, because the call is torn down with the connection; and to wait as long as it takes,
 * because a guest that does not answer must not hold up the host's shutdown. */
#include "core/thawing.h"

#include "base/log.h"
#include "base/macro.h"
#include "core/hvlink.h"
#include "core/probing.h"
#include "core/supervisor.h"
#include "model/agent.h"

#include <errno.h>

#define THAW_EVERY     USEC_PER_SEC
#define THAW_EVERY_MAX (10 * USEC_PER_SEC)
/* An agent that can freeze, and was asked to thaw, does not refuse; one that was built or told not
 * to freeze refuses both. */
#define REFUSALS_MAX 3u
/* Before that it may be busy with the freeze itself. */
#define TOLD_AFTER (30 * USEC_PER_SEC)

void thawing_init(struct guest *g)
{
	g->snapshotting.thawing = (struct thawing){ .due = USEC_INFINITY };
}

/* The guest's own "no", against "nobody answered". */
static bool is_refusal(int error)
{
	return error != -ETIMEDOUT && error != -ENOTCONN && error != -EBUSY && error != -ECANCELED;
}

static void freeze_done(void *userdata, const struct hv_reply *reply, usec_t now)
{
	struct guest *g = userdata;
	struct thawing *t = &g->snapshotting.thawing;
	int64_t n = 0;

	g->hv_in_flight--;
	t->freeze_out = false;
	if (!t->wanted || !t->hold)
		return; /* it is being thawed already */
	int r = reply->error ? reply->error : agent_parse_count(reply->text, &n);
	if (r == 0 && n > 0) {
		t->is_frozen = true;
		snapshotting_frozen(g, now);
		return;
	}
	thawing_begin(g, now);
	snapshotting_not_frozen(g,
		reply->error      ? reply->message
		: r < 0           ? "its agent's answer is not understood"
				  : "its agent found no file system to freeze",
		now);
}

int thawing_freeze(struct guest *g, usec_t now)
{
	struct thawing *t = &g->snapshotting.thawing;
	int r = hvlink_agent(g, agent_freeze_text, freeze_done);

	if (r < 0)
		return r;
	thawing_init(g);
	t->wanted = t->hold = t->freeze_out = true;
	t->since = now;
	t->due = usec_add(now, THAWING_FREEZE_MAX);
	g->save_due = 0;
	/* Whoever is asked meanwhile may have to wait for a write. */
	probing_cast_doubt(g);
	return 0;
}

void thawing_begin(struct guest *g, usec_t now)
{
	struct thawing *t = &g->snapshotting.thawing;

	if (!t->wanted)
		t->since = now;
	t->wanted = true;
	t->hold = false;
	t->due = now;
}

bool thawing_owed(const struct guest *g)
{
	const struct thawing *t = &g->snapshotting.thawing;

	return t->wanted && (t->is_frozen || g->facts.agent_connected);
}

void thawing_forget(struct guest *g)
{
	struct thawing *t = &g->snapshotting.thawing;

	t->wanted = t->hold = t->is_frozen = t->told = false;
	t->tries = t->refusals = 0;
	t->due = USEC_INFINITY;
}

static void thawed(struct guest *g, usec_t now)
{
	struct thawing *t = &g->snapshotting.thawing;
	char span[TIMESPAN_TEXT_MAX];

	probing_cast_doubt(g);
	(void)format_timespan(span, sizeof(span), usec_sub(now, t->since));
	if (t->is_frozen || t->told)
		event_note(g, EVENT_SNAPSHOT, NULL, t->told ? LOG_NOTICE : LOG_INFO,
			"its file systems are thawed, after %s", span);
	thawing_forget(g);
}

/* One that froze nothing has nothing to thaw; one that goes on refusing cannot be helped. */
static void refused(struct guest *g, const char *words)
{
	struct thawing *t = &g->snapshotting.thawing;

	if (t->is_frozen)
		event_note(g, EVENT_SNAPSHOT, NULL, LOG_ERR,
			"its agent refuses to thaw its file systems (%s): run `fsfreeze -u` in it, "
			"or restart it",
			words);
	thawing_forget(g);
}

static void thaw_done(void *userdata, const struct hv_reply *reply, usec_t now)
{
	struct guest *g = userdata;
	struct thawing *t = &g->snapshotting.thawing;
	int64_t n = 0;

	g->hv_in_flight--;
	t->out = false;
	if (!t->wanted)
		return;
	int r = reply->error ? reply->error : agent_parse_count(reply->text, &n);
	/* Somebody else thawed it before the copy had begun, or it never was frozen. */
	if (r == 0 && n == 0)
		snapshotting_not_frozen(
			g, "its file systems were thawed before the copy had begun", now);
	if (r == 0) {
		thawed(g, now);
		return;
	}
	t->refusals += is_refusal(r);
	if (t->refusals >= REFUSALS_MAX) {
		refused(g, reply->message);
		return;
	}
	t->due = usec_add(now, MIN(THAW_EVERY * t->tries, THAW_EVERY_MAX));
	if (t->told || usec_sub(now, t->since) < TOLD_AFTER)
		return;
	t->told = true;
	event_note(g, EVENT_SNAPSHOT, NULL, LOG_ERR,
		"its file systems may be frozen, and its agent does not answer to thaw them: it is "
		"asked again until it does");
}

usec_t thawing_run(struct guest *g, usec_t now)
{
	struct thawing *t = &g->snapshotting.thawing;

	if (t->wanted && g->seen && !guest_state_has_qemu(g->state))
		thawing_forget(g);
	/* Before the first look nobody knows whether it runs. */
	if (!t->wanted || t->out || !g->seen)
		return USEC_INFINITY;
	if (now < t->due)
		return t->due;
	if (t->hold)
		snapshotting_not_frozen(
			g, "it had to be thawed before the copy had begun", now);
	t->hold = false;
	if (!g->facts.agent_connected) {
		t->due = usec_add(now,
			usec_sub(now, t->since) < TOLD_AFTER ? THAW_EVERY : THAW_EVERY_MAX);
		return t->due;
	}
	t->tries++;
	t->out = hvlink_agent(g, agent_thaw_text, thaw_done) == 0;
	if (t->out)
		return USEC_INFINITY;
	t->due = usec_add(now, THAW_EVERY);
	return t->due;
}
