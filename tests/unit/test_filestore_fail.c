/* SPDX-License-Identifier: Apache-2.0 */
/* The store over a disk that does not answer, a worker that takes nothing, and no memory. The
 * worker is this test's: a job runs when the test says so, and no time passes. */
/* LINK: base io/layout io/guestfiles io/filestore */
/* LIBS: libsystemd */
#include "alloc_fail.h"

#include <semaphore.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/macro.h"
#include "io/filestore.h"

#define GUEST "vm-test"

/* The worker ---- */

struct worker_queue {
	bool used, has, ran;
	struct worker_job job; /* the one it has */
};

static struct {
	struct worker_queue queues[4]; /* the first one is the store's */
	bool at_once;                  /* as at the end, when nobody turns the loop */
	bool wedged, never_ends;
	int refuses; /* 0, or what it says to a job */
	unsigned interrupted, waits;
} worker;

static bool busy(void)
{
	return worker.queues[0].has;
}

int worker_queue_new(
	struct worker_pool *pool, const char *name, size_t waiting_max, struct worker_queue **ret)
{
	(void)pool, (void)name, (void)waiting_max;
	for (size_t i = 0; i < ARRAY_SIZE(worker.queues); i++)
		if (!worker.queues[i].used) {
			worker.queues[i].used = true;
			*ret = &worker.queues[i];
			return 0;
		}
	return -ENOMEM;
}

static void run(struct worker_queue *queue)
{
	assert_true(queue->has && !queue->ran);
	queue->ran = true;
	queue->job.run(queue->job.arg);
}

static void job_run(void)
{
	run(&worker.queues[0]);
}

static void job_end(int error)
{
	struct worker_job job = worker.queues[0].job;

	assert_true(busy());
	worker.queues[0].has = worker.queues[0].ran = false;
	job.done(job.arg, error, 0);
	job.free(job.arg);
}

static void job_do(void)
{
	job_run();
	job_end(0);
}

/* What the thread had begun goes on, and frees itself at its end. */
void worker_queue_free(struct worker_queue *queue)
{
	if (queue->has && queue->ran)
		queue->job.free(queue->job.arg);
	*queue = (struct worker_queue){ 0 };
}

int worker_submit(struct worker_queue *queue, const struct worker_job *job)
{
	assert_true(queue->used);
	if (worker.wedged)
		return -EBUSY;
	if (worker.refuses)
		return worker.refuses;
	assert_false(queue->has);
	queue->job = *job;
	queue->has = true;
	if (worker.at_once)
		run(queue);
	return 0;
}

bool worker_queue_wedged(const struct worker_queue *queue)
{
	(void)queue;
	return worker.wedged;
}

/* Found before libc's: the store's wait at its end. */
int sem_clockwait(sem_t *sem, clockid_t clock, const struct timespec *until)
{
	struct timespec now;

	assert_int_equal(clock, CLOCK_MONOTONIC);
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	assert_in_range(until->tv_sec - now.tv_sec, 0, FILESTORE_FLUSH_TIMEOUT / USEC_PER_SEC);
	worker.waits++;
	if (worker.interrupted > 0) {
		worker.interrupted--;
		errno = EINTR;
		return -1;
	}
	for (size_t i = 0; i < ARRAY_SIZE(worker.queues) && !worker.never_ends; i++)
		if (worker.queues[i].has && !worker.queues[i].ran)
			run(&worker.queues[i]);
	if (sem_trywait(sem) == 0)
		return 0;
	errno = ETIMEDOUT;
	return -1;
}

/* The scene ---- */

static char dir[64];
static struct store *store;

static int setup(void **state)
{
	(void)state;
	memset(&worker, 0, sizeof(worker));
	(void)snprintf(dir, sizeof(dir), "/tmp/test_filestore_fail.XXXXXX");
	assert_non_null(mkdtemp(dir));
	assert_int_equal(filestore_new(NULL, dir, &store), 0);
	return 0;
}

static void destroy(void)
{
	store->vtable->destroy(store);
	store = NULL;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	if (store)
		destroy();
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

static void save(const char *text)
{
	store->vtable->save(store, GUEST, text, strlen(text));
}

static void hear(const char *words)
{
	store->vtable->console(store, GUEST, words, strlen(words));
}

static void note(const char *line)
{
	store->vtable->event(store, GUEST, line, strlen(line));
}

static char *content(const char *file)
{
	char path[128], *text = NULL;

	(void)snprintf(path, sizeof(path), "%s/private/" GUEST "/%s", dir, file);
	return file_read(path, 1 << 20, &text, NULL) < 0 ? NULL : text;
}

static void assert_content(const char *file, const char *expected)
{
	CLEANUP_FREE char *text = content(file);

	assert_non_null(text);
	assert_string_equal(text, expected);
}

static const char *trouble(void)
{
	return store->vtable->trouble(store);
}

/* The write goes on in the worker, nobody may look at it, and nothing else is begun. */
static void the_disk_does_not_answer(void **state)
{
	CLEANUP_FREE char *log = NULL;
	char words[256];

	(void)state;
	save("one");
	hear("login: ");
	assert_true(busy());
	worker.wedged = true;
	job_end(-ETIMEDOUT);
	(void)snprintf(words, sizeof(words),
		"cannot write in %s/private/" GUEST ": the disk does not answer", dir);
	assert_string_equal(trouble(), words);
	save("two");
	assert_false(busy());
	worker.wedged = false;
	/* What waited is written with what comes next. */
	hear("root\n");
	while (busy())
		job_do();
	assert_string_equal(trouble(), "");
	assert_content("state.json", "two");
	log = content("console.log");
	assert_non_null(log);
	assert_non_null(strstr(log, "login: root\n"));
}

/* Bytes that were out when the time was over are lost, and the log says how many. */
static void lost_bytes_are_counted(void **state)
{
	CLEANUP_FREE char *log = NULL;

	(void)state;
	hear("0123456789");
	job_end(-EAGAIN);
	assert_non_null(strstr(trouble(), strerror(EAGAIN)));
	hear("more\n");
	job_do();
	assert_string_equal(trouble(), "");
	log = content("console.log");
	assert_non_null(log);
	assert_non_null(strstr(log, "10 bytes"));
	assert_non_null(strstr(log, "more\n"));
}

static void a_worker_that_takes_nothing(void **state)
{
	(void)state;
	worker.refuses = -ENOBUFS;
	save("text");
	hear("words\n");
	note("{}\n");
	assert_false(busy());
	worker.refuses = 0;
	note("{2}\n");
	job_do();
	assert_false(busy());
	assert_content("state.json", "text");
	assert_content("console.log", "words\n");
	assert_content("events.jsonl", "{}\n{2}\n");
}

/* A text that comes while another is out is written after it. */
static void the_newest_text_wins(void **state)
{
	(void)state;
	save("one");
	job_run();
	save("two");
	job_end(0);
	assert_content("state.json", "one");
	job_do();
	assert_content("state.json", "two");
	assert_false(busy());
}

static void at_the_end_all_is_written(void **state)
{
	(void)state;
	save("one");
	save("two");
	hear("bye\n");
	note("{}\n");
	worker.at_once = true;
	worker.interrupted = 2;
	destroy();
	assert_true(worker.waits >= 4);
	assert_content("state.json", "two");
	assert_content("console.log", "bye\n");
	assert_content("events.jsonl", "{}\n");
}

static void at_the_end_a_disk_that_hangs_is_not_waited_for(void **state)
{
	struct worker_job job;

	(void)state;
	save("one");
	save("two");
	job = worker.queues[0].job;
	worker.never_ends = true;
	destroy();
	assert_int_equal(worker.waits, 1);
	assert_null(content("state.json"));
	/* The thread owns what it was given. */
	job.run(job.arg);
	job.free(job.arg);
	assert_content("state.json", "one");
	assert_int_equal(filestore_new(NULL, dir, &store), 0);
	worker = (typeof(worker)){ .wedged = true };
	worker.queues[0].used = true;
	save("three");
	destroy();
	assert_int_equal(worker.waits, 0);
	assert_content("state.json", "one");
}

/* At the end, too, it may take nothing; or hang at the first of several. */
static void at_the_end_nothing_is_taken(void **state)
{
	(void)state;
	worker.refuses = -EAGAIN;
	save("one");
	destroy();
	assert_null(content("state.json"));
	worker.refuses = 0;
	for (size_t i = 0; i < ARRAY_SIZE(worker.queues); i++)
		assert_false(worker.queues[i].used);
}

/* Whatever cannot be remembered is not written; what is written is whole, and the next text is
 * taken. */
static void attempt(void *userdata)
{
	struct store *mine = NULL;

	(void)userdata;
	alloc_arm();
	int r = filestore_new(NULL, dir, &mine);
	if (r >= 0) {
		mine->vtable->save(mine, GUEST, "one", 3);
		mine->vtable->console(mine, GUEST, "words\n", 6);
		mine->vtable->event(mine, GUEST, "{}\n", 3);
		mine->vtable->save(mine, "other", "one", 3);
		while (busy())
			job_do();
	}
	bool failed = alloc_disarm();
	assert_true(r >= 0 || (failed && r == -ENOMEM));
	if (r < 0)
		return;
	mine->vtable->save(mine, GUEST, "two", 3);
	while (busy())
		job_do();
	assert_content("state.json", "two");
	mine->vtable->destroy(mine);
}

static void without_memory(void **state)
{
	(void)state;
	destroy();
	alloc_sweep(attempt, NULL, 10);
}

/* The last writes, without memory to gather them. */
static void attempt_end(void *userdata)
{
	struct store *mine = NULL;

	(void)userdata;
	worker.refuses = -EAGAIN;
	assert_int_equal(filestore_new(NULL, dir, &mine), 0);
	mine->vtable->save(mine, GUEST, "end", 3);
	worker.refuses = 0;
	worker.at_once = true;
	alloc_arm();
	mine->vtable->destroy(mine);
	bool failed = alloc_disarm();
	worker.at_once = false;
	if (!failed)
		assert_content("state.json", "end");
}

static void ending_without_memory(void **state)
{
	(void)state;
	destroy();
	alloc_sweep(attempt_end, NULL, 3);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_disk_does_not_answer),
		TEST(lost_bytes_are_counted),
		TEST(a_worker_that_takes_nothing),
		TEST(the_newest_text_wins),
		TEST(at_the_end_all_is_written),
		TEST(at_the_end_a_disk_that_hangs_is_not_waited_for),
		TEST(at_the_end_nothing_is_taken),
		TEST(without_memory),
		TEST(ending_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
