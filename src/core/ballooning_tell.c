/* SPDX-License-Identifier: Apache-2.0 */
/* What the memory pool does, in words: events, decisions for `why`, answers to operators. */
#include "base/log.h"
#include "base/macro.h"
#include "base/parse.h"
#include "core/ballooning.h"
#include "core/supervisor.h"

#include <errno.h>
#include <string.h>

#define NEAR_KIB (UINT64_C(16) * 1024)

void ballooning_tell_order(struct guest *g, const struct balloon_decision *d)
{
	char from[SIZE_TEXT_MAX], to[SIZE_TEXT_MAX], floor[SIZE_TEXT_MAX];
	const char *reason = balloon_reason_to_string(d->reason);
	const struct event_extra extra = { .cause = reason };

	/* -> the same: what it had been asked for is taken back. */
	event_note_full(g, EVENT_BALLOON, NULL, LOG_INFO, &extra,
		"memory %s -> %s (%s%s), floor %s",
		format_size_kib(from, sizeof(from), d->from_kib),
		format_size_kib(to, sizeof(to), d->target_kib), reason,
		d->target_kib == d->from_kib ? ", order taken back"
		: d->rolled_back             ? ", loans returned"
					     : "",
		format_size_kib(floor, sizeof(floor), d->floor_kib));
}

/* A statistic in MiB, "?" where it is absent. */
static const char *mib(char *buf, size_t size, uint64_t kib)
{
	if (kib > BALLOON_KIB_MAX)
		(void)snprintf(buf, size, "?");
	else
		(void)snprintf(buf, size, "%lluM", (unsigned long long)kib / 1024);
	return buf;
}

static unsigned long long rise(uint64_t before, uint64_t after)
{
	return before == BALLOON_ABSENT || after == BALLOON_ABSENT || after < before
		       ? 0
		       : after - before;
}

static void note_why(struct guest *g, const struct pool *pool)
{
	const struct ballooning *b = &g->ballooning;
	const struct balloon_decision *d = &b->last;
	const struct balloon_guest *in = &b->in;
	const struct balloon_memory *was = &b->before;
	char t[9][16], action[64], size[SIZE_TEXT_MAX];

	/* Nothing was decided: an order or the next statistics are on their way. */
	if (d->reason == BALLOON_WAITING || in->phase == BALLOON_AWAY)
		return;
	(void)snprintf(action, sizeof(action), "%s%s%s", balloon_action_to_string(d->action),
		d->action == BALLOON_HOLD ? "" : " to ",
		d->action == BALLOON_HOLD ? ""
					  : format_size_kib(size, sizeof(size), d->target_kib));
	why_note(g, WHY_MEMORY, balloon_reason_to_string(d->reason), action,
		"host=%s/%s%s need=%s actual=%s floor=%s usable=%s caches=%s slack=%s "
		"swap-in=%llu faults=%llu latency=%llums rss=%s trial=%s",
		mib(t[0], 16, pool->in.available_kib), mib(t[1], 16, pool->in.total_kib),
		pool->outcome.critical  ? " critical"
		: pool->outcome.tight   ? " tight"
		: pool->outcome.pressed ? " pressed"
					: "",
		mib(t[2], 16, pool->outcome.need_kib), mib(t[3], 16, d->from_kib),
		mib(t[4], 16, d->floor_kib), mib(t[5], 16, in->usable_kib),
		mib(t[6], 16, in->caches_kib), mib(t[7], 16, d->slack_kib),
		was->counted ? rise(was->swap_in_kib, in->swap_in_kib) : 0,
		was->counted ? rise(was->major_faults, in->major_faults) : 0,
		(unsigned long long)in->latency / USEC_PER_MSEC, mib(t[8], 16, in->rss_kib),
		d->on_trial ? "yes" : "no");
}

static const char *blind_words(enum balloon_reason reason)
{
	switch (reason) {
	case BALLOON_NO_STATISTICS:
		return "it gives no statistics of its memory: is virtio_balloon loaded in it?";
	case BALLOON_STALE:
		return "its statistics of memory stand still: was virtio_balloon unloaded in it?";
	case BALLOON_ABSURD:
		return "its statistics of memory contradict each other";
	default:
		return NULL;
	}
}

/* Told once it lasts: between two statistics of a boot or an adoption it is always so. */
static void tell_blind(struct guest *g, usec_t now)
{
	struct ballooning *b = &g->ballooning;
	bool up = b->in.phase == BALLOON_UP || b->in.phase == BALLOON_UNWELL;
	const char *words = up && !b->last.sighted ? blind_words(b->last.reason) : NULL;

	if (!words && b->last.sighted) {
		if (b->blind_told)
			event_note(g, EVENT_BALLOON, NULL, LOG_NOTICE,
				"its statistics of memory are believed again");
		b->blind_told = false;
		b->blind_since = 0;
	}
	if (!words)
		return;
	if (b->blind_since == 0)
		b->blind_since = MAX(now, 1u);
	if (b->blind_told || usec_sub(now, b->blind_since) < BALLOONING_BLIND)
		return;
	b->blind_told = true;
	event_note(g, EVENT_BALLOON, NULL, LOG_WARNING, "%s It is set aside, gives nothing", words);
}

static void tell_aside(struct guest *g, usec_t now)
{
	struct ballooning *b = &g->ballooning;
	bool aside = b->last.aside_until > now;
	char span[TIMESPAN_TEXT_MAX];

	if (aside == b->aside_told)
		return;
	b->aside_told = aside;
	g->dirty = true;
	if (aside)
		event_note(g, EVENT_BALLOON, NULL, LOG_WARNING,
			"its balloon does not follow; set aside for %s",
			format_timespan(span, sizeof(span), b->last.aside_until - now));
	else
		event_note(g, EVENT_BALLOON, NULL, LOG_NOTICE,
			"no longer set aside; it is tried anew");
}

static void answer(struct guest *g, int error, const char *format, const char *tail)
{
	char text[320], size[SIZE_TEXT_MAX];

	format_size_kib(size, sizeof(size), g->ballooning.stats.balloon_kib);
	(void)snprintf(text, sizeof(text), "%s %s%s", format, size, tail);
	g->ballooning.held_since = 0;
	operations_answer(&g->operations, 1u << OPERATION_BALLOON, error, text);
}

/* Whoever asked for a size waits until statistics show it, or show that it is out of reach. */
static void answer_waiting(struct guest *g, usec_t now)
{
	struct ballooning *b = &g->ballooning;
	uint64_t actual = b->stats.balloon_kib, goal = b->override_kib;

	if (!operations_wait(&g->operations, 1u << OPERATION_BALLOON) || b->stats_at == 0)
		return;
	if (goal == 0) {
		if (b->release_kib == 0)
			answer(g, 0, "automatic; the guest has", " now");
		return;
	}
	goal = MAX(MIN(goal, ballooning_limit(g)), MIN(b->last.floor_kib, ballooning_limit(g)));
	if (actual <= goal + NEAR_KIB && goal <= actual + NEAR_KIB) {
		/* Memory= was raised since it was started. */
		bool beyond = b->override_kib > goal + NEAR_KIB;

		answer(g, beyond ? -EAGAIN : 0, "the guest has",
			beyond ? ", the most it was started with; the size asked for stands, and "
				 "takes a restart of the guest"
			       : " now");
		return;
	}
	const char *blind = blind_words(b->last.reason);
	bool held = b->last.action == BALLOON_HOLD && b->last.reason != BALLOON_OVERRIDE &&
		    b->last.reason != BALLOON_WAITING;
	if (!held || b->in_flight) {
		b->held_since = b->last.reason == BALLOON_WAITING ? b->held_since : 0;
		return;
	}
	if (b->held_since == 0)
		b->held_since = MAX(now, 1u);
	if (usec_sub(now, b->held_since) < BALLOONING_HELD)
		return;
	char tail[224];
	(void)snprintf(tail, sizeof(tail),
		" and is held there (%s%s%s); the size asked for stands, and is followed as "
		"soon as may be",
		balloon_reason_to_string(b->last.reason), blind ? ": " : "", blind ? blind : "");
	answer(g, -EAGAIN, "the guest has", tail);
}

static void tell_pressed(struct supervisor *s)
{
	struct pool *pool = &s->pool;
	char a[SIZE_TEXT_MAX], t[SIZE_TEXT_MAX], line[SIZE_TEXT_MAX];

	if (pool->outcome.pressed == pool->pressed_told)
		return;
	pool->pressed_told = pool->outcome.pressed;
	s->dirty = true;
	event_note_daemon(s, EVENT_BALLOON, LOG_NOTICE,
		pool->pressed_told ? "the host needs memory: %s of %s available, %s wanted"
				   : "the host is at ease again: %s of %s available, %s wanted",
		format_size_kib(a, sizeof(a), pool->in.available_kib),
		format_size_kib(t, sizeof(t), pool->in.total_kib),
		format_size_kib(line, sizeof(line),
			pool->pressed_told ? pool->outcome.enter_kib : pool->outcome.leave_kib));
}

static void tell_pool(struct supervisor *s)
{
	struct pool *pool = &s->pool;
	char t[SIZE_TEXT_MAX], line[SIZE_TEXT_MAX];

	tell_pressed(s);
	if (pool->outcome.degraded != pool->degraded_told) {
		pool->degraded_told = pool->outcome.degraded;
		s->dirty = true;
		event_note_daemon(s, EVENT_BALLOON, pool->degraded_told ? LOG_WARNING : LOG_NOTICE,
			pool->degraded_told
				? "the pool is too small: MemoryMin= of the guests that run and "
				  "the "
				  "%s to be left free are more than the %s there are; lower them, "
				  "or stop a guest"
				: "the pool holds the guests' MemoryMin= again (%s free of %s)",
			format_size_kib(line, sizeof(line), pool->outcome.enter_kib),
			format_size_kib(t, sizeof(t), pool->in.total_kib));
	}
	if (pool->outcome.blind != pool->blind_told) {
		pool->blind_told = pool->outcome.blind;
		s->dirty = true;
		event_note_daemon(s, EVENT_BALLOON, pool->blind_told ? LOG_WARNING : LOG_NOTICE,
			"%s",
			pool->blind_told
				? "the host's memory cannot be read; no guest is asked for any"
				: "the host's memory can be read again");
	}
}

void ballooning_tell(struct supervisor *s, usec_t now)
{
	tell_pool(s);
	for (unsigned i = 0; i < s->n_guests; i++) {
		struct guest *g = s->guests[i];

		note_why(g, &s->pool);
		tell_blind(g, now);
		tell_aside(g, now);
		answer_waiting(g, now);
	}
}
