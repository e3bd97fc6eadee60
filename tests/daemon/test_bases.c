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

/* No manifest knows it: the guest is asked, once in a boot, and what it said outlives the daemon.
 */
static void test_own_word(void **state)
{
	struct sim *sim = *state;
	const struct guest *g;

	sim->bases->disk = "5e7 base-1.qcow2";
	sim_fake(sim, VM)->glibc_output = "glibc 2.39\n";
	sim_daemon(sim);
	sim_wait_healthy(sim, VM, 300 * S);
	sim_run(sim, 300 * S);
	g = sim_guest(sim, VM);
	assert_string_equal(image_glibc(&g->image), "2.39");
	assert_string_equal(image_glibc_source(&g->image), "guest");
	assert_int_equal(sim_fake(sim, VM)->glibc_asked, 1);
	assert_false(sim_log_has(sim, "GlibcMin"));
	sim_kill_daemon(sim);
	sim_fake(sim, VM)->glibc_output = NULL;
	sim_daemon(sim);
	sim_run(sim, 60 * S);
	assert_string_equal(image_glibc(&sim_guest(sim, VM)->image), "2.39");

	/* A manifest's word goes before it; without one and with another disk nothing is known. */
	sim->bases->glibc = "2.41-12";
	assert_int_equal(sim_reload(sim), 0);
	sim_run(sim, S);
	assert_string_equal(image_glibc(&sim_guest(sim, VM)->image), "2.41-12");
	assert_string_equal(image_glibc_source(&sim_guest(sim, VM)->image), "image");
	sim->bases->glibc = NULL;
	sim->bases->disk = "5e7 base-2.qcow2";
	sim_kill_daemon(sim);
	sim_daemon(sim);
	sim_run(sim, 60 * S);
	assert_string_equal(image_glibc(&sim_guest(sim, VM)->image), "");
	assert_string_equal(image_glibc_source(&sim_guest(sim, VM)->image), "");
}

/* A guest that says it has too little is told of and left alone; its next start is refused, until
 * the line is lowered or the disk is another. */
static void test_own_word_is_too_old(void **state)
{
	struct sim *sim = *state;
	const struct guest *g;

	sim->bases->disk = "5e7 base-1.qcow2";
	sim_fake(sim, VM)->glibc_output = "glibc 2.36\n";
	sim_daemon(sim);
	sim_wait_healthy(sim, VM, 300 * S);
	sim_run(sim, 300 * S);
	g = sim_guest(sim, VM);
	assert_true(g->healthy);
	assert_int_equal(
		sim_log_count(sim, "its glibc is 2.36, says the guest: under GlibcMin=2.39"), 1);
	sim_wait_answer(sim, sim_ask(sim, VM, OPERATION_STOP), 60 * S);
	struct sim_request *r = start(sim);
	sim_wait_answer(sim, r, 10 * S);
	assert_int_equal(r->error, -ENOEXEC);
	assert_non_null(strstr(r->text, "its glibc is 2.36 by its own word, under GlibcMin=2.39"));
	assert_int_equal(sim_fake(sim, VM)->starts, 1);

	sim->bases->disk = "5e8 base-2.qcow2";
	r = start(sim);
	sim_wait_answer(sim, r, 10 * S);
	assert_int_equal(r->error, 0);
	assert_string_equal(image_glibc(&g->image), "");
	assert_int_equal(sim_fake(sim, VM)->starts, 2);
}

/* Where a manifest knows, nobody is asked; and what is no version is none. */
static void test_own_word_that_is_none(void **state)
{
	struct sim *sim = *state;

	sim->bases->glibc = "2.41-12";
	sim_fake(sim, VM)->glibc_output = "glibc 1.0\n";
	sim_daemon(sim);
	sim_wait_healthy(sim, VM, 300 * S);
	sim_run(sim, 120 * S);
	assert_int_equal(sim_fake(sim, VM)->glibc_asked, 0);
	sim->bases->glibc = NULL;
	sim_fake(sim, VM)->glibc_output = "glibc 2.39\033[2J\n";
	assert_int_equal(sim_reload(sim), 0);
	sim_run(sim, 300 * S);
	assert_int_equal(sim_fake(sim, VM)->glibc_asked, 1);
	assert_string_equal(image_glibc(&sim_guest(sim, VM)->image), "");
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
		cmocka_unit_test_setup_teardown(test_own_word, sim_setup, sim_teardown),
		cmocka_unit_test_setup_teardown(test_own_word_is_too_old, sim_setup, sim_teardown),
		cmocka_unit_test_setup_teardown(
			test_own_word_that_is_none, sim_setup, sim_teardown),
		cmocka_unit_test_setup_teardown(test_old_library, sim_setup, sim_teardown),
		cmocka_unit_test_setup_teardown(test_changed_base, sim_setup, sim_teardown),
		cmocka_unit_test_setup_teardown(test_slow, sim_setup, sim_teardown),
		cmocka_unit_test_setup_teardown(test_called_off, sim_setup, sim_teardown),
		cmocka_unit_test_setup_teardown(test_gone_meanwhile, sim_setup, sim_teardown),
		cmocka_unit_test_setup_teardown(test_hangs, sim_setup, sim_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
