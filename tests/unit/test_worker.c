/* SPDX-License-Identifier: Apache-2.0 */
/* Worker queues: order, exactly one answer, deadlines, wedges, and owners that go away in the
 * middle. */
/* LINK: base io/worker */
/* LIBS: libsystemd */
#include "io/worker.h"

#include <errno.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>

#include <cmocka.h>

#include "base/macro.h"

/* What happened, in the order of the main loop. The atomic ones are written by threads. */
struct scene {
	sd_event *event;
	struct worker_pool *pool;
	struct worker_queue *queue;
	sem_t begun, gate; /* of a job that waits */
	sem_t freed;
	atomic_uint runs, undone, frees;
	unsigned answers, ok, timed_out, busy, other;
	char order[64];
	bool in_submit;
	bool free_in_done;
};

struct item {
	struct scene *scene;
	char letter;
	bool waits;
	unsigned answered;
};

static void item_run(void *arg)
{
	struct item *item = arg;

	atomic_fetch_add(&item->scene->runs, 1);
	if (!item->waits)
		return;
	sem_post(&item->scene->begun);
	while (sem_wait(&item->scene->gate) < 0)
		;
}

static void item_done(void *arg, int error, usec_t now)
{
	struct item *item = arg;
	struct scene *s = item->scene;

	assert_false(s->in_submit);
	assert_true(now > 0);
	assert_int_equal(++item->answered, 1);
	if (s->answers < sizeof(s->order) - 1)
		s->order[s->answers] = item->letter;
	s->answers++;
	*(error == 0                  ? &s->ok
		: error == -ETIMEDOUT ? &s->timed_out
		: error == -EBUSY     ? &s->busy
				      : &s->other) += 1;
	if (s->free_in_done) {
		worker_queue_free(s->queue);
		s->queue = NULL;
	}
}

static void item_undo(void *arg)
{
	atomic_fetch_add(&((struct item *)arg)->scene->undone, 1);
}

static void item_free(void *arg)
{
	struct item *item = arg;
	struct scene *s = item->scene;

	free(item);
	atomic_fetch_add(&s->frees, 1);
	sem_post(&s->freed);
}

static int submit_to(
	struct scene *s, struct worker_queue *queue, char letter, bool waits, usec_t timeout)
{
	struct item *item = calloc(1, sizeof(*item));
	struct worker_job job = { item_run, item_done, item_undo, item_free, item, timeout };
	int r;

	assert_non_null(item);
	*item = (struct item){ .scene = s, .letter = letter, .waits = waits };
	s->in_submit = true;
	r = worker_submit(queue, &job);
	s->in_submit = false;
	if (r < 0)
		free(item);
	return r;
}

static int submit(struct scene *s, char letter, bool waits, usec_t timeout)
{
	return submit_to(s, s->queue, letter, waits, timeout);
}

/* Turns the loop until there are that many answers; ten seconds without any means there will be
 * none. */
static void run_until(struct scene *s, unsigned answers)
{
	while (s->answers < answers)
		assert_true(sd_event_run(s->event, 10 * USEC_PER_SEC) > 0);
	assert_int_equal(s->answers, answers);
}

static int scene_setup(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	assert_int_equal(sd_event_new(&s->event), 0);
	assert_int_equal(worker_pool_new(s->event, &s->pool), 0);
	assert_int_equal(worker_queue_new(s->pool, "a-name-longer-than-15", 4, &s->queue), 0);
	sem_init(&s->begun, 0, 0);
	sem_init(&s->gate, 0, 0);
	sem_init(&s->freed, 0, 0);
	*state = s;
	return 0;
}

static int scene_teardown(void **state)
{
	struct scene *s = *state;

	worker_queue_free(s->queue);
	worker_pool_free(s->pool);
	sd_event_unref(s->event);
	free(s);
	return 0;
}

static void wait_freed(struct scene *s, unsigned n)
{
	while (n-- > 0)
		while (sem_wait(&s->freed) < 0)
			;
}

static void test_order(void **state)
{
	struct scene *s = *state;

	for (char c = 'a'; c <= 'e'; c++)
		assert_int_equal(submit(s, c, false, USEC_INFINITY), 0);
	assert_false(worker_queue_idle(s->queue));
	run_until(s, 5);
	assert_string_equal(s->order, "abcde");
	assert_int_equal(s->ok, 5);
	assert_int_equal(s->frees, 5);
	assert_int_equal(s->undone, 0);
	assert_true(worker_queue_idle(s->queue));
}

static void test_bound(void **state)
{
	struct scene *s = *state;

	assert_int_equal(submit(s, 'a', true, USEC_INFINITY), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(submit(s, 'b', false, USEC_INFINITY), 0);
	assert_int_equal(submit(s, 'c', false, USEC_INFINITY), -ENOBUFS);
	sem_post(&s->gate);
	run_until(s, 5);
	assert_int_equal(submit(s, 'd', false, USEC_INFINITY), 0);
	run_until(s, 6);
	assert_string_equal(s->order, "abbbbd");
}

static void test_wedge(void **state)
{
	struct scene *s = *state;
	struct worker_queue *other;

	assert_int_equal(worker_queue_new(s->pool, "other", 4, &other), 0);
	assert_int_equal(submit(s, 'a', true, 20 * USEC_PER_MSEC), 0);
	assert_int_equal(submit(s, 'b', false, USEC_INFINITY), 0);
	assert_int_equal(submit(s, 'c', false, USEC_INFINITY), 0);
	run_until(s, 3);
	assert_string_equal(s->order, "abc");
	assert_int_equal(s->timed_out, 1);
	assert_int_equal(s->busy, 2);
	assert_int_equal(s->runs, 1);
	assert_true(worker_queue_wedged(s->queue));
	assert_false(worker_queue_idle(s->queue));
	assert_int_equal(worker_pool_wedged(s->pool), 1);
	assert_int_equal(submit(s, 'd', false, USEC_INFINITY), -EBUSY);

	/* The others go on. */
	assert_int_equal(submit_to(s, other, 'x', false, USEC_PER_SEC), 0);
	run_until(s, 4);
	assert_int_equal(s->ok, 1);

	/* The call returns after all: what it got is undone, and the queue is good again. */
	wait_freed(s, 3); /* b, c and x; a is still held */
	assert_int_equal(s->undone, 0);
	sem_post(&s->gate);
	wait_freed(s, 1);
	assert_int_equal(s->undone, 1);
	while (worker_queue_wedged(s->queue))
		assert_true(sd_event_run(s->event, 10 * USEC_PER_SEC) > 0);
	assert_int_equal(worker_pool_wedged(s->pool), 0);
	assert_int_equal(submit(s, 'e', false, USEC_PER_SEC), 0);
	run_until(s, 5);
	assert_string_equal(s->order, "abcxe");
	worker_queue_free(other);
}

/* A deadline counts from a job's beginning: one that waits behind a slow one is not late. */
static void test_deadline_from_begin(void **state)
{
	struct scene *s = *state;

	assert_int_equal(submit(s, 'a', true, USEC_INFINITY), 0);
	assert_int_equal(submit(s, 'b', false, 5 * USEC_PER_SEC), 0);
	assert_int_equal(submit(s, 'c', true, 20 * USEC_PER_MSEC), 0);
	sem_post(&s->gate);
	run_until(s, 3);
	assert_int_equal(s->ok, 2);
	assert_int_equal(s->timed_out, 1);
	sem_post(&s->gate);
	wait_freed(s, 3);
}

static void test_free_while_running(void **state)
{
	struct scene *s = *state;

	assert_int_equal(submit(s, 'a', true, USEC_INFINITY), 0);
	assert_int_equal(submit(s, 'b', false, USEC_INFINITY), 0);
	while (sem_wait(&s->begun) < 0)
		;
	worker_queue_free(s->queue);
	s->queue = NULL;
	wait_freed(s, 1); /* b, that never ran */
	assert_int_equal(s->runs, 1);
	worker_pool_free(s->pool);
	s->pool = NULL;
	sem_post(&s->gate);
	wait_freed(s, 1);
	assert_int_equal(s->undone, 1);
	assert_int_equal(s->answers, 0);
}

/* The result lies there, the main loop has not looked: its owner frees the queue. */
static void test_free_before_collect(void **state)
{
	struct scene *s = *state;

	assert_int_equal(submit(s, 'a', false, USEC_INFINITY), 0);
	assert_int_equal(sd_event_prepare(s->event), 0);
	assert_true(sd_event_wait(s->event, 10 * USEC_PER_SEC) > 0);
	worker_queue_free(s->queue);
	s->queue = NULL;
	wait_freed(s, 1);
	assert_int_equal(s->undone, 1);
	assert_true(sd_event_dispatch(s->event) > 0);
	assert_int_equal(s->answers, 0);
}

static void test_free_in_done(void **state)
{
	struct scene *s = *state;

	s->free_in_done = true;
	assert_int_equal(submit(s, 'a', false, USEC_INFINITY), 0);
	assert_int_equal(submit(s, 'b', true, USEC_INFINITY), 0);
	run_until(s, 1);
	sem_post(&s->gate);
	wait_freed(s, 2);
	assert_int_equal(s->answers, 1);
}

static void test_free_in_timed_out(void **state)
{
	struct scene *s = *state;

	s->free_in_done = true;
	assert_int_equal(submit(s, 'a', true, 10 * USEC_PER_MSEC), 0);
	assert_int_equal(submit(s, 'b', false, USEC_INFINITY), 0);
	run_until(s, 1);
	assert_int_equal(s->timed_out, 1);
	assert_int_equal(worker_pool_wedged(s->pool), 0);
	sem_post(&s->gate);
	wait_freed(s, 2);
	assert_int_equal(s->undone, 1);
}

/* Deadlines that fall together with the end of the call: each job is answered once and freed once,
 * whichever wins. Worth most under -fsanitize=thread. */
static void test_race(void **state)
{
	enum { ROUNDS = 400 };
	struct scene *s = *state;
	unsigned taken = 0;

	for (unsigned i = 0; i < ROUNDS; i++) {
		int r = submit(s, 'r', true, 1 + i % 50);

		if (r == 0)
			taken++;
		else
			assert_int_equal(r, -EBUSY);
		sem_post(&s->gate);
		while (s->answers < taken || worker_queue_wedged(s->queue))
			assert_true(sd_event_run(s->event, 10 * USEC_PER_SEC) > 0);
		while (sem_trywait(&s->gate) == 0)
			;
	}
	wait_freed(s, taken);
	assert_int_equal(s->answers, taken);
	assert_int_equal(s->frees, taken);
	assert_int_equal(s->ok + s->timed_out, taken);
	assert_int_equal(s->undone, s->timed_out);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, scene_setup, scene_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_order),
		TEST(test_bound),
		TEST(test_wedge),
		TEST(test_deadline_from_begin),
		TEST(test_free_while_running),
		TEST(test_free_before_collect),
		TEST(test_free_in_done),
		TEST(test_free_in_timed_out),
		TEST(test_race),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
