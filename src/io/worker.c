/* SPDX-License-Identifier: Apache-2.0 */
/* Worker queues: what the main loop and a thread share is one slot per queue, under the pool's
 * lock.
 *
 * Theory of operation. A call into libvirt can hang for ever and cannot be cancelled: it may hold
 * locks. So a thread must be abandonable at any moment, and everything it may still touch has to
 * outlive its owner. Hence three counts: the pool (queues and their threads hold it), the queue
 * (owner, thread, and the list of news), and the work in the slot (main loop and thread). The last
 * one out frees.
 *
 * The slot goes IDLE → BUSY (main hands over) → DONE (thread) → IDLE (main took the result), or
 * BUSY → ABANDONED (main, at the deadline) → IDLE (thread returned after all). Only the slot, the
 * counts and the news list are shared; the line of waiting jobs, the timer and the wedged flag are
 * the main loop's own and need no lock.
 *
 * Rejected: a list that the thread itself takes jobs from. A wedge would have to take jobs back
 * from a thread that might just be waking up. */
#include "io/worker.h"

#include "base/macro.h"
#include "io/worker_thread.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

enum slot {
	SLOT_IDLE,
	SLOT_BUSY,      /* the thread has it */
	SLOT_DONE,      /* run() returned; in the news list */
	SLOT_ABANDONED, /* answered already; the thread still has it */
};

struct work {
	struct worker_job job;
	struct work *next; /* main loop: behind it in the line */
	unsigned refs;     /* lock */
};

struct worker_pool {
	/* main loop */
	sd_event *event;
	sd_event_source *source;
	unsigned wedged;
	void (*unwedged)(void *userdata);
	void *userdata;

	int fd; /* closed with the last reference */
	pthread_mutex_t lock;
	/* lock */
	unsigned refs;
	struct worker_queue *news; /* want a look by the main loop; each holds a reference */
};

struct worker_queue {
	struct worker_pool *pool;
	char name[16];

	/* main loop */
	struct work *first, *last;
	size_t waiting, waiting_max;
	bool wedged, busy;
	sd_event_source *deadline;

	/* lock */
	pthread_cond_t wake;
	enum slot slot;
	struct work *work; /* in the slot, or NULL */
	struct worker_queue *next_news;
	unsigned refs;
	bool thread;  /* there is one that will look at the slot */
	bool closed;  /* freed by its owner */
	bool in_news;
};

/* Called locked; returns with the lock given up. */
static void pool_unlock_unref(struct worker_pool *pool)
{
	bool last = --pool->refs == 0;

	pthread_mutex_unlock(&pool->lock);
	if (!last)
		return;
	(void)close(pool->fd);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

/* Called locked; returns with the lock given up. */
static void queue_unlock_unref(struct worker_queue *queue)
{
	struct worker_pool *pool = queue->pool;

	if (--queue->refs > 0) {
		pthread_mutex_unlock(&pool->lock);
		return;
	}
	pthread_cond_destroy(&queue->wake);
	free(queue);
	pool_unlock_unref(pool);
}

/* Called unlocked. */
static void work_unref(struct worker_pool *pool, struct work *work)
{
	pthread_mutex_lock(&pool->lock);
	bool last = --work->refs == 0;
	pthread_mutex_unlock(&pool->lock);

	if (!last)
		return;
	work->job.free(work->job.arg);
	free(work);
}

/* Called locked, by a thread. The write cannot block: the counter would have to reach 2^64. */
static void queue_post(struct worker_queue *queue)
{
	uint64_t one = 1;

	if (queue->in_news || queue->closed)
		return;
	queue->in_news = true;
	queue->refs++;
	queue->next_news = queue->pool->news;
	queue->pool->news = queue;
	(void)!write(queue->pool->fd, &one, sizeof(one));
}

static bool thread_has_work(const struct worker_queue *queue)
{
	return queue->slot == SLOT_BUSY || queue->slot == SLOT_ABANDONED;
}

/* Called locked, by the thread. Waits for work; false when it is time to end. The linger is a span
 * of running time, so its clock is the one that stands still in a suspend. */
static bool thread_wait(struct worker_queue *queue)
{
	struct timespec until;
	int r = 0;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (time_t)(WORKER_LINGER / USEC_PER_SEC);
	while (!thread_has_work(queue) && !queue->closed && r == 0)
		r = pthread_cond_clockwait(&queue->wake, &queue->pool->lock, CLOCK_MONOTONIC,
			&until);
	return thread_has_work(queue);
}

static void *thread_main(void *userdata)
{
	struct worker_queue *queue = userdata;
	struct worker_pool *pool = queue->pool;

	pthread_mutex_lock(&pool->lock);
	while (thread_wait(queue)) {
		struct work *work = queue->work;

		if (queue->slot == SLOT_BUSY) {
			pthread_mutex_unlock(&pool->lock);
			work->job.run(work->job.arg);
			pthread_mutex_lock(&pool->lock);
		}
		if (queue->slot == SLOT_BUSY) {
			queue->slot = SLOT_DONE;
			queue_post(queue);
			continue;
		}
		/* Answered at its deadline, or its owner went away: nobody will read what it
		 * got. */
		pthread_mutex_unlock(&pool->lock);
		if (work->job.undo)
			work->job.undo(work->job.arg);
		work_unref(pool, work);
		pthread_mutex_lock(&pool->lock);
		queue->work = NULL;
		queue->slot = SLOT_IDLE;
		queue_post(queue);
	}
	queue->thread = false;
	queue_unlock_unref(queue);
	return NULL;
}

/* Puts the work into the slot. On failure the work is still the caller's. */
static int queue_hand_over(struct worker_queue *queue, struct work *work)
{
	int r = 0;

	pthread_mutex_lock(&queue->pool->lock);
	assert(queue->slot == SLOT_IDLE && !queue->work);
	if (!queue->thread) {
		r = thread_start(queue->name, WORKER_STACK_KIB, thread_main, queue);
		if (r == 0) {
			queue->thread = true;
			queue->refs++;
		}
	}
	if (r == 0) {
		queue->work = work;
		queue->slot = SLOT_BUSY;
		work->refs++;
		pthread_cond_signal(&queue->wake);
	}
	pthread_mutex_unlock(&queue->pool->lock);
	if (r < 0)
		return r;

	queue->busy = true;
	if (work->job.timeout == USEC_INFINITY)
		return 0;
	/* These fail only with memory out: then the job is without a deadline. */
	(void)sd_event_source_set_time_relative(queue->deadline, work->job.timeout);
	(void)sd_event_source_set_enabled(queue->deadline, SD_EVENT_ONESHOT);
	return 0;
}

static void work_answer(struct worker_pool *pool, struct work *work, int error)
{
	uint64_t now;

	if (sd_event_now(pool->event, CLOCK_BOOTTIME, &now) < 0)
		now = now_boottime();
	work->job.done(work->job.arg, error, now);
	work_unref(pool, work);
}

static struct work *queue_shift(struct worker_queue *queue)
{
	struct work *work = queue->first;

	if (!work)
		return NULL;
	queue->first = work->next;
	if (!queue->first)
		queue->last = NULL;
	queue->waiting--;
	return work;
}

/* Begins the next job in the line; one that cannot be begun is answered and the next one tried. */
static void queue_next(struct worker_queue *queue)
{
	while (!queue->busy && !queue->wedged && !queue->closed) {
		struct work *work = queue_shift(queue);
		int r;

		if (!work)
			return;
		r = queue_hand_over(queue, work);
		if (r == 0)
			return;
		work_answer(queue->pool, work, r);
	}
}

/* What the thread of one queue posted: a result, or that an abandoned call has come back. */
static void queue_collect(struct worker_queue *queue)
{
	struct worker_pool *pool = queue->pool;
	struct work *work = NULL;
	bool unwedged;

	pthread_mutex_lock(&pool->lock);
	if (queue->slot == SLOT_DONE) {
		work = TAKE_PTR(queue->work);
		work->refs--; /* the thread's; ours remains */
		queue->slot = SLOT_IDLE;
	}
	unwedged = !work && queue->wedged && queue->slot == SLOT_IDLE;
	pthread_mutex_unlock(&pool->lock);
	if (unwedged) {
		queue->wedged = false;
		pool->wedged--;
		if (pool->unwedged)
			pool->unwedged(pool->userdata);
	}
	if (!work)
		return;

	queue->busy = false;
	(void)sd_event_source_set_enabled(queue->deadline, SD_EVENT_OFF);
	/* The next one first, so that the thread is not idle while its owner thinks. */
	queue_next(queue);
	work_answer(pool, work, 0);
}

static int pool_on_news(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct worker_pool *pool = userdata;
	struct worker_queue *queue;
	uint64_t count;

	(void)source;
	(void)revents;
	(void)!read(fd, &count, sizeof(count));

	pthread_mutex_lock(&pool->lock);
	pool->refs++; /* an answer may free everything */
	while ((queue = pool->news)) {
		bool closed = queue->closed;

		pool->news = queue->next_news;
		queue->in_news = false;
		pthread_mutex_unlock(&pool->lock);
		if (!closed)
			queue_collect(queue);
		pthread_mutex_lock(&pool->lock);
		queue_unlock_unref(queue);
		pthread_mutex_lock(&pool->lock);
	}
	pool_unlock_unref(pool);
	return 0;
}

static int queue_on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct worker_queue *queue = userdata;
	struct worker_pool *pool = queue->pool;
	struct work *work = NULL;

	(void)source;
	(void)usec;
	pthread_mutex_lock(&pool->lock);
	if (queue->slot == SLOT_BUSY) {
		queue->slot = SLOT_ABANDONED;
		work = queue->work;
		queue->refs++; /* an answer may free the queue */
	}
	pthread_mutex_unlock(&pool->lock);
	if (!work)
		return 0; /* it made it: the news is on its way */

	queue->wedged = true;
	queue->busy = false;
	pool->wedged++;
	work_answer(pool, work, -ETIMEDOUT);
	while (!queue->closed && (work = queue_shift(queue)))
		work_answer(pool, work, -EBUSY);

	pthread_mutex_lock(&pool->lock);
	queue_unlock_unref(queue);
	return 0;
}

int worker_pool_new(sd_event *event, struct worker_pool **ret)
{
	struct worker_pool *pool = calloc(1, sizeof(*pool));
	int r;

	if (!pool)
		return -ENOMEM;
	pool->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = pool->fd < 0
		    ? -errno
		    : sd_event_add_io(event, &pool->source, pool->fd, EPOLLIN, pool_on_news, pool);
	if (r < 0) {
		if (pool->fd >= 0)
			(void)close(pool->fd);
		free(pool);
		return r;
	}
	(void)sd_event_source_set_description(pool->source, "worker-news");
	(void)pthread_mutex_init(&pool->lock, NULL);
	pool->refs = 1;
	pool->event = sd_event_ref(event);
	*ret = pool;
	return 0;
}

void worker_pool_on_unwedged(struct worker_pool *pool, void (*unwedged)(void *userdata),
	void *userdata)
{
	pool->unwedged = unwedged;
	pool->userdata = userdata;
}

void worker_pool_free(struct worker_pool *pool)
{
	struct worker_queue *queue;

	if (!pool)
		return;
	pool->unwedged = NULL;
	pool->source = sd_event_source_disable_unref(pool->source);
	pool->event = sd_event_unref(pool->event);
	pthread_mutex_lock(&pool->lock);
	while ((queue = pool->news)) {
		pool->news = queue->next_news;
		queue_unlock_unref(queue);
		pthread_mutex_lock(&pool->lock);
	}
	pool_unlock_unref(pool);
}

int worker_queue_new(struct worker_pool *pool, const char *name, size_t waiting_max,
	struct worker_queue **ret)
{
	struct worker_queue *queue = calloc(1, sizeof(*queue));

	if (!queue)
		return -ENOMEM;
	int r = sd_event_add_time_relative(pool->event, &queue->deadline, CLOCK_BOOTTIME, 0, 0,
		queue_on_deadline, queue);
	if (r >= 0)
		r = sd_event_source_set_enabled(queue->deadline, SD_EVENT_OFF);
	/* After the loop there are no deadlines, and libvirt's connections are yet to be closed. */
	if (r < 0 && r != -ESTALE) {
		(void)sd_event_source_disable_unref(queue->deadline);
		free(queue);
		return r;
	}
	(void)sd_event_source_set_description(queue->deadline, "worker-deadline");
	(void)pthread_cond_init(&queue->wake, NULL);
	(void)snprintf(queue->name, sizeof(queue->name), "%s", name);
	queue->waiting_max = waiting_max;
	queue->refs = 1;
	queue->pool = pool;
	pthread_mutex_lock(&pool->lock);
	pool->refs++;
	pthread_mutex_unlock(&pool->lock);
	*ret = queue;
	return 0;
}

void worker_queue_free(struct worker_queue *queue)
{
	struct work *work, *left;

	if (!queue)
		return;
	queue->deadline = sd_event_source_disable_unref(queue->deadline);
	if (queue->wedged)
		queue->pool->wedged--;
	while ((work = queue_shift(queue)))
		work_unref(queue->pool, work);

	pthread_mutex_lock(&queue->pool->lock);
	queue->closed = true;
	if (queue->slot == SLOT_BUSY || queue->slot == SLOT_DONE) {
		/* Its thread undoes and frees it, or, where that has lingered out, we do without
		 * the undoing. */
		queue->slot = SLOT_ABANDONED;
		left = queue->work;
		if (!queue->thread)
			left->refs--;
		pthread_mutex_unlock(&queue->pool->lock);
		work_unref(queue->pool, left);
		pthread_mutex_lock(&queue->pool->lock);
	}
	pthread_cond_signal(&queue->wake);
	queue_unlock_unref(queue);
}

int worker_submit(struct worker_queue *queue, const struct worker_job *job)
{
	struct work *work;
	int r;

	if (queue->wedged)
		return -EBUSY;
	if (queue->busy && queue->waiting >= queue->waiting_max)
		return -ENOBUFS;
	work = calloc(1, sizeof(*work));
	if (!work)
		return -ENOMEM;
	work->job = *job;
	work->refs = 1;
	if (!queue->busy && !queue->first) {
		r = queue_hand_over(queue, work);
		if (r < 0)
			free(work);
		return r;
	}
	if (queue->last)
		queue->last->next = work;
	else
		queue->first = work;
	queue->last = work;
	queue->waiting++;
	return 0;
}

bool worker_queue_wedged(const struct worker_queue *queue)
{
	return queue->wedged;
}

bool worker_queue_idle(const struct worker_queue *queue)
{
	return !queue->busy && !queue->wedged && !queue->first;
}

unsigned worker_pool_wedged(const struct worker_pool *pool)
{
	return pool->wedged;
}
