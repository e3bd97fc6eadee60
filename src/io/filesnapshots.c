/* SPDX-License-Identifier: Apache-2.0 */
/* Orders about copies, carried out one after another, in a worker. */
#include "io/filesnapshots.h"

#include "base/macro.h"
#include "io/snapshotfile.h"

#include <errno.h>
#include <string.h>

/* A guest has one under way, and one about a deletion. */
#define WAITING_MAX (3u * SPEC_GUESTS_MAX)

struct filesnapshots {
	struct snapshots snapshots;
	struct worker_queue *queue;
	char *state_dir;
};

/* Everything the worker needs, owned by nobody else. */
struct job {
	char *state_dir, *guest;
	struct snapshot_order order;
	struct snapshot_news news;
	snapshot_done_t done;
	void *userdata;
};

static void job_free(void *arg)
{
	struct job *job = arg;

	free(job->state_dir);
	free(job->guest);
	free(job);
}

static void job_run(void *arg)
{
	struct job *job = arg;

	snapshot_carry_out(job->state_dir, &job->order, &job->news);
}

static void job_done(void *arg, int error, usec_t now)
{
	const struct job *job = arg;

	/* After a time-out the worker may be writing into *job at this moment. */
	if (error == 0) {
		job->done(job->userdata, &job->news, now);
		return;
	}
	CLEANUP_FREE struct snapshot_news *none = calloc(1, sizeof(*none));
	static struct snapshot_news no_memory = { .error = -ENOMEM };

	if (none) {
		none->error = error;
		(void)reason_set(&none->reason, error, "%s",
			error == -ETIMEDOUT || error == -EBUSY ? "the disk does not answer"
							       : strerror(-error));
	}
	job->done(job->userdata, none ? none : &no_memory, now);
}

static int filesnapshots_order(struct snapshots *snapshots, const struct snapshot_order *order,
	snapshot_done_t done, void *userdata)
{
	struct filesnapshots *s = (struct filesnapshots *)snapshots;
	struct job *job = calloc(1, sizeof(*job));

	if (!job)
		return -ENOMEM;
	job->state_dir = strdup(s->state_dir);
	job->guest = strdup(order->guest);
	job->order = *order;
	job->order.guest = job->guest;
	job->done = done;
	job->userdata = userdata;
	const struct worker_job work = {
		.run = job_run,
		.done = job_done,
		.free = job_free,
		.arg = job,
		.timeout = order->kind == SNAPSHOT_FINISH ? FILESNAPSHOTS_FINISH_TIMEOUT
							  : FILESNAPSHOTS_TIMEOUT,
	};
	int r = job->state_dir && job->guest ? worker_submit(s->queue, &work) : -ENOMEM;
	if (r < 0)
		job_free(job);
	return r;
}

static void filesnapshots_destroy(struct snapshots *snapshots)
{
	struct filesnapshots *s = (struct filesnapshots *)snapshots;

	worker_queue_free(s->queue);
	free(s->state_dir);
	free(s);
}

int filesnapshots_new(struct worker_pool *pool, const char *state_dir, struct snapshots **ret)
{
	static const struct snapshots_vtable vtable = {
		.destroy = filesnapshots_destroy,
		.order = filesnapshots_order,
	};
	struct filesnapshots *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->snapshots.vtable = &vtable;
	s->state_dir = strdup(state_dir);
	int r = s->state_dir ? worker_queue_new(pool, "snapshots", WAITING_MAX, &s->queue)
			     : -ENOMEM;
	if (r < 0) {
		free(s->state_dir);
		free(s);
		return r;
	}
	*ret = &s->snapshots;
	return 0;
}
