/* SPDX-License-Identifier: Apache-2.0 */
/* What a guest's disk stands on, before it is started: a base that was changed, a C library that is
 * too old, a disk that takes its time. */
/* LINK: base model policy core io/layout io/hv io/confdir */
/* LIBS: libcbor jansson inih libsystemd */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "sim.h"

static struct sim_request *start(struct sim *sim)
{
	struct sim_request *r = sim_ask(sim, VM, OPERATION_START);

	assert_int_equal(r->accepted, 1);
	return r;
}

static void configure(struct sim *sim)
{
	sim_unconfigure(sim, VM);
	sim_configure(sim, VM, 10000, "[Guest]\nAutostart=no\n");
	sim_daemon(sim);
	sim_run(sim, S);
}

/* A fine base is looked at once for each start, and what it says of its library is told. */
static void test_fine(void **state)
{
	struct sim *sim = *state;

	sim->bases->glibc = "2.41-12+deb13u1";
	configure(sim);
	assert_string_equal(sim_guest(sim, VM)->image.glibc, "2.41-12+deb13u1");
	assert_int_equal(sim->bases->checks, 0);
	struct sim_request *r = start(sim);
	sim_wait_answer(sim, r, 10 * S);
	assert_int_equal(r->error, 0);
	sim_wait_healthy(sim, VM, 300 * S);
	assert_int_equal(sim->bases->checks, 1);
	assert_int_equal(sim_fake(sim, VM)->starts, 1);
	assert_string_equal(sim_guest(sim, VM)->reason, "");
}

/* Known to be too old: refused, whoever asks, with the line to change; and it is no fault that uses
 * up the restart budget. */
static void test_old_library(void **state)
{
	struct sim *sim = *state;
	const struct guest *g;

	sim->bases->glibc = "2.36-9+deb12u9";
	sim_daemon(sim);
	sim_run(sim, 60 * S);
	g = sim_guest(sim, VM);
	assert_false(guest_state_has_qemu(g->state));
	assert_int_equal(g->want, WANT_UP);
	assert_int_equal(g->restart.n_faults, 0);
	assert_non_null(strstr(g->reason, "glibc is 2.36-9+deb12u9, under GlibcMin=2.39"));
	assert_non_null(strstr(g->reason, "/etc/guests.d/vm-mediakit.conf"));
	assert_int_equal(g->lock_fd, -1);
	struct sim_request *r = start(sim);
	sim_wait_answer(sim, r, 10 * S);
	assert_int_equal(r->error, -ENOEXEC);
	assert_non_null(strstr(r->text, "or lower that line"));
	assert_int_equal(sim_fake(sim, VM)->starts, 0);

	/* The line is changed, and a reload is enough. */
	sim_configure(sim, VM, 10000, "[Image]\nGlibcMin=2.36\n");
	assert_int_equal(sim_reload(sim), 0);
	assert_true(sim_log_has(sim, "GlibcMin"));
	r = start(sim);
	sim_wait_answer(sim, r, 10 * S);
	assert_int_equal(r->error, 0);
	assert_int_equal(sim_fake(sim, VM)->starts, 1);
}

static void test_changed_base(void **state)
{
	struct sim *sim = *state;

	sim->bases->says.error = -EBADMSG;
	(void)reason_set(&sim->bases->says.reason, 0, "the base X has been changed");
	configure(sim);
	struct sim_request *r = start(sim);
	sim_wait_answer(sim, r, 10 * S);
	assert_int_equal(r->error, -EBADMSG);
	assert_string_equal(r->text, "the base X has been changed");
	assert_false(guest_state_has_qemu(sim_guest(sim, VM)->state));
	assert_int_equal(sim_guest(sim, VM)->lock_fd, -1);
	assert_int_equal(sim_fake(sim, VM)->starts, 0);

	sim->bases->says = (struct base_news){ .hashed = true };
	r = start(sim);
	sim_wait_answer(sim, r, 10 * S);
	assert_int_equal(r->error, 0);
	assert_true(sim_log_has(sim, "its base was hashed again"));
}

/* Hashing takes a minute: the daemon goes on, what is read meanwhile means nothing, and the start
 * comes once. */
static void test_slow(void **state)
{
	struct sim *sim = *state;
	const struct guest *g;

	configure(sim);
	sim->bases->takes = 60 * S;
	struct sim_request *r = start(sim);
	sim_run(sim, 59 * S);
	g = sim_guest(sim, VM);
	assert_int_equal(g->state, GUEST_STARTING);
	assert_non_null(strstr(g->reason, "base"));
	assert_true(g->lock_fd >= 0);
	assert_int_equal(sim_fake(sim, VM)->starts, 0);
	sim_wait_answer(sim, r, 20 * S);
	assert_int_equal(r->error, 0);
	sim_run(sim, 120 * S);
	assert_int_equal(sim_fake(sim, VM)->starts, 1);
}

/* A stop while the base is looked at: nothing was started, nothing is. */
static void test_called_off(void **state)
{
	struct sim *sim = *state;

	configure(sim);
	sim->bases->takes = 60 * S;
	struct sim_request *started = start(sim);
	sim_run(sim, 5 * S);
	struct sim_request *stopped = sim_ask(sim, VM, OPERATION_STOP);
	sim_wait_answer(sim, stopped, S);
	assert_int_equal(stopped->error, 0);
	assert_int_equal(started->error, -ECANCELED);
	assert_int_equal(sim_guest(sim, VM)->state, GUEST_STOPPED);
	assert_int_equal(sim_guest(sim, VM)->lock_fd, -1);
	sim_run(sim, 120 * S);
	assert_int_equal(sim_fake(sim, VM)->starts, 0);

	/* A restart meanwhile wants what is under way. */
	(void)start(sim);
	sim_run(sim, 5 * S);
	struct sim_request *again = sim_ask(sim, VM, OPERATION_RESTART);
	sim_wait_answer(sim, again, 70 * S);
	assert_int_equal(again->error, 0);
	assert_int_equal(sim_fake(sim, VM)->starts, 1);
}

/* The guest is taken out of the configuration, or the daemon dies, while somebody looks. */
static void test_gone_meanwhile(void **state)
{
	struct sim *sim = *state;

	configure(sim);
	sim->bases->takes = 60 * S;
	(void)start(sim);
	sim_run(sim, 5 * S);
	sim_unconfigure(sim, VM);
	assert_int_equal(sim_reload(sim), 0);
	sim_run(sim, 120 * S);
	assert_int_equal(sim_fake(sim, VM)->starts, 0);
	sim_configure(sim, VM, 10000, "[Guest]\nAutostart=no\n");
	assert_int_equal(sim_reload(sim), 0);
	sim_run(sim, S);
	(void)start(sim);
	sim_run(sim, 5 * S);
	sim_kill_daemon(sim);
	sim->bases->takes = 0;
	sim_daemon(sim);
	sim_wait_healthy(sim, VM, 300 * S); /* it was wanted */
	assert_int_equal(sim_fake(sim, VM)->starts, 1);
}

/* A disk that does not answer is a start that failed: tried again, by the policy. */
static void test_hangs(void **state)
{
	struct sim *sim = *state;

	sim->bases->says.error = -ETIMEDOUT;
	(void)reason_set(&sim->bases->says.reason, 0, "its base cannot be checked");
	sim_daemon(sim);
	sim_run(sim, S / 2);
	assert_int_equal(sim_fake(sim, VM)->starts, 0);
	assert_int_equal(sim_guest(sim, VM)->restart.n_faults, 1);
	sim->bases->says = (struct base_news){ 0 };
	sim->bases->refuses = -EBUSY;
	sim_run(sim, S);
	assert_int_equal(sim_guest(sim, VM)->restart.n_faults, 2);
	sim->bases->refuses = 0;
	sim_wait_healthy(sim, VM, 400 * S);
	assert_int_equal(sim_fake(sim, VM)->starts, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_fine, sim_setup, sim_teardown),
		cmocka_unit_test_setup_teardown(test_old_library, sim_setup, sim_teardown),
		cmocka_unit_test_setup_teardown(test_changed_base, sim_setup, sim_teardown),
		cmocka_unit_test_setup_teardown(test_slow, sim_setup, sim_teardown),
		cmocka_unit_test_setup_teardown(test_called_off, sim_setup, sim_teardown),
		cmocka_unit_test_setup_teardown(test_gone_meanwhile, sim_setup, sim_teardown),
		cmocka_unit_test_setup_teardown(test_hangs, sim_setup, sim_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
