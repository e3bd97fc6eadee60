/* SPDX-License-Identifier: Apache-2.0 */
/* Tickets written and taken, one after another, in a worker. */
#include "io/filesaves.h"

#include "base/macro.h"
#include "model/spec.h"

#include <errno.h>
#include <string.h>

#define WAITING_MAX (2u * SPEC_GUESTS_MAX)

struct filesaves {
	struct saves saves;
	struct worker_queue *queue;
	char *state_dir;
};

/* Everything the worker needs, owned by nobody else. */
struct order {
	char *state_dir, *guest;
	bool keep;
	struct save_made made;
	struct save_news news;
	save_done_t done;
	void *userdata;
};

static void order_free(void *arg)
{
	struct order *order = arg;

	free(order->state_dir);
	free(order->guest);
	free(order);
}

static void order_run(void *arg)
{
	struct order *order = arg;

	if (order->keep)
		ticket_keep(order->state_dir, order->guest, &order->made, &order->news);
	else
		ticket_take(order->state_dir, order->guest, &order->news);
}

/* It was said that no ticket is kept, or nobody is there to be told of it. Whoever was told so may
 * have given up the guest's lock, and the files that the ticket was written for be others by
 * now. */
static void order_undo(void *arg)
{
	struct order *order = arg;

	if (order->keep)
		ticket_drop(order->state_dir, order->guest);
}

static void order_done(void *arg, int error, usec_t now)
{
	const struct order *order = arg;
	struct save_news none = { .error = error };

	/* After a time-out the worker may be writing into *order at this moment. */
	if (error == 0) {
		order->done(order->userdata, &order->news, now);
		return;
	}
	(void)reason_set(&none.reason, error, "%s",
		error == -ETIMEDOUT || error == -EBUSY ? "the disk does not answer"
						       : strerror(-error));
	order->done(order->userdata, &none, now);
}

static int submit(struct saves *saves, const char *guest, const struct save_made *made,
	save_done_t done, void *userdata)
{
	struct filesaves *s = (struct filesaves *)saves;
	struct order *order = calloc(1, sizeof(*order));

	if (!order)
		return -ENOMEM;
	*order = (struct order){
		.state_dir = strdup(s->state_dir),
		.guest = strdup(guest),
		.keep = made != NULL,
		.done = done,
		.userdata = userdata,
	};
	if (made)
		order->made = *made;
	const struct worker_job job = {
		.run = order_run,
		.done = order_done,
		.undo = order_undo,
		.free = order_free,
		.arg = order,
		.timeout = FILESAVES_TIMEOUT,
	};
	int r = order->state_dir && order->guest ? worker_submit(s->queue, &job) : -ENOMEM;
	if (r < 0)
		order_free(order);
	return r;
}

static int filesaves_take(struct saves *s, const char *guest, save_done_t done, void *userdata)
{
	return submit(s, guest, NULL, done, userdata);
}

static void filesaves_destroy(struct saves *saves)
{
	struct filesaves *s = (struct filesaves *)saves;

	worker_queue_free(s->queue);
	free(s->state_dir);
	free(s);
}

int filesaves_new(struct worker_pool *pool, const char *state_dir, struct saves **ret)
{
	static const struct saves_vtable vtable = {
		.destroy = filesaves_destroy,
		.keep = submit,
		.take = filesaves_take,
	};
	struct filesaves *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->saves.vtable = &vtable;
	s->state_dir = strdup(state_dir);
	int r = s->state_dir ? worker_queue_new(pool, "saves", WAITING_MAX, &s->queue) : -ENOMEM;
	if (r < 0) {
		free(s->state_dir);
		free(s);
		return r;
	}
	*ret = &s->saves;
	return 0;
}
