/* SPDX-License-Identifier: Apache-2.0 */
/* What comes while something else is still under way: a panic that is told late, a start or a kill
 * that overtakes a save, a word before the first look, a daemon that is not the first. What was
 * asked for last is what is, and nothing of one run reaches into the next. */
/* LINK: base model policy core io/layout io/hv io/confdir */
/* LIBS: libcbor jansson inih libsystemd */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "io/layout.h"
#include "model/state.h"
#include "sim.h"

static void assert_text(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" does not say \"%s\"", text, part);
}

static void assert_state(struct sim *sim, enum guest_state state)
{
	if (sim_guest(sim, VM)->state != state)
		fail_msg("it is %s, not %s%s", guest_state_to_string(sim_guest(sim, VM)->state),
			guest_state_to_string(state), sim_story(sim));
}

static void connect_again(struct sim *sim)
{
	assert_int_equal(sim->hv->hv.vtable->connect(&sim->hv->hv), 0);
}

/* Down by an operator's word, and read so. */
static void stop_for_good(struct sim *sim)
{
	sim_wait_answer(sim, sim_ask(sim, VM, OPERATION_STOP), 30 * S);
	sim_run(sim, 10 * S);
}

/* The answer to its start was lost with libvirt, and it panicked before anybody looked: it is ended
 * for that, and the next boot is let be. */
static void test_panic_of_a_lost_start(void **state)
{
	struct sim *sim = *state;

	sim_daemon(sim);
	struct fake_guest *d = sim_fake(sim, VM);
	d->panics = 1;
	d->panic_tells = true;
	sim_wait_state(sim, VM, GUEST_STARTING, 10 * S);
	sim_run(sim, S);
	fake_hv_disconnect(sim->hv, "gone");
	sim_run(sim, 8 * S);
	connect_again(sim);
	sim_run(sim, S);
	assert_int_equal(sim_guest(sim, VM)->last_exit.cause, CAUSE_GUEST_PANIC);
	sim_wait_healthy(sim, VM, 120 * S);
	sim_run(sim, USEC_PER_HOUR);
	assert_state(sim, GUEST_READY);
	assert_int_equal(d->boots, 2);
	assert_int_equal(d->destroys, 1);
}

/* The hint of a panic comes when the end that followed was read and dealt with. */
static void test_late_hint_of_a_panic(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);
	const struct hv_event event = { .hint = HV_HINT_PANICKED, .uuid = d->uuid };

	fake_guest_end(d, HV_REASON_CRASHED);
	sim_wait_state(sim, VM, GUEST_CRASHED, 5 * S);
	sim->hv->observer.event(sim->hv->observer.userdata, &event, sim->now);
	sim_wait_healthy(sim, VM, 120 * S);
	assert_int_equal(sim_guest(sim, VM)->restart.n_faults, 1);
	sim_run(sim, USEC_PER_HOUR);
	assert_state(sim, GUEST_READY);
	assert_int_equal(d->boots, 2);
	assert_int_equal(d->destroys, 0);
}

/* What a daemon kept of a boot is not believed of the next one, that somebody else began: it may
 * hang in its first seconds, and that is seen. */
static void test_stage_of_an_older_run(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	sim_kill_daemon(sim);
	sim_daemon(sim);
	sim_wait_healthy(sim, VM, 60 * S);
	stop_for_good(sim);
	d->panics = 1;
	fake_guest_start(d);
	sim_run(sim, 2 * S);
	assert_state(sim, GUEST_BOOTING);
	assert_true(sim_guest(sim, VM)->boot.stage <= BOOT_KERNEL);
	/* Nobody saw it begin, so it takes its disk's silence as well as the words. */
	sim_run(sim, USEC_PER_HOUR);
	assert_int_equal(sim_guest(sim, VM)->last_exit.cause, CAUSE_BOOT_DEAD);
}

/* The daemon dies within a start, and the boot that the next one finds panics. */
static void test_stage_of_a_cut_start(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	stop_for_good(sim);
	d->panics = 1;
	(void)sim_ask(sim, VM, OPERATION_START);
	sim_wait_state(sim, VM, GUEST_STARTING, S);
	sim_run(sim, 4 * S);
	sim_kill_daemon(sim);
	sim_run(sim, 500 * MS);
	sim_daemon(sim);
	sim_run(sim, USEC_PER_HOUR);
	assert_state(sim, GUEST_READY);
	assert_int_equal(d->boots, 3);
}

/* Stopped before anybody looked what runs: what a former daemon had begun to start is stopped when
 * it is found. */
static void test_stop_before_the_first_look(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	stop_for_good(sim);
	for (unsigned kill = 0; kill < 2; kill++) {
		(void)sim_ask(sim, VM, OPERATION_START);
		sim_wait_state(sim, VM, GUEST_STARTING, S);
		sim_run(sim, 2 * S);
		sim_kill_daemon(sim);
		sim_run(sim, 60 * S);
		sim_daemon(sim);
		const struct sim_request *r =
			sim_ask(sim, VM, kill ? OPERATION_KILL : OPERATION_STOP);
		assert_int_equal(r->accepted, 0);
		assert_text(r->message, "as far as is known");
		sim_run(sim, 60 * S);
		assert_state(sim, GUEST_STOPPED);
		assert_false(fake_guest_has_qemu(d));
		assert_int_equal(d->destroys, kill);
	}
}

/* The same, and up again before the look: the last word counts. */
static void test_stop_and_start_before_the_first_look(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	stop_for_good(sim);
	sim_kill_daemon(sim);
	fake_guest_start(d);
	sim_run(sim, 60 * S);
	sim_daemon(sim);
	(void)sim_ask(sim, VM, OPERATION_STOP);
	const struct sim_request *r = sim_ask(sim, VM, OPERATION_START);
	sim_wait_answer(sim, r, 30 * S);
	assert_int_equal(r->error, 0);
	sim_run(sim, 600 * S);
	assert_state(sim, GUEST_READY);
	assert_int_equal(d->boots, 2);
}

/* A save waits for the end of a copy; a start or a restart that comes meanwhile calls it off. */
static void test_save_waits_and_start(void **state)
{
	static const enum operation_kind kinds[] = { OPERATION_START, OPERATION_RESTART };
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	for (unsigned i = 0; i < 2; i++) {
		d->backup_takes = 600 * S;
		assert_int_equal(sim_ask(sim, VM, OPERATION_SNAPSHOT)->accepted, 1);
		sim_run(sim, 5 * S);
		d->no_snapshot_abort = true;
		const struct sim_request *save = sim_ask(sim, VM, OPERATION_SAVE);
		sim_run(sim, 2 * S);
		assert_int_equal(save->answers, 0);
		const struct sim_request *r = sim_ask(sim, VM, kinds[i]);
		assert_int_equal(save->answers, 1);
		assert_int_equal(save->error, -ECANCELED);
		assert_text(save->text, "asked for meanwhile");
		d->no_snapshot_abort = false;
		sim_run(sim, 300 * S);
		if (r->accepted)
			assert_int_equal(r->error, 0);
		sim_run(sim, USEC_PER_HOUR);
		assert_state(sim, GUEST_READY);
		assert_int_equal(d->saves, 0);
		assert_int_equal(d->starts, 1 + i);
	}
}

/* Both in one turn of the loop. */
static void test_save_and_start_at_once(void **state)
{
	struct sim *sim = *state;
	const struct sim_request *save = sim_ask(sim, VM, OPERATION_SAVE);
	const struct sim_request *start = sim_ask(sim, VM, OPERATION_START);

	assert_int_equal(start->accepted, 0);
	assert_int_equal(save->error, -ECANCELED);
	sim_run(sim, 600 * S);
	assert_state(sim, GUEST_READY);
	assert_int_equal(sim_fake(sim, VM)->saves, 0);
}

/* As last seen it is up, but libvirt is away: it powered itself off since, and is started. */
static void test_start_of_what_was_up(void **state)
{
	static const enum hv_reason ends[] = { HV_REASON_SHUTDOWN, HV_REASON_CRASHED };
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	for (unsigned i = 0; i < 2; i++) {
		fake_hv_disconnect(sim->hv, "gone");
		sim_run(sim, S);
		fake_guest_end(d, ends[i]);
		sim_run(sim, 60 * S);
		const struct sim_request *r = sim_ask(sim, VM, OPERATION_START);
		assert_int_equal(r->accepted, 1);
		sim_run(sim, 5 * S);
		assert_text(sim_guest(sim, VM)->reason, "the start waits for libvirt");
		connect_again(sim);
		sim_wait_answer(sim, r, 60 * S);
		assert_int_equal(r->error, 0);
		assert_text(r->text, "started");
		sim_wait_healthy(sim, VM, 120 * S);
		assert_int_equal(d->starts, 2 + i);
	}
}

/* It is up indeed. libvirt goes away once more before it could say so. */
static void test_start_of_what_is_up(void **state)
{
	struct sim *sim = *state;

	fake_hv_disconnect(sim->hv, "gone");
	sim_run(sim, S);
	const struct sim_request *r = sim_ask(sim, VM, OPERATION_START);
	sim_run(sim, 5 * S);
	connect_again(sim);
	sim_turn(sim);
	fake_hv_disconnect(sim->hv, "gone again");
	sim_run(sim, 5 * S);
	assert_int_equal(r->answers, 0);
	connect_again(sim);
	sim_wait_answer(sim, r, 5 * S);
	assert_int_equal(r->error, 0);
	assert_text(r->text, "it is ready already");
	assert_string_equal(sim_guest(sim, VM)->reason, "");
	assert_int_equal(sim_fake(sim, VM)->starts, 1);
}

static bool is_being_ended(struct sim *sim, const void *arg)
{
	(void)arg;
	return sim_guest(sim, VM)->state == GUEST_CRASHED;
}

/* The boot that the start waited to ask about was found dead meanwhile: it is ended first. */
static void test_start_of_what_is_dead(void **state)
{
	struct sim *sim = *state;

	sim_daemon(sim);
	struct fake_guest *d = sim_fake(sim, VM);
	d->panics = 1;
	sim_wait_state(sim, VM, GUEST_BOOTING, 10 * S);
	sim_run(sim, 5 * S);
	fake_hv_disconnect(sim->hv, "gone");
	sim_run(sim, S);
	const struct sim_request *r = sim_ask(sim, VM, OPERATION_START);
	assert_int_equal(r->accepted, 1);
	assert_true(sim_run_until(sim, is_being_ended, NULL, 60 * S));
	sim_run(sim, S);
	connect_again(sim);
	sim_wait_answer(sim, r, 60 * S);
	assert_int_equal(r->error, 0);
	sim_wait_healthy(sim, VM, 120 * S);
	assert_int_equal(d->boots, 2);
	assert_int_equal(d->destroys, 1);
}

/* A start that waits for libvirt is taken back by a stop, also where an attempt was to come. */
static void test_stop_of_a_waiting_start(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	fake_guest_end(d, HV_REASON_CRASHED);
	sim_wait_state(sim, VM, GUEST_CRASHED, 5 * S);
	fake_hv_disconnect(sim->hv, "gone");
	sim_run(sim, 100 * MS);
	const struct sim_request *start = sim_ask(sim, VM, OPERATION_START);
	sim_run(sim, S);
	const struct sim_request *stop = sim_ask(sim, VM, OPERATION_STOP);
	sim_run(sim, S);
	assert_int_equal(start->error, -ECANCELED);
	assert_text(stop->text, "is called off");
	connect_again(sim);
	sim_run(sim, 60 * S);
	assert_state(sim, GUEST_STOPPED);
	assert_int_equal(d->starts, 1);
}

/* A start that waits for libvirt outlives the daemon, also where the guest would otherwise be left
 * at rest. */
static void test_waiting_start_survives(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	for (unsigned saved = 0; saved < 2; saved++) {
		if (saved)
			sim_wait_answer(sim, sim_ask(sim, VM, OPERATION_SAVE), 60 * S);
		else
			fake_guest_end(d, HV_REASON_SHUTDOWN);
		sim_run(sim, 30 * S);
		assert_state(sim, GUEST_STOPPED);
		fake_hv_disconnect(sim->hv, "gone");
		sim_run(sim, S);
		assert_int_equal(sim_ask(sim, VM, OPERATION_START)->accepted, 1);
		sim_run(sim, 10 * S);
		sim_kill_daemon(sim);
		sim_daemon(sim);
		sim_wait_healthy(sim, VM, 300 * S);
		sim_run(sim, 60 * S);
	}
	assert_int_equal(d->restores, 1);
}

/* A kill that called off the next attempt is done with: it spoils no save of a later run. */
static void test_kill_calls_off_once(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	fake_guest_end(d, HV_REASON_CRASHED);
	sim_wait_state(sim, VM, GUEST_CRASHED, 5 * S);
	const struct sim_request *r = sim_ask(sim, VM, OPERATION_KILL);
	sim_run(sim, 5 * S);
	assert_text(r->text, "is called off");
	sim_wait_answer(sim, sim_ask(sim, VM, OPERATION_START), 30 * S);
	sim_wait_healthy(sim, VM, 120 * S);
	r = sim_ask(sim, VM, OPERATION_SAVE);
	sim_wait_answer(sim, r, 60 * S);
	assert_text(r->text, "the next start goes on from there");
	sim_wait_answer(sim, sim_ask(sim, VM, OPERATION_START), 60 * S);
	assert_int_equal(d->restores, 1);
}

/* The guest's configuration without it, and with it again. */
static void remove_guest(struct sim *sim, char **ret_text)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/guests.d/" VM ".conf", sim->config_dir);
	assert_int_equal(file_read(path, 65536, ret_text, NULL), 0);
	sim_configure(sim, "vm-other", 20000, NULL);
	sim_unprovision(sim, "vm-other");
	sim_unconfigure(sim, VM);
	assert_int_equal(sim_reload(sim), 0);
}

static void put_back(struct sim *sim, const char *text)
{
	sim_configure_text(sim, VM, text);
	assert_int_equal(sim_reload(sim), 0);
	sim_run(sim, 10 * S);
}

/* Removed by a reload while it is saved, and put back: its save is its own, under its name. */
static void test_removed_while_saved(void **state)
{
	struct sim *sim = *state;
	CLEANUP_FREE char *lock = layout_guest_lock(sim->state_dir, VM);
	CLEANUP_FREE char *text = NULL;

	(void)sim_ask(sim, VM, OPERATION_SAVE);
	sim_run(sim, S);
	remove_guest(sim, &text);
	sim_run(sim, S);
	/* Until it is written down what the save fits nobody may touch the disk. */
	assert_int_equal(file_lock(lock), -EWOULDBLOCK);
	sim_run(sim, 10 * S);
	assert_true(sim_fake(sim, VM)->has_save);
	int fd = file_lock(lock);
	assert_true(fd >= 0);
	(void)close(fd);
	put_back(sim, text);
	const struct sim_request *r = sim_ask(sim, VM, OPERATION_START);
	sim_wait_answer(sim, r, 60 * S);
	assert_text(r->text, "running (warm");
	assert_int_equal(sim_fake(sim, VM)->restores, 1);
}

/* Killed while it is being started: QEMU is ended as soon as it is there. */
static void test_kill_in_start(void **state)
{
	struct sim *sim = *state;

	sim_daemon(sim);
	const struct fake_guest *d = sim_fake(sim, VM);
	sim_wait_state(sim, VM, GUEST_STARTING, 10 * S);
	sim_run(sim, S);
	const struct sim_request *r = sim_ask(sim, VM, OPERATION_KILL);
	sim_wait_answer(sim, r, 60 * S);
	assert_int_equal(r->error, 0);
	assert_true(r->answered_at - r->asked_at < 6 * S);
	assert_text(r->text, "killed by request");
	sim_run(sim, 60 * S);
	assert_state(sim, GUEST_STOPPED);
	assert_int_equal(d->starts, 1);
}

/* The host has just booted: what lies weeks back is not of this hour. */
static void test_old_faults_of_a_young_host(void **state)
{
	struct sim *sim = *state;
	struct fake_text *t = fake_store_text(sim->store, VM);
	struct state_record record;

	sim_run(sim, 10 * S);
	sim_kill_daemon(sim);
	assert_int_equal(state_from_text(t->text, strlen(t->text), &record), 0);
	record.n_faults = 4;
	for (unsigned i = 0; i < 3; i++)
		record.fault_realtime[i] = now_realtime() - (30 - i) * 24 * USEC_PER_HOUR;
	record.fault_realtime[3] = now_realtime() - 60 * S;
	for (unsigned i = 0; i < 2; i++) {
		record.services[i].unit_restarts = 2;
		record.services[i].unit_window_realtime =
			now_realtime() - (i ? 60 * S : 30 * 24 * USEC_PER_HOUR);
	}
	free(t->text);
	t->text = state_to_text(&record);
	sim_daemon(sim);
	const struct guest *g = sim_guest(sim, VM);
	assert_int_equal(g->restart.n_faults, 1);
	assert_int_equal(g->services[0].remedy.policy.n, 0);
	assert_int_equal(g->services[1].remedy.policy.n, 2);
	fake_guest_end(sim_fake(sim, VM), HV_REASON_CRASHED);
	sim_run(sim, 30 * S);
	sim_wait_healthy(sim, VM, 120 * S);
	assert_int_equal(g->restart.n_faults, 2);
}

/* A start whose daemon died, and that libvirt finishes only after the next one looked, and the one
 * after that: wanted down since, it is stopped when it comes true. */
static void test_start_of_a_dead_daemon(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	stop_for_good(sim);
	d->start_takes = 30 * S;
	for (unsigned how = 0; how < 4; how++) {
		sim_run(sim, 300 * S);
		(void)sim_ask(sim, VM, OPERATION_START);
		sim_wait_state(sim, VM, GUEST_STARTING, S);
		sim_run(sim, 2 * S);
		/* Stopped by the first daemon, by the second; and then there is a third; by the
		 * second, when that has begun a start of its own, which waits for the disk. */
		if (how == 0)
			(void)sim_ask(sim, VM, OPERATION_STOP);
		sim_run(sim, S);
		sim_kill_daemon(sim);
		sim->saves->takes = how == 3 ? 10 * S : 0;
		sim_daemon(sim);
		sim_run(sim, how == 3 ? S : 0);
		if (how > 0)
			(void)sim_ask(sim, VM, OPERATION_STOP);
		sim_run(sim, 5 * S);
		assert_state(sim, GUEST_STOPPED);
		if (how == 2) {
			sim_kill_daemon(sim);
			sim_daemon(sim);
		}
		sim_run(sim, 180 * S);
		assert_int_equal(d->boots, 2 + how);
		assert_false(fake_guest_has_qemu(d));
		assert_state(sim, GUEST_STOPPED);
	}
	/* Whoever starts it by hand later has his reasons. */
	sim_run(sim, 60 * S);
	fake_guest_start(d);
	sim_run(sim, 600 * S);
	assert_state(sim, GUEST_READY);
}

/* Such a stop forgets nothing: a guest that was given up stays so. */
static void test_stop_of_one_given_up(void **state)
{
	struct sim *sim = *state;

	sim_fake(sim, VM)->panics = 100;
	fake_guest_end(sim_fake(sim, VM), HV_REASON_CRASHED);
	sim_wait_state(sim, VM, GUEST_FAILED, 600 * S);
	sim_run(sim, 10 * S);
	sim_kill_daemon(sim);
	sim_daemon(sim);
	(void)sim_ask(sim, VM, OPERATION_STOP);
	sim_turn(sim);
	assert_false(sim_guest(sim, VM)->seen);
	sim_kill_daemon(sim);
	sim_daemon(sim);
	assert_int_equal(sim_guest(sim, VM)->want, WANT_DOWN);
	assert_state(sim, GUEST_FAILED);
	sim_run(sim, 60 * S);
	assert_state(sim, GUEST_FAILED);
}

/* Removed while its start waits for what was recorded of the save: that is written down again. */
static void test_removed_while_restored(void **state)
{
	struct sim *sim = *state;
	CLEANUP_FREE char *text = NULL;

	sim_wait_answer(sim, sim_ask(sim, VM, OPERATION_SAVE), 60 * S);
	sim->saves->takes = 5 * S;
	(void)sim_ask(sim, VM, OPERATION_START);
	sim_run(sim, S);
	assert_true(sim_guest(sim, VM)->saving.take_waits);
	remove_guest(sim, &text);
	sim_run(sim, 20 * S);
	/* It is wanted up still. */
	put_back(sim, text);
	sim_run(sim, 20 * S);
	assert_int_equal(sim_fake(sim, VM)->restores, 1);
	assert_state(sim, GUEST_READY);
}

int main(void)
{
#define FRESH(f)   cmocka_unit_test_setup_teardown(f, sim_setup, sim_teardown)
#define HEALTHY(f) cmocka_unit_test_setup_teardown(f, sim_setup_healthy, sim_teardown)
	const struct CMUnitTest tests[] = {
		FRESH(test_panic_of_a_lost_start),
		HEALTHY(test_late_hint_of_a_panic),
		HEALTHY(test_stage_of_an_older_run),
		HEALTHY(test_stage_of_a_cut_start),
		HEALTHY(test_stop_before_the_first_look),
		HEALTHY(test_stop_and_start_before_the_first_look),
		HEALTHY(test_save_waits_and_start),
		HEALTHY(test_save_and_start_at_once),
		HEALTHY(test_start_of_what_was_up),
		HEALTHY(test_start_of_what_is_up),
		FRESH(test_start_of_what_is_dead),
		HEALTHY(test_stop_of_a_waiting_start),
		HEALTHY(test_waiting_start_survives),
		HEALTHY(test_kill_calls_off_once),
		HEALTHY(test_removed_while_saved),
		FRESH(test_kill_in_start),
		HEALTHY(test_old_faults_of_a_young_host),
		HEALTHY(test_start_of_a_dead_daemon),
		HEALTHY(test_stop_of_one_given_up),
		HEALTHY(test_removed_while_restored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
