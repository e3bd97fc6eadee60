/* SPDX-License-Identifier: Apache-2.0 */
/* Copies of a running guest's disk: whole or not there, with one answer, and a guest that never
 * stays frozen, whoever hangs, lies or dies when. */
/* LINK: base model policy core io/layout io/hv io/confdir */
/* LIBS: libcbor jansson inih libsystemd */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim.h"

static void assert_text(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" does not say \"%s\"", text, part);
}

static struct sim_request *begin(struct sim *sim)
{
	struct sim_request *r = sim_ask(sim, VM, OPERATION_SNAPSHOT);

	if (r->accepted != 1)
		fail_msg("refused: %s", r->message);
	return r;
}

static bool has_phase(struct sim *sim, const void *arg)
{
	return sim_guest(sim, VM)->snapshotting.phase == *(const enum snapshot_phase *)arg;
}

static void wait_phase(struct sim *sim, enum snapshot_phase phase)
{
	if (!sim_run_until(sim, has_phase, &phase, 60 * S))
		fail_msg("not %s%s", snapshot_phase_to_string(phase), sim_story(sim));
}

/* Nothing is left: of the copy, of the job, of the freeze. */
static void assert_nothing_left(struct sim *sim)
{
	struct fake_guest *d = sim_fake(sim, VM);
	struct hv_backup job;

	fake_backup_look(d, &job);
	assert_int_not_equal(job.state, HV_BACKUP_RUNS);
	assert_false(sim->snapshots->part);
	assert_false(d->frozen);
	assert_int_equal(sim_guest(sim, VM)->snapshotting.phase, SNAPSHOT_NONE);
	assert_false(snapshotting_wants_agent(sim_guest(sim, VM)));
}

static const struct sim_request *fails(struct sim *sim, int error, const char *words)
{
	unsigned n = sim->snapshots->n;
	const struct sim_request *r = begin(sim);

	sim_wait_answer(sim, r, 2 * USEC_PER_HOUR);
	if (r->error != error)
		fail_msg("%d: %s%s", r->error, r->text, sim_story(sim));
	assert_text(r->text, words);
	sim_run(sim, 60 * S);
	assert_nothing_left(sim);
	assert_int_equal(sim->snapshots->n, n);
	assert_true(sim_guest(sim, VM)->snapshotting.failed);
	return r;
}

static void test_frozen(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);
	const struct guest *g = sim_guest(sim, VM);
	const struct sim_request *r;

	d->backup_takes = 20 * S;
	r = begin(sim);
	wait_phase(sim, SNAPSHOT_COPYING);
	sim_run(sim, 10 * S);
	assert_false(d->frozen);
	assert_in_range(g->snapshotting.copied, 1, g->snapshotting.total - 1);
	sim_wait_answer(sim, r, 60 * S);
	assert_int_equal(r->error, 0);
	assert_text(r->text, "frozen by its guest agent, 1");
	assert_text(r->text, "checked, in 2");
	assert_true(d->backup_frozen);
	assert_int_equal(d->freezes, 1);
	/* A fraction of a second. */
	assert_in_range(d->thawed_at - d->frozen_at, 1, 500 * MS);
	assert_int_equal(g->snapshotting.n, 1);
	assert_int_equal(g->snapshotting.list[0].consistency, SNAPSHOT_FROZEN);
	assert_false(g->snapshotting.failed);
	assert_nothing_left(sim);
	assert_true(g->healthy);
	assert_text(fake_store_text(sim->store, VM)->events, "snapshot made: ");
	assert_true(sim_log_has(sim, "snapshot asked for by somebody unknown"));
}

/* The room for it is looked for where the configuration of now has it, not that of the begin. */
static void test_reloaded(void **state)
{
	struct sim *sim = *state;

	assert_int_equal(sim_reload(sim), 0);
	const struct sim_request *r = begin(sim);
	sim_wait_answer(sim, r, 60 * S);
	assert_int_equal(r->error, 0);
	assert_nothing_left(sim);
}

/* What the daemon before did is known to the next one. */
static void test_kept(void **state)
{
	struct sim *sim = *state;

	for (unsigned i = 0; i < 5; i++)
		sim_wait_answer(sim, begin(sim), 60 * S);
	assert_int_equal(sim_guest(sim, VM)->snapshotting.n, 3);
	sim_run(sim, 5 * S);
	sim_stop_daemon(sim);
	sim_daemon(sim);
	sim_run(sim, 5 * S);
	const struct guest_snapshotting *s = &sim_guest(sim, VM)->snapshotting;
	assert_int_equal(s->n, 3);
	assert_text(s->result, "frozen by its guest agent");
	assert_int_not_equal(s->tried_realtime, 0);
	assert_int_equal(sim_fake(sim, VM)->thaws, 5);
	const struct sim_request *r = sim_delete_snapshot(sim, VM, s->list[0].id);
	sim_wait_answer(sim, r, 5 * S);
	assert_int_equal(r->error, 0);
	assert_int_equal(s->n, 2);
	r = sim_delete_snapshot(sim, VM, 4711);
	sim_wait_answer(sim, r, 5 * S);
	assert_int_equal(r->error, -ENOENT);
	assert_int_equal(s->n, 2);
}

static void crash_consistent(struct sim *sim, const char *why)
{
	struct fake_guest *d = sim_fake(sim, VM);
	const struct sim_request *r = begin(sim);

	sim_wait_answer(sim, r, 120 * S);
	if (r->error != 0)
		fail_msg("%s%s", r->text, sim_story(sim));
	assert_text(r->text, "consistent as after a power cut (");
	assert_text(r->text, why);
	assert_int_equal(sim->snapshots->list[sim->snapshots->n - 1].consistency, SNAPSHOT_CRASH);
	sim_run(sim, 120 * S);
	assert_nothing_left(sim);
	assert_false(d->frozen);
}

static void test_no_agent(void **state)
{
	struct sim *sim = *state;

	sim_fake(sim, VM)->no_agent = true;
	sim_fake(sim, VM)->agent_told = false;
	sim_run(sim, 20 * S);
	crash_consistent(sim, "its guest agent is not connected");
	assert_int_equal(sim_fake(sim, VM)->freezes, 0);
}

static void test_freeze_refused(void **state)
{
	struct sim *sim = *state;

	sim_fake(sim, VM)->freeze_error = -EIO;
	crash_consistent(sim, "fake: ");
	assert_int_equal(sim_fake(sim, VM)->freezes, 1);
}

/* It hangs at the freeze, which happens all the same. */
static void test_freeze_unanswered(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	d->freeze_unanswered = true;
	crash_consistent(sim, "");
	assert_true(d->thaws >= 1);
	assert_in_range(d->thawed_at - d->frozen_at, 0, THAWING_FREEZE_MAX + S);
}

/* The begin takes longer than the guest may stand still. */
static void test_begin_is_slow(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	d->backup_begins = 25 * S;
	crash_consistent(sim, "it had to be thawed before the copy had begun");
	assert_in_range(d->thawed_at - d->frozen_at, 9 * S, THAWING_FREEZE_MAX + S);
	assert_false(d->backup_frozen);
}

/* The thaw is asked for until it is answered. */
static void test_thaw_unanswered(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	d->thaws_unanswered = 9;
	const struct sim_request *r = begin(sim);
	sim_wait_answer(sim, r, 300 * S);
	assert_int_equal(r->error, 0);
	sim_run(sim, 300 * S);
	assert_int_equal(d->thaws, 10);
	assert_nothing_left(sim);
	assert_int_equal(sim_log_count(sim, "does not answer to thaw them"), 1);
	assert_true(sim_log_has(sim, "its file systems are thawed, after "));
}

static void test_begin_fails(void **state)
{
	struct sim *sim = *state;

	sim_fake(sim, VM)->backup_error = -EOPNOTSUPP;
	(void)fails(sim, -EOPNOTSUPP, "fake: ");
	assert_int_equal(sim_fake(sim, VM)->thaws, 1);
}

static void test_breaks_half_way(void **state)
{
	struct sim *sim = *state;

	sim_fake(sim, VM)->backup_takes = 20 * S;
	sim_fake(sim, VM)->backup_breaks = true;
	(void)fails(sim, -EIO, "QEMU's copying failed");
	/* And then one that does not. */
	sim_fake(sim, VM)->backup_breaks = false;
	sim_wait_answer(sim, begin(sim), 60 * S);
	assert_false(sim_guest(sim, VM)->snapshotting.failed);
}

static void test_files_fail(void **state)
{
	struct sim *sim = *state;

	sim->snapshots->errors[SNAPSHOT_PREPARE] = -ENOSPC;
	(void)fails(sim, -ENOSPC, "the copy is not right");
	assert_int_equal(sim_fake(sim, VM)->freezes + sim_fake(sim, VM)->backups, 0);
	sim->snapshots->errors[SNAPSHOT_PREPARE] = 0;
	sim->snapshots->errors[SNAPSHOT_FINISH] = -EUCLEAN;
	(void)fails(sim, -EUCLEAN, "the copy is not right; the copy is removed");
}

static void test_room_runs_out(void **state)
{
	struct sim *sim = *state;

	sim_fake(sim, VM)->backup_takes = 200 * S;
	const struct sim_request *r = begin(sim);
	sim_run(sim, 20 * S);
	sim->free_kib = 100 << 10;
	sim_wait_answer(sim, r, 20 * S);
	assert_int_equal(r->error, -ENOSPC);
	assert_text(r->text, "nearly full (100 MiB free)");
	assert_nothing_left(sim);
	assert_int_equal(sim_fake(sim, VM)->backup_aborts, 1);
}

static void test_takes_too_long(void **state)
{
	struct sim *sim = *state;

	sim_fake(sim, VM)->backup_takes = USEC_PER_DAY;
	(void)fails(sim, -ETIMEDOUT, "[Backup] Timeout=");
}

static void test_refused(void **state)
{
	struct sim *sim = *state;
	const struct sim_request *a, *b;

	sim_fake(sim, VM)->backup_takes = 20 * S;
	a = begin(sim);
	b = sim_ask(sim, VM, OPERATION_SNAPSHOT);
	assert_int_equal(b->accepted, -EBUSY);
	assert_text(b->message, "one is under way");
	assert_int_equal(sim_delete_snapshot(sim, VM, 1)->accepted, -EBUSY);
	sim_wait_answer(sim, a, 60 * S);
	sim_wait_answer(sim, sim_ask(sim, VM, OPERATION_STOP), 60 * S);
	b = sim_ask(sim, VM, OPERATION_SNAPSHOT);
	assert_int_equal(b->accepted, -ESRCH);
	assert_text(b->message, "is stopped: a snapshot is of a guest that is up");
	(void)sim_ask(sim, VM, OPERATION_START);
	sim_wait_state(sim, VM, GUEST_BOOTING, 30 * S);
	assert_int_equal(sim_ask(sim, VM, OPERATION_SNAPSHOT)->accepted, -ESRCH);
	sim_wait_healthy(sim, VM, 120 * S);
	fake_hv_disconnect(sim->hv, "gone");
	sim_run(sim, S);
	assert_int_equal(sim_ask(sim, VM, OPERATION_SNAPSHOT)->accepted, -ENOTCONN);
}

static void test_cancelled(void **state)
{
	struct sim *sim = *state;
	char message[REQUEST_MESSAGE_MAX];

	sim_fake(sim, VM)->backup_takes = 200 * S;
	assert_int_equal(
		guest_cancel_snapshot(sim_guest(sim, VM), NULL, sim->now, message), -ESRCH);
	for (usec_t after = 0; after < 3 * S; after += 5 * MS) {
		const struct sim_request *r = begin(sim);
		sim_run(sim, after);
		assert_int_equal(
			guest_cancel_snapshot(sim_guest(sim, VM), NULL, sim->now, message), 0);
		sim_wait_answer(sim, r, 60 * S);
		assert_int_equal(r->error, -ECANCELED);
		sim_run(sim, 5 * S);
		assert_nothing_left(sim);
		after += after > 100 * MS ? 200 * MS : 0;
		sim->n_requests = 0;
		memset(sim->requests, 0, sizeof(sim->requests));
	}
	assert_int_equal(sim->snapshots->n, 0);
	assert_true(sim_guest(sim, VM)->healthy);
}

/* Whatever ends the guest in the middle of one, at every point of it. */
static void ends(enum operation_kind kind, usec_t after)
{
	struct sim *sim = sim_new_healthy();
	struct fake_guest *d = sim_fake(sim, VM);

	d->backup_takes = 3 * S;
	const struct sim_request *a = begin(sim), *b = NULL;
	sim_run(sim, after);
	if (kind != OPERATION_KIND_NUM)
		b = sim_ask(sim, VM, kind);
	else
		fake_guest_end(d, HV_REASON_CRASHED);
	sim_wait_answer(sim, a, 60 * S);
	if (b)
		sim_wait_answer(sim, b, 120 * S);
	if (a->error != 0 && a->error != -ECANCELED && a->error != -ESRCH && a->error != -ENOENT)
		fail_msg("%s after %u: %d %s%s", operation_kind_to_string(kind),
			(unsigned)(after / MS), a->error, a->text, sim_story(sim));
	if (b)
		assert_int_equal(b->error, 0);
	if (kind == OPERATION_SAVE)
		assert_text(b->text, "saved in");
	sim_run(sim, 200 * S);
	assert_nothing_left(sim);
	assert_int_equal(sim->snapshots->n, a->error == 0);
	sim_free(sim);
}

static void test_guest_ends(void **state)
{
	(void)state;
	for (usec_t after = 0; after < 4500 * MS; after += after < 100 * MS ? 5 * MS : 150 * MS)
		for (int kind = OPERATION_START; kind <= OPERATION_KIND_NUM; kind++)
			if (kind == OPERATION_STOP || kind == OPERATION_KILL ||
				kind == OPERATION_SAVE || kind == OPERATION_RESTART ||
				kind == OPERATION_KIND_NUM)
				ends((enum operation_kind)kind, after);
}

/* A job that QEMU does not end: the caller is answered, and it is told again and again. */
static void test_abort_ignored(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);
	char message[REQUEST_MESSAGE_MAX];

	d->backup_takes = USEC_PER_HOUR;
	d->no_snapshot_abort = true;
	const struct sim_request *r = begin(sim);
	sim_run(sim, 5 * S);
	assert_int_equal(
		guest_cancel_snapshot(sim_guest(sim, VM), NULL, sim->now, message), 0);
	sim_wait_answer(sim, r, 31 * S);
	assert_int_equal(r->error, -ECANCELED);
	/* It is still written to. */
	assert_true(sim->snapshots->part);
	r = sim_ask(sim, VM, OPERATION_SNAPSHOT);
	assert_int_equal(r->accepted, -EBUSY);
	assert_text(r->message, "still being ended");
	d->no_snapshot_abort = false;
	sim_run(sim, 10 * S);
	assert_nothing_left(sim);
}

/* The daemon dies at every moment of one: the next thaws, ends the job, and removes the file. */
static void die_at(usec_t after, bool kills)
{
	struct sim *sim = sim_new_healthy();
	struct fake_guest *d = sim_fake(sim, VM);

	d->backup_takes = 3 * S;
	d->backup_begins = 50 * MS;
	sim->snapshots->takes = 20 * MS;
	(void)begin(sim);
	sim_run(sim, after);
	if (kills)
		sim_kill_daemon(sim);
	else
		sim_stop_daemon(sim);
	sim_run(sim, 500 * MS);
	sim_daemon(sim);
	sim_run(sim, 30 * S);
	assert_nothing_left(sim);
	sim_wait_healthy(sim, VM, 30 * S);
	/* A new one is made as if nothing had been. */
	const struct sim_request *r = begin(sim);
	sim_wait_answer(sim, r, 60 * S);
	if (r->error != 0)
		fail_msg("%s%s", r->text, sim_story(sim));
	assert_nothing_left(sim);
	sim_free(sim);
}

static void test_daemon_dies(void **state)
{
	(void)state;
	for (usec_t after = 0; after < 4 * S; after += after < 200 * MS ? 5 * MS : 200 * MS) {
		die_at(after, true);
		die_at(after, false);
	}
}

/* What a former daemon left, of a guest that does not run. */
static void test_left_of_stopped(void **state)
{
	struct sim *sim = *state;

	sim_wait_answer(sim, sim_ask(sim, VM, OPERATION_STOP), 60 * S);
	sim_stop_daemon(sim);
	sim->snapshots->part = true;
	sim_daemon(sim);
	sim_run(sim, 5 * S);
	assert_nothing_left(sim);
	assert_int_equal(sim_fake(sim, VM)->thaws, 0);
}

/* The same of one that runs and has no agent: the next copy is made all the same, and is saved. */
static void test_left_without_agent(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	sim_stop_daemon(sim);
	sim->snapshots->part = true;
	d->no_agent = true;
	d->agent_told = false;
	sim_daemon(sim);
	sim_run(sim, 30 * S);
	assert_false(sim->snapshots->part);
	const struct sim_request *r = begin(sim);
	sim_wait_answer(sim, r, 60 * S);
	assert_int_equal(r->error, 0);
	assert_text(r->text, "its guest agent is not connected");
	assert_int_equal(d->freezes + d->thaws, 0);
}

/* An agent that was told not to freeze refuses the thaw of a former daemon's, too, and answers
 * other questions then. */
static void test_agent_without_freeze(void **state)
{
	struct sim *sim = *state;

	sim_stop_daemon(sim);
	sim->snapshots->part = true;
	sim_fake(sim, VM)->thaw_error = -EIO;
	sim_daemon(sim);
	sim_run(sim, 30 * S);
	assert_int_equal(sim_fake(sim, VM)->thaws, 3);
	assert_nothing_left(sim);
	assert_false(sim_log_has(sim, "refuses to thaw"));
}

/* libvirt goes and comes back while QEMU copies. */
static void test_libvirt_away(void **state)
{
	struct sim *sim = *state;

	sim_fake(sim, VM)->backup_takes = 20 * S;
	const struct sim_request *r = begin(sim);
	wait_phase(sim, SNAPSHOT_COPYING);
	sim_run(sim, S);
	fake_hv_disconnect(sim->hv, "restarted");
	sim_run(sim, 5 * S);
	assert_int_equal(sim->hv->hv.vtable->connect(&sim->hv->hv), 0);
	sim_wait_answer(sim, r, 60 * S);
	assert_int_equal(r->error, 0);
	assert_nothing_left(sim);
}

static void test_removed(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	d->backup_takes = USEC_PER_HOUR;
	d->backup_begins = S;
	const struct sim_request *r = begin(sim);
	sim_run(sim, 500 * MS);
	assert_true(d->frozen);
	sim_unconfigure(sim, VM);
	assert_int_equal(sim_reload(sim), 0);
	assert_int_equal(r->answers, 1);
	assert_int_equal(r->error, -ECANCELED);
	sim_run(sim, 10 * S);
	assert_false(d->frozen);
	struct hv_backup job;
	fake_backup_look(d, &job);
	assert_int_not_equal(job.state, HV_BACKUP_RUNS);
}

int main(void)
{
#define HEALTHY(f) cmocka_unit_test_setup_teardown(f, sim_setup_healthy, sim_teardown)
	const struct CMUnitTest tests[] = {
		HEALTHY(test_frozen),
		HEALTHY(test_reloaded),
		HEALTHY(test_kept),
		HEALTHY(test_no_agent),
		HEALTHY(test_freeze_refused),
		HEALTHY(test_freeze_unanswered),
		HEALTHY(test_begin_is_slow),
		HEALTHY(test_thaw_unanswered),
		HEALTHY(test_begin_fails),
		HEALTHY(test_breaks_half_way),
		HEALTHY(test_files_fail),
		HEALTHY(test_room_runs_out),
		HEALTHY(test_takes_too_long),
		HEALTHY(test_refused),
		HEALTHY(test_cancelled),
		cmocka_unit_test(test_guest_ends),
		HEALTHY(test_abort_ignored),
		cmocka_unit_test(test_daemon_dies),
		HEALTHY(test_left_of_stopped),
		HEALTHY(test_left_without_agent),
		HEALTHY(test_agent_without_freeze),
		HEALTHY(test_libvirt_away),
		HEALTHY(test_removed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
