/* SPDX-License-Identifier: Apache-2.0 */
/* Blocking calls kept off the main loop: queues of jobs, a thread for each, answers posted back.
 *
 * A queue runs one job at a time, in order. The waiting jobs belong to the main loop; a queue's
 * thread is handed one and posts its end through an eventfd, so at most one message per queue is
 * ever on its way. A job's deadline is a timer on the main loop and counts from the moment the job
 * is begun: those before it are bounded likewise. When it passes, the job is answered -ETIMEDOUT,
 * those waiting behind it -EBUSY, and the queue is wedged: it takes nothing more until the call
 * returns, which may be never. No thread is cancelled and none is joined. */
#ifndef MEDIAKIT_IO_WORKER_H
#define MEDIAKIT_IO_WORKER_H

#include "base/time.h"

#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-event.h>

/* Starting a guest in the embedded driver was seen to touch 136 KiB; what is not touched costs
 * nothing. */
#define WORKER_STACK_KIB 512u
/* An idle thread ends after that; the next job makes another. */
#define WORKER_LINGER    (30 * USEC_PER_SEC)

struct worker_pool;
struct worker_queue;

struct worker_job {
	/* In the queue's thread. */
	void (*run)(void *arg);
	/* On the main loop, from its dispatch, exactly once: 0 after run() returned; -ETIMEDOUT
	 * when its deadline passed, while run() may be at work: nothing that run() writes may then
	 * be read; -EBUSY when the job before it wedged the queue; -EAGAIN when no thread could be
	 * made. It may submit and free queues. */
	void (*done)(void *arg, int error, usec_t now);
	/* In the queue's thread, after a run() that returned too late, or when the queue was freed,
	 * even before run() began: give back what it got. May be NULL. */
	void (*undo)(void *arg);
	/* Last, exactly once, in the thread or on the main loop: only releases memory. */
	void (*free)(void *arg);
	void *arg;
	usec_t timeout; /* relative, above 0; USEC_INFINITY: none */
};

/* 0 or -errno. */
int worker_pool_new(sd_event *event, struct worker_pool **ret);

/* All queues must have been freed. NULL is fine. */
void worker_pool_free(struct worker_pool *pool);

/* Have a function called on the main loop, from its dispatch, whenever a wedged queue has become
 * usable again. */
void worker_pool_on_unwedged(struct worker_pool *pool, void (*unwedged)(void *userdata),
	void *userdata);

/* `name` is that of the thread, cut at 15 bytes; `waiting_max` bounds the jobs behind the one that
 * runs. */
int worker_queue_new(struct worker_pool *pool, const char *name, size_t waiting_max,
	struct worker_queue **ret);

/* Never blocks and calls no done(): waiting jobs are freed; the one the thread has is undone and
 * freed by it, whenever it returns, or instead of being run where it had not begun. Let the queue
 * run dry first where every request must be answered. NULL is fine. */
void worker_queue_free(struct worker_queue *queue);

/* 0: taken. -EBUSY: wedged; -ENOBUFS: waiting_max are waiting; -ENOMEM; -EAGAIN: no thread to be
 * had; then nothing of the job is called and `arg` stays the caller's. done() is never called
 * inside. */
int worker_submit(struct worker_queue *queue, const struct worker_job *job);

bool worker_queue_wedged(const struct worker_queue *queue);

/* Nothing running, nothing waiting. A wedged queue is not idle. */
bool worker_queue_idle(const struct worker_queue *queue);

/* How many of the pool's queues are wedged now. */
unsigned worker_pool_wedged(const struct worker_pool *pool);

#endif
