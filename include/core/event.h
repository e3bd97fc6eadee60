/* SPDX-License-Identifier: Apache-2.0 */
/* What happened to a guest, and why it was done: two bounded rings that outlive the moment, behind
 * `events` and `why`. An event is a change: one line in the log, one in the ring, one on disk, one
 * signal to whoever follows. A decision is a rule that was applied to inputs, also when it came out
 * as "do nothing". */
#ifndef MEDIAKIT_CORE_EVENT_H
#define MEDIAKIT_CORE_EVENT_H

#include "base/macro.h"
#include "core/decision.h"
#include "core/eventring.h"
#include "model/event.h"

struct guest;
struct service;
struct supervisor;

/* Of each kind a guest may cause only so many; those beyond are held back, also from the log, and
 * told as one at the latest after this long: "37 more ..., the last: ...". */
#define EVENT_HELD_MAX (60 * USEC_PER_SEC)

/* Records what happened, and logs it at `level` with the guest's and the service's name. `s` may be
 * NULL. The text is cut at EVENT_TEXT_MAX, and what the guest said in it must be escaped already.
 */
void event_note(struct guest *g, enum event_kind kind, const struct service *s, int level,
	const char *format, ...) PRINTF_LIKE(5, 6);

/* The same with more to say. `cause` (NULL: none) is kept with the event and becomes
 * MEDIAKIT_CAUSE=; `fields` are further journal fields as log_struct() takes them, at most
 * EVENT_FIELDS_MAX, or NULL. */
struct event_extra {
	const char *cause;
	const char *const *fields;
};
#define EVENT_FIELDS_MAX 5u
void event_note_full(struct guest *g, enum event_kind kind, const struct service *s, int level,
	const struct event_extra *extra, const char *format, ...) PRINTF_LIKE(6, 7);

/* Of no guest in particular. */
void event_note_daemon(struct supervisor *s, enum event_kind kind, int level, const char *format,
	...) PRINTF_LIKE(4, 5);

/* Records a decision: `rule` names it in words of the manual ("back-off", "quorum down"), `action`
 * is what was done ("start again in 4 s", "hold"), the format gives the inputs
 * ("faults=2/3 window=30min cause=qemu-crashed"). A decision equal to the topic's last one in rule
 * and action only renews its time, its inputs and its count. */
void why_note(struct guest *g, enum why_topic topic, const char *rule, const char *action,
	const char *inputs, ...) PRINTF_LIKE(5, 6);

/* Tells what was held back for too long; returns when to look again. `g` NULL: the daemon's own. */
usec_t event_tick(struct supervisor *s, struct guest *g, usec_t now);
/* Tells all that is held back, now. */
void event_flush(struct supervisor *s, struct guest *g);

/* Fills the ring from the store. `g` NULL: the daemon's own. */
void event_restore(struct supervisor *s, struct guest *g);
/* After all were restored: numbers go on from here. */
void event_begin(struct supervisor *s);

/* The events that are kept with a number over `after`, not before `since_realtime`; of these the
 * last `max`, oldest first. `g` NULL: of all guests and the daemon; otherwise the guest's and the
 * daemon's own. The array is the caller's to free, what it points to is not. Returns how many, or
 * -ENOMEM. */
struct event_row {
	const struct event *event;
	const char *guest; /* "" the daemon */
};
int event_list(const struct supervisor *s, const struct guest *g, uint64_t after,
	usec_t since_realtime, unsigned max, struct event_row **ret);

#endif
