/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon is told to end while a guest's disk is copied: there may be no next one, so the guest
 * is not left frozen, and who does not answer is not waited for long. Where it is left so after
 * all, the next one knows. */
/* LINK: base model policy core io/layout io/hv io/confdir */
/* LIBS: libcbor jansson inih libsystemd */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim.h"

static struct sim_request *begin(struct sim *sim)
{
	struct sim_request *r = sim_ask(sim, VM, OPERATION_SNAPSHOT);

	if (r->accepted != 1)
		fail_msg("refused: %s", r->message);
	return r;
}

static void assert_not_copied(struct fake_guest *d)
{
	struct hv_backup job;

	fake_backup_look(d, &job);
	assert_int_not_equal(job.state, HV_BACKUP_RUNS);
}

/* Of the next daemon. */
static void assert_next_is_well(struct sim *sim)
{
	sim_daemon(sim);
	sim_run(sim, 30 * S);
	assert_false(sim_fake(sim, VM)->frozen);
	assert_not_copied(sim_fake(sim, VM));
	assert_false(sim->snapshots->part);
	sim_wait_healthy(sim, VM, 30 * S);
	const struct sim_request *r = begin(sim);
	sim_wait_answer(sim, r, 60 * S);
	assert_int_equal(r->error, 0);
}

static void test_nothing_to_wait_for(void **state)
{
	struct sim *sim = *state;

	assert_int_equal(sim_end_daemon(sim), 0);
	assert_next_is_well(sim);
	/* An end that is begun is not begun anew. */
	supervisor_end(sim->supervisor, sim->now);
	assert_true(supervisor_is_ending(sim->supervisor));
	assert_true(supervisor_may_end(sim->supervisor, sim->now));
}

static void test_while_frozen(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	d->backup_begins = 500 * MS;
	d->backup_takes = USEC_PER_HOUR;
	const struct sim_request *r = begin(sim);
	sim_run(sim, 300 * MS);
	assert_true(d->frozen);
	assert_false(supervisor_may_end(sim->supervisor, sim->now));
	assert_in_range(sim_end_daemon(sim), 1, 2 * S);
	assert_int_equal(r->answers, 1);
	assert_int_equal(r->error, -ECANCELED);
	assert_non_null(strstr(r->text, "the daemon is ending"));
	assert_false(d->frozen);
	assert_in_range(d->thawed_at - d->frozen_at, 1, 500 * MS);
	assert_not_copied(d);
	assert_false(sim->snapshots->part);
	d->backup_begins = d->backup_takes = 0;
	assert_next_is_well(sim);
	assert_int_equal(d->thaws, 2); /* its own copy's was the second: none was owed any more */
}

/* At every moment of one. Where nothing was ended, the copy had been made, or was being checked. */
static void end_at(usec_t after)
{
	struct sim *sim = sim_new_healthy();
	struct fake_guest *d = sim_fake(sim, VM);

	d->backup_takes = 2 * S;
	d->backup_begins = 50 * MS;
	sim->snapshots->takes = 20 * MS;
	(void)begin(sim);
	sim_run(sim, after);
	bool checks = sim_guest(sim, VM)->snapshotting.phase == SNAPSHOT_CHECKING;
	usec_t took = sim_end_daemon(sim);
	if (took > SUPERVISOR_ENDING_MAX || d->frozen || (sim->snapshots->part && !checks))
		fail_msg("after %u ms: %u ms%s%s", (unsigned)(after / MS), (unsigned)(took / MS),
			d->frozen ? ", frozen" : "", sim->snapshots->part ? ", half a copy" : "");
	assert_not_copied(d);
	assert_next_is_well(sim);
	sim_free(sim);
}

static void test_at_every_moment(void **state)
{
	(void)state;
	for (usec_t after = 0; after < 4 * S; after += after < 200 * MS ? 5 * MS : 200 * MS)
		end_at(after);
}

/* The thaw is not answered: after the bound it is the next daemon's. */
static void test_bounded(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	d->backup_begins = 500 * MS;
	d->thaws_unanswered = 3;
	(void)begin(sim);
	sim_run(sim, 300 * MS);
	assert_true(d->frozen);
	assert_int_equal(sim_end_daemon(sim), SUPERVISOR_ENDING_MAX);
	assert_next_is_well(sim);
}

static void test_job_does_not_end(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	d->backup_takes = USEC_PER_HOUR;
	d->no_snapshot_abort = true;
	(void)begin(sim);
	sim_run(sim, 5 * S);
	assert_int_equal(sim_end_daemon(sim), SUPERVISOR_ENDING_MAX);
	/* It is still written to, and so there. */
	assert_true(sim->snapshots->part);
	assert_false(d->frozen);
	d->no_snapshot_abort = false;
	d->backup_takes = 0;
	assert_next_is_well(sim);
}

/* The copy is whole before a thaw was answered, so no half-made one tells the next daemon. */
static void test_killed_after_the_copy(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	d->freeze_unanswered = true;
	d->thaws_unanswered = 20;
	const struct sim_request *r = begin(sim);
	sim_wait_answer(sim, r, 60 * S);
	assert_int_equal(r->error, 0);
	assert_true(d->frozen);
	assert_false(sim->snapshots->part);
	sim_kill_daemon(sim);
	d->freeze_unanswered = false;
	d->thaws_unanswered = 1;
	assert_next_is_well(sim);
}

static void test_none_is_begun(void **state)
{
	struct sim *sim = *state;

	supervisor_end(sim->supervisor, sim->now);
	const struct sim_request *r = sim_ask(sim, VM, OPERATION_SNAPSHOT);
	assert_int_equal(r->accepted, -EBUSY);
	assert_non_null(strstr(r->message, "the daemon is ending"));
}

int main(void)
{
#define HEALTHY(f) cmocka_unit_test_setup_teardown(f, sim_setup_healthy, sim_teardown)
	const struct CMUnitTest tests[] = {
		HEALTHY(test_nothing_to_wait_for),
		HEALTHY(test_while_frozen),
		cmocka_unit_test(test_at_every_moment),
		HEALTHY(test_bounded),
		HEALTHY(test_job_does_not_end),
		HEALTHY(test_killed_after_the_copy),
		HEALTHY(test_none_is_begun),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
