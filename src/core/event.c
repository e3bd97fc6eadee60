/* SPDX-License-Identifier: Apache-2.0 */
/* Events and decisions: from where they are made to the log, the ring, the store and the observer.
 *
 * Theory of operation: a hostile guest can make its services flap, its kernel "panic" and itself
 * reboot all day. Each kind of event of each guest therefore has a token bucket; what it refuses is
 * counted, the last of it kept, and told as one event once there is room, or after EVENT_HELD_MAX.
 * So the story always ends with what is true now, and an hour of it has a known largest size:
 * nothing is dropped without saying so. */
#include "core/event.h"

#include "base/log.h"
#include "core/supervisor.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

/* At once, and one more each. A boot of ten services is some thirty events; in the long run four a
 * minute of each kind tell enough. What only an operator or our own policy can cause has room for a
 * bad day. */
static const struct ratelimit_rule rules[] = {
	[EVENT_STATE] = { 40, 15 * USEC_PER_SEC },
	[EVENT_EXIT] = { 40, 15 * USEC_PER_SEC },
	[EVENT_RESTART] = { 40, 15 * USEC_PER_SEC },
	[EVENT_STOP] = { 60, 5 * USEC_PER_SEC },
	[EVENT_BOOT] = { 40, 15 * USEC_PER_SEC },
	[EVENT_HEALTH] = { 20, 15 * USEC_PER_SEC },
	[EVENT_SERVICE] = { 3 * SPEC_SERVICES_MAX, 15 * USEC_PER_SEC },
	[EVENT_REMEDY] = { 40, 15 * USEC_PER_SEC },
	[EVENT_BALLOON] = { 20, 30 * USEC_PER_SEC },
	[EVENT_SNAPSHOT] = { 30, 15 * USEC_PER_SEC },
	[EVENT_DISK] = { 20, 15 * USEC_PER_SEC },
	[EVENT_REQUEST] = { 60, 5 * USEC_PER_SEC },
	[EVENT_HYPERVISOR] = { 20, 15 * USEC_PER_SEC },
	[EVENT_DAEMON] = { 60, 5 * USEC_PER_SEC },
};
static_assert(ARRAY_SIZE(rules) == EVENT_KIND_NUM, "a kind without a limit");

static struct events *ring_of(struct supervisor *s, struct guest *g)
{
	return g ? &g->events : &s->events;
}

static void log_event(const struct guest *g, const struct event *e, const struct event_extra *extra,
	const char *text)
{
	char kind[48], seq[48], cause[64];
	const char *fields[LOG_FIELDS_MAX + 1] = { kind, seq };
	unsigned n = 2;

	static_assert(EVENT_FIELDS_MAX + 3 <= LOG_FIELDS_MAX, "more fields than the log takes");
	(void)snprintf(kind, sizeof(kind), "MEDIAKIT_EVENT=%s", event_kind_to_string(e->kind));
	(void)snprintf(seq, sizeof(seq), "MEDIAKIT_EVENT_SEQ=%llu", (unsigned long long)e->seq);
	if (e->cause[0]) {
		(void)snprintf(cause, sizeof(cause), "MEDIAKIT_CAUSE=%s", e->cause);
		fields[n++] = cause;
	}
	for (unsigned i = 0; extra && extra->fields && extra->fields[i] && n < LOG_FIELDS_MAX; i++)
		fields[n++] = extra->fields[i];
	log_struct(e->level, g ? g->spec->name : NULL, e->service[0] ? e->service : NULL,
		event_message_id(e->kind), fields, "%s", text);
}

static void keep(struct supervisor *s, struct guest *g, struct event *e)
{
	struct store *store = s->config.store;
	CLEANUP_FREE char *line = store ? event_to_line(e) : NULL;

	if (line)
		store->vtable->event(store, g ? g->spec->name : NULL, line, strlen(line));
	if (s->observer.event)
		s->observer.event(s->observer.userdata, s, g, e);
	events_add(ring_of(s, g), e);
}

static void tell(struct supervisor *s, struct guest *g, struct event *like,
	const struct event_extra *extra, const char *text)
{
	like->seq = ++s->last_seq;
	log_event(g, like, extra, text);
	/* Of a guest that was removed from the configuration the log alone tells. */
	if (ring_of(s, g)->closed)
		return;
	struct event *e = event_new(like, text);
	if (e)
		keep(s, g, e);
}

static void tell_held(struct supervisor *s, struct guest *g, struct event_flood *flood)
{
	struct event *last = TAKE_PTR(flood->last);
	unsigned held = flood->held;
	char text[EVENT_TEXT_MAX + 64];

	flood->held = 0;
	if (!last)
		return;
	if (held > 1)
		(void)snprintf(text, sizeof(text),
			"%u more of these, too many to tell; the last: %s", held, last->text);
	else
		(void)snprintf(text, sizeof(text), "%s", last->text);
	tell(s, g, last, NULL, text);
	free(last);
}

/* True: it is held back. */
static bool hold(struct supervisor *s, struct guest *g, const struct event *like, const char *text)
{
	struct event_flood *flood = &ring_of(s, g)->floods[like->kind];

	/* While some are held the next ones wait with them, so that order is kept and a flood costs
	 * one line a minute beside what the bucket gives. */
	if (flood->held == 0 && ratelimit_take(&flood->bucket, &rules[like->kind], like->boottime))
		return false;
	if (flood->held++ == 0)
		flood->held_since = like->boottime;
	free(flood->last);
	flood->last = event_new(like, text);
	return true;
}

PRINTF_LIKE(5, 0)
static void note(struct supervisor *s, struct guest *g, struct event *like,
	const struct event_extra *extra, const char *format, va_list ap)
{
	char text[LOG_LINE_MAX];

	(void)vsnprintf(text, sizeof(text), format, ap);
	like->realtime = now_realtime();
	like->boottime = now_boottime();
	if (!hold(s, g, like, text))
		tell(s, g, like, extra, text);
}

PRINTF_LIKE(6, 0)
static void note_guest(struct guest *g, enum event_kind kind, const struct service *s, int level,
	const struct event_extra *extra, const char *format, va_list ap)
{
	struct event like = { .kind = kind, .level = level };

	if (s)
		(void)snprintf(like.service, sizeof(like.service), "%s", s->spec->name);
	if (extra && extra->cause)
		(void)snprintf(like.cause, sizeof(like.cause), "%s", extra->cause);
	note(g->supervisor, g, &like, extra, format, ap);
}

void event_note(struct guest *g, enum event_kind kind, const struct service *s, int level,
	const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	note_guest(g, kind, s, level, NULL, format, ap);
	va_end(ap);
}

void event_note_full(struct guest *g, enum event_kind kind, const struct service *s, int level,
	const struct event_extra *extra, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	note_guest(g, kind, s, level, extra, format, ap);
	va_end(ap);
}

void event_note_daemon(
	struct supervisor *s, enum event_kind kind, int level, const char *format, ...)
{
	struct event like = { .kind = kind, .level = level };
	va_list ap;

	va_start(ap, format);
	note(s, NULL, &like, NULL, format, ap);
	va_end(ap);
}

void why_note(struct guest *g, enum why_topic topic, const char *rule, const char *action,
	const char *inputs, ...)
{
	char text[DECISION_INPUTS_MAX];
	va_list ap;

	va_start(ap, inputs);
	(void)vsnprintf(text, sizeof(text), inputs, ap);
	va_end(ap);
	if (decisions_add(&g->decisions, topic, rule, action, text, now_realtime()))
		log_full(LOG_DEBUG, g->spec->name, NULL, "%s: %s: %s (%s)",
			why_topic_to_string(topic), rule, action, text);
}

usec_t event_tick(struct supervisor *s, struct guest *g, usec_t now)
{
	usec_t next = USEC_INFINITY;

	for (unsigned k = 0; k < EVENT_KIND_NUM; k++) {
		struct event_flood *flood = &ring_of(s, g)->floods[k];
		usec_t due = usec_add(flood->held_since, EVENT_HELD_MAX);

		if (flood->held > 0 && now >= due)
			tell_held(s, g, flood);
		else if (flood->held > 0)
			next = MIN(next, due);
	}
	return next;
}

void event_flush(struct supervisor *s, struct guest *g)
{
	(void)event_tick(s, g, USEC_INFINITY);
}

void event_restore(struct supervisor *s, struct guest *g)
{
	struct store *store = s->config.store;
	CLEANUP_FREE char *text = NULL;
	size_t len;

	int r = store->vtable->load_events(store, g ? g->spec->name : NULL, &text, &len);
	if (r == -ENOENT)
		return;
	if (r < 0) {
		log_full(LOG_WARNING, g ? g->spec->name : NULL, NULL,
			"its events of before cannot be read: %s", strerror(-r));
		return;
	}
	s->last_seq = MAX(s->last_seq, events_load(ring_of(s, g), text, len));
}

/* The gap between the numbers of one daemon and the next: more than the lines that can be on their
 * way to the disk when one dies. */
#define SEQ_STEP 1000u

void event_begin(struct supervisor *s)
{
	if (s->last_seq > 0)
		s->last_seq += SEQ_STEP - s->last_seq % SEQ_STEP;
}

static unsigned pick(const struct events *e, const char *guest, uint64_t after,
	usec_t since_realtime, struct event_row *rows)
{
	unsigned n = 0;

	for (unsigned i = 0; i < e->n; i++) {
		const struct event *event = events_at(e, i);
		if (event->seq > after && event->realtime >= since_realtime)
			rows[n++] = (struct event_row){ event, guest };
	}
	return n;
}

static int by_seq(const void *a, const void *b)
{
	const struct event_row *x = a, *y = b;

	return (x->event->seq > y->event->seq) - (x->event->seq < y->event->seq);
}

int event_list(const struct supervisor *s, const struct guest *g, uint64_t after,
	usec_t since_realtime, unsigned max, struct event_row **ret)
{
	unsigned room = s->events.n, n;

	for (unsigned i = 0; i < s->n_guests; i++)
		room += !g || g == s->guests[i] ? s->guests[i]->events.n : 0;
	struct event_row *rows = calloc(room + 1, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	n = pick(&s->events, "", after, since_realtime, rows);
	for (unsigned i = 0; i < s->n_guests; i++)
		if (!g || g == s->guests[i])
			n += pick(&s->guests[i]->events, s->guests[i]->spec->name, after,
				since_realtime, rows + n);
	qsort(rows, n, sizeof(*rows), by_seq);
	if (n > max)
		memmove(rows, rows + (n - max), max * sizeof(*rows));
	*ret = rows;
	return (int)MIN(n, max);
}
