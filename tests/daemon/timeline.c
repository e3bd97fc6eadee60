/* SPDX-License-Identifier: Apache-2.0 */
/* A list sorted by time. New happenings mostly belong to its end, so they are placed from there. */
#include "timeline.h"

#include <assert.h>
#include <stdlib.h>

struct happening {
	struct happening *next, *prev;
	usec_t at;
	happening_t fn;
	void *userdata;
	void *owned;
};

struct happening *timeline_at(struct timeline *t, usec_t at, happening_t fn, void *userdata)
{
	struct happening *h = malloc(sizeof(*h)), *before = t->last;

	assert(h);
	while (before && before->at > at)
		before = before->prev;
	*h = (struct happening) {
		.next = before ? before->next : t->first,
		.prev = before,
		.at = at,
		.fn = fn,
		.userdata = userdata,
	};
	*(h->next ? &h->next->prev : &t->last) = h;
	*(before ? &before->next : &t->first) = h;
	return h;
}

struct happening *timeline_at_owned(struct timeline *t, usec_t at, happening_t fn, void *userdata)
{
	struct happening *h = timeline_at(t, at, fn, userdata);

	h->owned = userdata;
	return h;
}

static void take_out(struct timeline *t, struct happening *h)
{
	*(h->next ? &h->next->prev : &t->last) = h->prev;
	*(h->prev ? &h->prev->next : &t->first) = h->next;
}

void timeline_cancel(struct timeline *t, struct happening *h)
{
	if (!h)
		return;
	take_out(t, h);
	free(h->owned);
	free(h);
}

usec_t timeline_next(const struct timeline *t)
{
	return t->first ? t->first->at : USEC_INFINITY;
}

void timeline_run(struct timeline *t, usec_t now)
{
	t->now = now;
	while (t->first && t->first->at <= now) {
		struct happening *h = t->first;

		take_out(t, h);
		h->fn(h->userdata, now);
		free(h->owned);
		free(h);
	}
}

void timeline_shift(struct timeline *t, usec_t by)
{
	for (struct happening *h = t->first; h; h = h->next)
		h->at += by;
}

void timeline_clear(struct timeline *t)
{
	while (t->first)
		timeline_cancel(t, t->first);
}
