/* SPDX-License-Identifier: Apache-2.0 */
/* The file system of a guest's disk is full, or its disk fails: what is told, and when the guest
 * runs again. */
/* LINK: base model policy core io/layout io/hv io/confdir */
/* LIBS: libcbor jansson inih libsystemd */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "sim.h"

#define GIB (1024u * 1024u)

static struct fake_guest *filled(struct sim *sim)
{
	struct fake_guest *d = sim_fake(sim, VM);

	sim_log_clear(sim);
	sim->free_kib = 0;
	d->stays_paused = true;
	fake_guest_pause(d, HV_REASON_NO_SPACE);
	sim_wait_state(sim, VM, GUEST_PAUSED, 5 * S);
	return d;
}

static void assert_left_alone(struct sim *sim)
{
	const struct guest *g = sim_guest(sim, VM);

	assert_int_equal(sim_fake(sim, VM)->starts, 1);
	assert_int_equal(g->want, WANT_UP);
	assert_int_equal(g->restart.n_faults, 0);
	assert_false(sim_log_has(sim, "-> down"));
	for (unsigned i = 0; i < g->n_services; i++)
		assert_int_equal(g->services[i].probe.failures, 0);
}

/* A night with a full disk: told once, with what to do; nothing is done to the guest; in the
 * morning somebody makes room, and it runs on by itself. */
static void test_full(void **state)
{
	struct sim *sim = *state;
	const struct guest *g = sim_guest(sim, VM);
	struct fake_guest *d = filled(sim);

	sim_run(sim, 8 * 3600 * S);
	assert_int_equal(g->state, GUEST_PAUSED);
	assert_non_null(strstr(
		g->reason, "the file system of its disk is full (0 KiB free): make it 64 MiB"));
	assert_non_null(strstr(g->reason, "runs on by itself within 10s"));
	assert_non_null(strstr(g->reason, "/disk.qcow2"));
	assert_int_equal(sim_log_count(sim, "QEMU paused it"), 1);
	assert_int_equal(sim_log_count(sim, "ready -> paused"), 1);
	assert_false(g->healthy);
	assert_int_equal(d->resumes, 0);
	assert_left_alone(sim);
	for (unsigned i = 0; i < g->n_services; i++)
		assert_int_equal(g->services[i].probe.last.verdict, VERDICT_INCONCLUSIVE);

	d->stays_paused = false;
	sim->free_kib = GIB;
	sim_wait_state(sim, VM, GUEST_READY, 11 * S);
	sim_wait_healthy(sim, VM, 5 * S);
	assert_int_equal(d->resumes, 1);
	assert_string_equal(g->reason, "");
	assert_true(sim_log_has(sim, "with 1.0 GiB free: resuming it (attempt 1)"));
	assert_left_alone(sim);
}

/* What the file system says is not all: a quota, a thin volume. It is tried, ever more rarely. */
static void test_full_on_paper(void **state)
{
	struct sim *sim = *state;
	const struct guest *g = sim_guest(sim, VM);
	struct fake_guest *d = filled(sim);

	sim->free_kib = GIB;
	sim_run(sim, 3600 * S);
	assert_in_range(d->resumes, 9, 14);
	assert_non_null(strstr(
		g->reason, "its disk could not grow, with 1.0 GiB free; to be resumed within"));
	assert_left_alone(sim);
	d->stays_paused = false;
	sim_wait_state(sim, VM, GUEST_READY, 601 * S);
	assert_string_equal(g->reason, "");
}

/* Made room for, and filled by the guest again, for hours. */
static void test_again_and_again(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = filled(sim);

	d->stays_paused = false;
	for (unsigned i = 1; i <= 10; i++) {
		sim->free_kib = GIB;
		sim_wait_state(sim, VM, GUEST_READY, 21 * S);
		assert_int_equal(d->resumes, i);
		sim_run(sim, 3 * S);
		sim->free_kib = 5;
		fake_guest_pause(d, HV_REASON_NO_SPACE);
		sim_wait_state(sim, VM, GUEST_PAUSED, 5 * S);
		sim_run(sim, 300 * S);
	}
	assert_int_equal(sim_log_count(sim, "QEMU paused it"), 11);
	assert_left_alone(sim);
}

/* A stop resumes it, which does not help; it ends by its budget, and the guest stays down. */
static void test_stop(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = filled(sim);
	const struct guest *g = sim_guest(sim, VM);

	const struct sim_request *start = sim_ask(sim, VM, OPERATION_START);
	assert_int_equal(start->accepted, -EBUSY);
	assert_non_null(strstr(start->message, "is paused: QEMU paused it: the file system"));
	const struct sim_request *r = sim_ask(sim, VM, OPERATION_STOP);
	sim_wait_answer(sim, r, 260 * S);
	assert_non_null(strstr(r->text, "forced"));
	assert_true(d->resumes > 10);
	sim->free_kib = GIB;
	sim_run(sim, 600 * S);
	assert_int_equal(g->state, GUEST_STOPPED);
	assert_int_equal(g->want, WANT_DOWN);
	assert_null(strstr(g->reason, "QEMU paused it"));
	assert_int_equal(d->starts, 1);
}

/* With room again meanwhile it goes down clean. */
static void test_stop_with_room(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = filled(sim);

	const struct sim_request *r = sim_ask(sim, VM, OPERATION_STOP);
	sim_run(sim, 20 * S);
	d->stays_paused = false;
	sim_wait_answer(sim, r, 30 * S);
	assert_non_null(strstr(r->text, "clean"));
	assert_int_equal(d->quits + d->destroys, 0);
}

/* The daemon that pauses with it is not the one that resumes it. */
static void test_adopted(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = filled(sim);

	sim_run(sim, 60 * S);
	sim_kill_daemon(sim);
	sim_run(sim, 60 * S);
	sim_daemon(sim);
	sim_wait_state(sim, VM, GUEST_PAUSED, 20 * S);
	sim_run(sim, 60 * S);
	assert_non_null(strstr(sim_guest(sim, VM)->reason, "is full"));
	assert_int_equal(d->resumes, 0);
	d->stays_paused = false;
	sim->free_kib = GIB;
	sim_wait_healthy(sim, VM, 60 * S);
	assert_left_alone(sim);
}

/* Somebody else's pause is somebody else's to end. */
static void test_by_hand(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	sim->free_kib = GIB;
	fake_guest_pause(d, HV_REASON_USER);
	sim_run(sim, 3600 * S);
	assert_int_equal(sim_guest(sim, VM)->state, GUEST_PAUSED);
	assert_string_equal(sim_guest(sim, VM)->reason, "");
	assert_int_equal(d->resumes, 0);
}

/* QEMU dies while it stands still: the reason is that of its end. */
static void test_killed(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = filled(sim);

	d->stays_paused = false;
	fake_guest_end(d, HV_REASON_CRASHED);
	sim_wait_state(sim, VM, GUEST_CRASHED, 5 * S);
	assert_null(strstr(sim_guest(sim, VM)->reason, "QEMU paused it"));
	assert_true(strlen(sim_guest(sim, VM)->reason) > 0);
	sim_wait_healthy(sim, VM, 120 * S);
}

/* An error that was handed to the guest: told, nothing more. A device that fails by the thousand
 * does not fill the log. */
static void test_reported(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	sim_log_clear(sim);
	fake_guest_disk_error(d);
	sim_run(sim, S);
	assert_int_equal(sim_log_count(sim, "a read or a write of its disk failed"), 1);
	for (unsigned i = 0; i < 3000; i++) {
		fake_guest_disk_error(d);
		sim_run(sim, 100 * MS);
	}
	assert_in_range(sim_log_count(sim, "a read or a write of its disk failed"), 20, 60);
	assert_int_equal(sim_guest(sim, VM)->state, GUEST_READY);
	assert_true(sim_guest(sim, VM)->healthy);
	assert_left_alone(sim);
}

#define HEALTHY(f) cmocka_unit_test_setup_teardown(f, sim_setup_healthy, sim_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		HEALTHY(test_full),
		HEALTHY(test_full_on_paper),
		HEALTHY(test_again_and_again),
		HEALTHY(test_stop),
		HEALTHY(test_stop_with_room),
		HEALTHY(test_adopted),
		HEALTHY(test_by_hand),
		HEALTHY(test_killed),
		HEALTHY(test_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
