/* SPDX-License-Identifier: Apache-2.0 */
/* Looks at bases, one after another, in a worker. */
#include "io/filebases.h"

#include "base/macro.h"
#include "io/basecheck.h"
#include "model/spec.h"

#include <errno.h>
#include <string.h>

/* For each guest one that goes with its start, and one that goes with a reload. */
#define WAITING_MAX (2u * SPEC_GUESTS_MAX)

struct filebases {
	struct bases bases;
	struct worker_queue *queue;
	char *state_dir;
};

static_assert(BASES_DISK_TEXT == RECORD_DISK_TEXT, "a disk is cut");

/* Everything the worker needs, owned by nobody else. */
struct look {
	char *state_dir, *guest;
	bool check;
	struct base_news news;
	base_done_t done;
	void *userdata;
};

static void look_free(void *arg)
{
	struct look *look = arg;

	free(look->state_dir);
	free(look->guest);
	free(look);
}

static void look_run(void *arg)
{
	struct look *look = arg;
	struct base_news *news = &look->news;
	CLEANUP_FREE struct record *record = calloc(1, sizeof(*record));
	CLEANUP_FREE char *path = layout_path(look->state_dir, look->guest, LAYOUT_RECORD);
	CLEANUP_FREE char *disk = layout_disk(look->state_dir, look->guest);
	int r = record && path && disk ? 0 : -ENOMEM;

	if (r == 0 && look->check)
		r = basecheck_guest(look->state_dir, look->guest, NULL, record, &news->reason);
	else if (r == 0)
		(void)record_read(path, record); /* none: nothing is known */
	if (r < 0 && !news->reason.text[0])
		(void)reason_set(&news->reason, r, "its base cannot be checked: %s", strerror(-r));
	if (record)
		memcpy(news->glibc, record->glibc, sizeof(news->glibc));
	if (record && disk)
		record_disk(record, disk, news->disk);
	news->error = MIN(r, 0);
	news->hashed = r > 0;
}

static void look_done(void *arg, int error, usec_t now)
{
	const struct look *look = arg;
	struct base_news none = { .error = error };

	/* After a time-out the worker may be writing into *look at this moment. */
	if (error == 0) {
		look->done(look->userdata, &look->news, now);
		return;
	}
	(void)reason_set(&none.reason, error, "its base cannot be checked: %s",
		error == -ETIMEDOUT || error == -EBUSY ? "the disk does not answer"
						       : strerror(-error));
	look->done(look->userdata, &none, now);
}

static int filebases_look(
	struct bases *bases, const char *guest, bool check, base_done_t done, void *userdata)
{
	struct filebases *b = (struct filebases *)bases;
	struct look *look = calloc(1, sizeof(*look));

	if (!look)
		return -ENOMEM;
	*look = (struct look){
		.state_dir = strdup(b->state_dir),
		.guest = strdup(guest),
		.check = check,
		.done = done,
		.userdata = userdata,
	};
	const struct worker_job job = {
		.run = look_run,
		.done = look_done,
		.free = look_free,
		.arg = look,
		.timeout = FILEBASES_TIMEOUT,
	};
	int r = look->state_dir && look->guest ? worker_submit(b->queue, &job) : -ENOMEM;
	if (r < 0)
		look_free(look);
	return r;
}

static void filebases_destroy(struct bases *bases)
{
	struct filebases *b = (struct filebases *)bases;

	worker_queue_free(b->queue);
	free(b->state_dir);
	free(b);
}

int filebases_new(struct worker_pool *pool, const char *state_dir, struct bases **ret)
{
	static const struct bases_vtable vtable = {
		.destroy = filebases_destroy,
		.look = filebases_look,
	};
	struct filebases *b = calloc(1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	b->bases.vtable = &vtable;
	b->state_dir = strdup(state_dir);
	int r = b->state_dir ? worker_queue_new(pool, "bases", WAITING_MAX, &b->queue) : -ENOMEM;
	if (r < 0) {
		free(b->state_dir);
		free(b);
		return r;
	}
	*ret = &b->bases;
	return 0;
}
