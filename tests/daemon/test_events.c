/* SPDX-License-Identifier: Apache-2.0 */
/* What is told afterwards: the story of a night, over daemons that died in it, with a guest that
 * would rather fill it with noise. */
/* LINK: base model policy core io/hv io/confdir io/layout io/reach */
/* LIBS: libcbor inih jansson libsystemd */
#include "base/log.h"
#include "core/event.h"
#include "sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define ONE "local-proofreader"

static int list(struct sim *sim, uint64_t after, struct event_row **ret)
{
	return event_list(sim->supervisor, NULL, after, 0, 10000, ret);
}

static unsigned count(struct sim *sim, enum event_kind kind, const char *text)
{
	struct event_row *rows;
	int n = list(sim, 0, &rows);
	unsigned found = 0;

	for (int i = 0; i < n; i++)
		found += rows[i].event->kind == kind && strstr(rows[i].event->text, text) != NULL;
	free(rows);
	return found;
}

static void test_story(void **state)
{
	struct sim *sim = *state;
	struct event_row *rows;

	fake_guest_end(sim_fake(sim, VM), HV_REASON_CRASHED);
	sim_run(sim, 10 * S);
	sim_wait_healthy(sim, VM, 300 * S);
	assert_int_equal(count(sim, EVENT_EXIT, "ended (qemu-crashed)"), 1);
	assert_int_equal(count(sim, EVENT_RESTART, "starting again in"), 1);
	assert_int_equal(count(sim, EVENT_STATE, "ready -> crashed"), 1);
	assert_int_equal(count(sim, EVENT_HEALTH, "healthy (6 of 6"), 2);
	assert_int_equal(count(sim, EVENT_HYPERVISOR, "connected to"), 1);
	sim_wait_answer(sim, sim_ask(sim, VM, OPERATION_STOP), 300 * S);
	assert_int_equal(count(sim, EVENT_REQUEST, "stop asked for by"), 1);
	/* Numbered without a gap, in the order of time. */
	int n = list(sim, 0, &rows);
	for (int i = 0; i < n; i++) {
		assert_int_equal(rows[i].event->seq, rows[0].event->seq + (unsigned)i);
		assert_true(i == 0 || rows[i].event->boottime >= rows[i - 1].event->boottime);
		if (rows[i].event->kind == EVENT_EXIT && i < n / 2)
			assert_string_equal(rows[i].event->cause, "qemu-crashed");
	}
	uint64_t last = rows[n - 1].event->seq;
	free(rows);
	/* From a number on, and at most so many. */
	assert_int_equal(list(sim, last - 3, &rows), 3);
	free(rows);
	assert_int_equal(event_list(sim->supervisor, NULL, 0, 0, 2, &rows), 2);
	assert_int_equal(rows[1].event->seq, last);
	free(rows);
}

static void test_survives(void **state)
{
	struct sim *sim = *state;
	struct event_row *rows;
	uint64_t last;

	for (unsigned i = 0; i < 3; i++) {
		last = sim->supervisor->last_seq;
		sim_kill_daemon(sim);
		sim_run(sim, 60 * S);
		sim_daemon(sim);
		sim_run(sim, 10 * S);
		/* What was before is still told, and no number is given twice. */
		assert_int_equal(count(sim, EVENT_STATE, "-> ready"), 1);
		assert_int_equal(count(sim, EVENT_DAEMON, "began"), i + 2);
		int n = list(sim, last, &rows);
		assert_true(n > 0 && rows[0].event->seq > last + 1);
		assert_true(strncmp(rows[0].event->text, "began", 5) == 0);
		free(rows);
	}
	/* A disk that keeps nothing costs the past, not the daemon. */
	sim_kill_daemon(sim);
	for (struct fake_text *t = sim->store->texts; t; t = t->next) {
		free(t->events);
		t->events = strdup("\xff{}\n{\"seq\":4503599627370496,\"at\":1,\"boottime\":1,"
				   "\"kind\":\"exit\",\"level\":3,\"text\":\"t\"}\n{\"se");
	}
	sim_daemon(sim);
	sim_wait_healthy(sim, VM, 60 * S);
	assert_int_equal(count(sim, EVENT_STATE, "-> ready"), 0);
	assert_int_equal(count(sim, EVENT_DAEMON, "began"), 1);
}

/* A service that flaps for an hour: its end is told, and the flood is bounded. */
static void test_flood(void **state)
{
	struct sim *sim = *state;
	struct fake_service *f = sim_fake_service(sim, VM, ONE);
	unsigned changes = 0;

	sim_log_clear(sim);
	uint64_t before = sim->supervisor->last_seq;
	for (unsigned i = 0; i < 600; i++) {
		enum service_state was = sim_service(sim, VM, ONE)->probe.state;
		f->manner = i % 2 ? MANNER_OK : MANNER_FAILING;
		sim_run(sim, 9 * S);
		changes += sim_service(sim, VM, ONE)->probe.state != was;
	}
	uint64_t told = sim->supervisor->last_seq - before;
	assert_true(changes > 400);
	/* Each of two kinds: 4 a minute, one that sums up, and the burst. */
	assert_true(told < 2 * (90 * 5 + 3 * SPEC_SERVICES_MAX));
	assert_true(count(sim, EVENT_SERVICE, "more of these, too many to tell; the last: ") > 0);
	f->manner = MANNER_FAILING;
	sim_run(sim, 120 * S);
	/* Nothing is held back for ever. */
	struct guest *g = sim_guest(sim, VM);
	for (unsigned k = 0; k < EVENT_KIND_NUM; k++)
		assert_int_equal(g->events.floods[k].held, 0);
	struct event_row *rows;
	int n = list(sim, 0, &rows);
	const char *end = NULL;
	for (int i = 0; i < n; i++)
		if (rows[i].event->kind == EVENT_SERVICE)
			end = rows[i].event->text;
	assert_non_null(end);
	assert_non_null(strstr(end, "-> down"));
	free(rows);
}

/* What is held back is told before its guest is let go, and is there when it comes back. */
static void test_flood_of_removed(void **state)
{
	struct sim *sim = *state;

	sim_configure(sim, "vm-intelligence", 20000, NULL);
	for (unsigned i = 0; i < 60; i++)
		event_note(sim_guest(sim, VM), EVENT_HEALTH, NULL, LOG_WARNING, "flap %u", i);
	assert_false(sim_log_has(sim, "flap 59"));
	sim_unconfigure(sim, VM);
	assert_int_equal(sim_reload(sim), 0);
	sim_run(sim, 10 * S);
	assert_int_equal(sim_log_count(sim, "flap 59"), 1);
	sim_configure(sim, VM, 10000, NULL);
	assert_int_equal(sim_reload(sim), 0);
	assert_int_equal(count(sim, EVENT_HEALTH, "flap 59"), 1);
}

static void test_why(void **state)
{
	struct sim *sim = *state;
	struct decisions *d = &sim_guest(sim, VM)->decisions;

	assert_string_equal(d->lists[WHY_HEALTH][0].action, "healthy");
	sim_fake_service(sim, VM, ONE)->manner = MANNER_FAILING;
	sim_wait_service(sim, VM, ONE, SERVICE_DOWN, 120 * S);
	assert_string_equal(d->lists[WHY_HEALTH][0].action, "not healthy");
	assert_string_equal(d->lists[WHY_HEALTH][0].rule, "an active service is not up");
	assert_non_null(strstr(d->lists[WHY_HEALTH][0].inputs, "up=5/6 " ONE "=down("));
	fake_guest_end(sim_fake(sim, VM), HV_REASON_CRASHED);
	sim_wait_state(sim, VM, GUEST_CRASHED, 30 * S);
	assert_int_equal(d->n[WHY_RESTART], 2);
	assert_string_equal(d->lists[WHY_RESTART][1].rule, "unit remedy");
	assert_string_equal(d->lists[WHY_RESTART][1].action, "hold");
	assert_non_null(strstr(d->lists[WHY_RESTART][1].inputs, "held: RestartUnit=no"));
	assert_string_equal(d->lists[WHY_RESTART][0].rule, "back-off");
	assert_non_null(strstr(d->lists[WHY_RESTART][0].inputs, "cause=qemu-crashed restarts=1"));
}

int main(void)
{
#define HEALTHY(f) cmocka_unit_test_setup_teardown(f, sim_setup_healthy, sim_teardown)
	const struct CMUnitTest tests[] = {
		HEALTHY(test_story),
		HEALTHY(test_survives),
		HEALTHY(test_flood),
		HEALTHY(test_flood_of_removed),
		HEALTHY(test_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
