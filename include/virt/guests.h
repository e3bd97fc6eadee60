/* SPDX-License-Identifier: Apache-2.0 */
/* The table of guests: for each its queues and what its workers remember. On the main loop. */
#ifndef MEDIAKIT_VIRT_GUESTS_H
#define MEDIAKIT_VIRT_GUESTS_H

#include "io/worker.h"
#include "virt/calls.h"

enum queue {
	QUEUE_CALLS,
	QUEUE_AGENT, /* a silent agent takes 10 s to fail: an ACPI press must not wait behind it */
	QUEUE_DESTROY, /* must get through when the others are wedged */
	QUEUE_NUM,
};

struct guest {
	struct guest *next;
	char uuid[VIRT_UUID_LEN + 1];
	struct worker_queue *queues[QUEUE_NUM];
	struct memo *memo;
	bool forgotten; /* goes in a sweep that finds its console closed and its queues idle */
	bool closed;    /* since it was forgotten */
	bool typing;    /* a flush of the console is queued, */
	bool typed;     /* and more was typed since */
};

/* At most SPEC_GUESTS_MAX. */
struct guests {
	struct guest *first;
	size_t n;
	char *pid_dir; /* for memo_new; owned */
};

/* NULL when it is not there. */
struct guest *guests_find(const struct guests *guests, const char *uuid);

/* In front, so that a walk that is under way holds. `name` is for the threads' names and may be
 * NULL. 0, -ENOBUFS, -ENOMEM or other -errno. */
int guests_add(struct guests *guests, struct worker_pool *pool, struct mailbox *mailbox,
	const char *uuid, const char *name, struct guest **ret);

/* Nothing waits, runs or is wedged. */
bool guest_idle(const struct guest *guest);

/* Frees the forgotten and closed ones that have nothing under way. Not during a walk. */
void guests_sweep(struct guests *guests);

/* Frees everything; never blocks. */
void guests_clear(struct guests *guests);

#endif
