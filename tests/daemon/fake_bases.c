/* SPDX-License-Identifier: Apache-2.0 */
/* Looks, answered by the timeline. */
#include "fake_bases.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct asked {
	struct fake_bases *bases;
	bool check;
	unsigned generation;
	base_done_t done;
	void *userdata;
};

static void answer(void *userdata, usec_t now)
{
	const struct asked *a = userdata;
	struct base_news news = { 0 };

	if (a->generation != a->bases->generation)
		return;
	if (a->check)
		news = a->bases->says;
	if (a->bases->glibc)
		(void)snprintf(news.glibc, sizeof(news.glibc), "%s", a->bases->glibc);
	if (a->bases->disk)
		(void)snprintf(news.disk, sizeof(news.disk), "%s", a->bases->disk);
	a->done(a->userdata, &news, now);
}

static int fake_look(
	struct bases *bases, const char *guest, bool check, base_done_t done, void *userdata)
{
	struct fake_bases *b = (struct fake_bases *)bases;
	struct asked *a = malloc(sizeof(*a));

	assert(a && guest[0]);
	if (b->refuses < 0) {
		free(a);
		return b->refuses;
	}
	*a = (struct asked){ b, check, b->generation, done, userdata };
	b->checks += check;
	(void)timeline_at_owned(b->timeline, b->timeline->now + (check ? b->takes : 0), answer, a);
	return 0;
}

struct fake_bases *fake_bases_new(struct timeline *timeline)
{
	static const struct bases_vtable vtable = { .look = fake_look };
	struct fake_bases *b = calloc(1, sizeof(*b));

	assert(b);
	b->bases.vtable = &vtable;
	b->timeline = timeline;
	return b;
}

void fake_bases_free(struct fake_bases *b)
{
	free(b);
}

void fake_bases_orphan(struct fake_bases *b)
{
	b->generation++;
}
