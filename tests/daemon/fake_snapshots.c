/* SPDX-License-Identifier: Apache-2.0 */
/* Orders about copies, answered by the timeline. */
#include "fake_snapshots.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ordered {
	struct fake_snapshots *s;
	struct snapshot_order order;
	unsigned generation;
	snapshot_done_t done;
	void *userdata;
};

static int drop(struct fake_snapshots *s, usec_t id)
{
	for (unsigned i = 0; i < s->n; i++)
		if (s->list[i].id == id) {
			memmove(&s->list[i], &s->list[i + 1],
				sizeof(s->list[0]) * (s->n - i - 1));
			s->n--;
			return 0;
		}
	return -ENOENT;
}

static void carry_out(struct fake_snapshots *s, const struct snapshot_order *o,
	struct snapshot_news *news)
{
	s->orders[o->kind]++;
	news->error = s->errors[o->kind];
	if (news->error == 0 && o->kind == SNAPSHOT_DELETE)
		news->error = drop(s, o->made.id);
	if (o->kind == SNAPSHOT_DISCARD || o->kind == SNAPSHOT_FINISH)
		s->part = false;
	if (news->error < 0) {
		(void)reason_set(&news->reason, news->error, "the copy is not right");
		return;
	}
	if (o->kind == SNAPSHOT_PREPARE) {
		s->part = true;
		s->next_id += USEC_PER_SEC;
		news->id = s->next_id;
		return;
	}
	if (o->kind == SNAPSHOT_FINISH) {
		s->list[s->n] = o->made;
		s->list[s->n++].bytes = 1 << 30;
		while (s->n > o->keep) {
			(void)drop(s, s->list[0].id);
			news->pruned++;
		}
	}
	news->leftover = s->part;
	news->n = s->n;
	memcpy(news->list, s->list, sizeof(news->list));
}

static void answer(void *userdata, usec_t now)
{
	const struct ordered *o = userdata;
	struct snapshot_news *news = calloc(1, sizeof(*news));

	assert(news);
	carry_out(o->s, &o->order, news);
	if (o->generation == o->s->generation)
		o->done(o->userdata, news, now);
	free(news);
}

static int order(struct snapshots *snapshots, const struct snapshot_order *order_,
	snapshot_done_t done, void *userdata)
{
	struct fake_snapshots *s = (struct fake_snapshots *)snapshots;
	struct ordered *o = calloc(1, sizeof(*o));
	usec_t at = s->timeline->now > s->busy_until ? s->timeline->now : s->busy_until;

	assert(o);
	*o = (struct ordered){ .s = s,
		.order = *order_,
		.generation = s->generation,
		.done = done,
		.userdata = userdata };
	o->order.guest = NULL;
	s->busy_until = at + s->takes;
	(void)timeline_at_owned(s->timeline, s->busy_until, answer, o);
	return 0;
}

struct fake_snapshots *fake_snapshots_new(struct timeline *timeline)
{
	static const struct snapshots_vtable vtable = { .order = order };
	struct fake_snapshots *s = calloc(1, sizeof(*s));

	assert(s);
	s->snapshots.vtable = &vtable;
	s->timeline = timeline;
	s->next_id = USEC_PER_DAY;
	return s;
}

void fake_snapshots_free(struct fake_snapshots *s)
{
	free(s);
}

void fake_snapshots_orphan(struct fake_snapshots *s)
{
	s->generation++;
}
