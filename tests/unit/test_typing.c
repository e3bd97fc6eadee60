/* SPDX-License-Identifier: Apache-2.0 */
/* What an operator types on the way to a guest's line: the hypervisor, its queues and its loop are
 * the daemon's, what lies below is the test's. */
/* LINK: base io/hv io/worker model/utf8 virt/hypervisor virt/guests virt/verbs virt/mailbox virt/facts */
/* LIBS: libsystemd libvirt */
#include "virt/hypervisor.h"

#include "virt/calls.h"
#include "virt/connection.h"
#include "virt/embed.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define UUID     "12345678-1234-8234-9234-123456789abc"
#define PATIENCE (10 * USEC_PER_SEC)

/* The line: written to by the loop, flushed by a worker ---- */

static struct console {
	pthread_mutex_t lock;
	char typed[64], heard[64];
	size_t n_typed, n_heard;
	sem_t flushed, go_on; /* a flush took what there was; it may return */
} line;

struct console *console_new(struct mailbox *mailbox)
{
	(void)mailbox;
	return &line;
}

void console_unref(struct console *console)
{
	(void)console;
}

bool console_opened(struct console *console)
{
	(void)console;
	return true;
}

size_t console_take(struct console *console, void *data, size_t size, uint64_t *lost)
{
	(void)console, (void)data, (void)size, (void)lost;
	return 0;
}

int console_type(struct console *console, const void *data, size_t len)
{
	(void)console;
	pthread_mutex_lock(&line.lock);
	memcpy(line.typed + line.n_typed, data, len);
	line.n_typed += len;
	pthread_mutex_unlock(&line.lock);
	return 0;
}

static int flush(void)
{
	pthread_mutex_lock(&line.lock);
	memcpy(line.heard + line.n_heard, line.typed, line.n_typed);
	line.n_heard += line.n_typed;
	line.n_typed = 0;
	pthread_mutex_unlock(&line.lock);
	(void)sem_post(&line.flushed);
	(void)sem_wait(&line.go_on);
	return 0;
}

static usec_t call_takes; /* a read */

void call_run(struct call *call)
{
	struct timespec span = { .tv_sec = (time_t)(call_takes / USEC_PER_SEC) };

	if (call->kind == CALL_TYPE)
		call->reply.error = flush();
	else
		(void)nanosleep(&span, NULL);
}

struct memo *memo_new(struct mailbox *mailbox, const char *pid_dir)
{
	struct memo *memo = calloc(1, sizeof(*memo));

	(void)mailbox, (void)pid_dir;
	assert_non_null(memo);
	atomic_init(&memo->refs, 1);
	memo->console = &line;
	return memo;
}

struct memo *memo_ref(struct memo *memo)
{
	atomic_fetch_add(&memo->refs, 1);
	return memo;
}

void memo_unref(struct memo *memo)
{
	if (memo && atomic_fetch_sub(&memo->refs, 1) == 1)
		free(memo);
}

/* A connection that is up ---- */

static struct connection {
	int none;
} the_connection;

static struct links {
	int none;
} the_links;

int connection_new(sd_event *event, struct worker_pool *pool, const char *uri, struct links *links,
	struct mailbox *mailbox, connection_changed_t changed, void *userdata,
	struct connection **ret)
{
	(void)event, (void)pool, (void)uri, (void)links, (void)mailbox, (void)changed;
	(void)userdata;
	*ret = &the_connection;
	return 0;
}

void connection_free(struct connection *connection)
{
	(void)connection;
}

int connection_begin(struct connection *connection)
{
	(void)connection;
	return 0;
}

void connection_closed(
	struct connection *connection, unsigned generation, const char *words, usec_t now)
{
	(void)connection, (void)generation, (void)words, (void)now;
}

bool connection_up(const struct connection *connection)
{
	(void)connection;
	return true;
}

bool connection_kvm(const struct connection *connection)
{
	(void)connection;
	return false;
}

const char *connection_message(const struct connection *connection)
{
	(void)connection;
	return "";
}

struct links *links_new(void)
{
	return &the_links;
}

struct links *links_ref(struct links *links)
{
	return links;
}

void links_unref(struct links *links)
{
	(void)links;
}

int virt_pid_dir(const char *uri, char **ret)
{
	(void)uri;
	*ret = NULL;
	return 0;
}

/* The test ---- */

static sd_event *event;
static struct hv *hv;
static bool answered;

static void on_done(void *userdata, const struct hv_reply *reply, usec_t now)
{
	(void)userdata, (void)reply, (void)now;
	answered = true;
}

static void submit_read(usec_t timeout)
{
	const struct hv_request request = {
		.verb = HV_READ, .uuid = UUID, .name = "vm", .timeout = timeout
	};

	answered = false;
	assert_int_equal(hv_submit(hv, &request, on_done, NULL), 0);
}

static void wait_answer(void)
{
	while (!answered)
		assert_true(sd_event_run(event, UINT64_MAX) >= 0);
}

static int setup(void **state)
{
	(void)state;
	memset(&line, 0, sizeof(line));
	pthread_mutex_init(&line.lock, NULL);
	assert_int_equal(sem_init(&line.flushed, 0, 0), 0);
	assert_int_equal(sem_init(&line.go_on, 0, 0), 0);
	call_takes = 0;
	assert_int_equal(sd_event_new(&event), 0);
	assert_int_equal(virt_new(event, "test:///x", &hv), 0);
	/* A guest is known from its first request on. */
	submit_read(0);
	wait_answer();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	hv->vtable->destroy(hv);
	sd_event_unref(event);
	return 0;
}

static int type(const char *keys)
{
	return hv->vtable->console_write(hv, UUID, keys, strlen(keys));
}

/* Waits in the loop until a flush has taken what was there. */
static void wait_flushed(void)
{
	usec_t until = now_boottime() + PATIENCE;

	while (sem_trywait(&line.flushed) < 0) {
		assert_true(now_boottime() < until);
		assert_true(sd_event_run(event, 10 * USEC_PER_MSEC) >= 0);
	}
}

/* A key typed when the flush before has all it takes, and nobody knows yet that it is over. */
static void the_last_key_arrives(void **state)
{
	(void)state;
	assert_int_equal(type("l"), 0);
	(void)sem_wait(&line.flushed);
	assert_int_equal(type("s\n"), 0);
	(void)sem_post(&line.go_on);
	wait_flushed();
	(void)sem_post(&line.go_on);
	assert_int_equal(line.n_heard, 3);
	assert_memory_equal(line.heard, "ls\n", 3);
	/* And then there is peace. */
	submit_read(0);
	wait_answer();
	assert_int_equal(sem_trywait(&line.flushed), -1);
}

/* libvirt hangs: who types hears of it, and nothing of it is kept for later. */
static void nothing_is_typed_ahead_of_a_hang(void **state)
{
	(void)state;
	call_takes = 2 * USEC_PER_SEC;
	submit_read(USEC_PER_MSEC);
	wait_answer();
	assert_int_equal(type("reboot\n"), -EBUSY);
	assert_int_equal(line.n_typed, 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_last_key_arrives),
		TEST(nothing_is_typed_ahead_of_a_hang),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
