/* SPDX-License-Identifier: Apache-2.0 */
/* The last events of one guest, or of the daemon, and what keeps a flood of them out. Knows neither
 * guests nor the log. */
#ifndef MEDIAKIT_CORE_EVENTRING_H
#define MEDIAKIT_CORE_EVENTRING_H

#include "model/event.h"
#include "policy/ratelimit.h"

#include <stdbool.h>
#include <stddef.h>

#define EVENTS_MAX 256u /* kept; one more and the oldest goes */

/* One kind of events, some of which were too many. */
struct event_flood {
	struct ratelimit bucket;
	unsigned held;      /* kept back since the last that was told */
	usec_t held_since;  /* BOOTTIME of the first of them */
	struct event *last; /* the last of them; NULL with no memory */
};

struct events {
	struct event **ring; /* allocated at the first event */
	unsigned start, n;
	struct event_flood floods[EVENT_KIND_NUM];
	bool closed; /* the guest is gone: nothing is kept any more */
};

void events_free(struct events *e);
/* Takes the event over; with no memory it is lost. */
void events_add(struct events *e, struct event *event);
/* The i-th of e->n, oldest first. */
const struct event *events_at(const struct events *e, unsigned i);
/* Fills an empty ring from lines of JSON, the last EVENTS_MAX of them. What is no line of ours, and
 * what does not count upwards, is skipped: a torn line, one cut by rotation, one of a newer daemon.
 * Returns the highest number, 0 without any. */
uint64_t events_load(struct events *e, const char *text, size_t len);

#endif
