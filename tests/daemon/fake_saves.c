/* SPDX-License-Identifier: Apache-2.0 */
/* Tickets, answered by the timeline. */
#include "fake_saves.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ordered {
	struct fake_saves *saves;
	char guest[64];
	bool keep;
	struct save_made made;
	unsigned generation;
	save_done_t done;
	void *userdata;
};

static struct fake_ticket *ticket_of(struct fake_saves *s, const char *guest)
{
	for (unsigned i = 0; i < FAKE_TICKETS; i++) {
		struct fake_ticket *t = &s->tickets[i];

		if (!t->guest[0])
			(void)snprintf(t->guest, sizeof(t->guest), "%s", guest);
		if (strcmp(t->guest, guest) == 0)
			return t;
	}
	assert(!"no ticket for so many guests");
	return NULL;
}

static struct stat look(const struct fake_saves *s, const char *guest)
{
	struct stat st = { 0 };
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/images/%s/disk.qcow2", s->state_dir, guest);
	(void)stat(path, &st);
	return st;
}

static void keep(struct fake_saves *s, const struct ordered *o, struct save_news *news)
{
	struct fake_ticket *t = ticket_of(s, o->guest);

	news->error = s->keep_error;
	if (news->error < 0) {
		(void)reason_set(&news->reason, news->error, "the directory is full");
		return;
	}
	t->there = true;
	t->made = o->made;
	t->disk = look(s, o->guest);
	s->kept++;
}

static void take(struct fake_saves *s, const struct ordered *o, struct save_news *news)
{
	struct fake_ticket *t = ticket_of(s, o->guest);
	struct stat now = look(s, o->guest);
	bool same = now.st_ino == t->disk.st_ino && now.st_size == t->disk.st_size &&
		    now.st_mtim.tv_sec == t->disk.st_mtim.tv_sec &&
		    now.st_mtim.tv_nsec == t->disk.st_mtim.tv_nsec;

	news->error = !t->there ? -ENOENT : s->unreadable ? s->unreadable : same ? 0 : -ESTALE;
	news->made = t->made;
	if (news->error != 0)
		(void)reason_set(&news->reason, news->error, "%s",
			news->error == -ESTALE ? "its disk was written to since"
					       : "what is recorded of it cannot be read");
	s->taken += t->there;
	t->there = false;
}

static void answer(void *userdata, usec_t now)
{
	const struct ordered *o = userdata;
	struct save_news news = { 0 };

	if (o->keep)
		keep(o->saves, o, &news);
	else
		take(o->saves, o, &news);
	if (o->generation == o->saves->generation)
		o->done(o->userdata, &news, now);
}

static int order(struct saves *saves, const char *guest, const struct save_made *made,
	save_done_t done, void *userdata)
{
	struct fake_saves *s = (struct fake_saves *)saves;
	struct ordered *o = calloc(1, sizeof(*o));

	assert(o);
	*o = (struct ordered){ .saves = s,
		.keep = made != NULL,
		.generation = s->generation,
		.done = done,
		.userdata = userdata };
	(void)snprintf(o->guest, sizeof(o->guest), "%s", guest);
	if (made)
		o->made = *made;
	(void)timeline_at_owned(s->timeline, s->timeline->now + s->takes, answer, o);
	return 0;
}

static int fake_take(struct saves *s, const char *guest, save_done_t done, void *userdata)
{
	return order(s, guest, NULL, done, userdata);
}

struct fake_saves *fake_saves_new(struct timeline *timeline, const char *state_dir)
{
	static const struct saves_vtable vtable = { .keep = order, .take = fake_take };
	struct fake_saves *s = calloc(1, sizeof(*s));

	assert(s);
	s->saves.vtable = &vtable;
	s->timeline = timeline;
	s->state_dir = state_dir;
	return s;
}

void fake_saves_free(struct fake_saves *s)
{
	free(s);
}

void fake_saves_orphan(struct fake_saves *s)
{
	s->generation++;
}
