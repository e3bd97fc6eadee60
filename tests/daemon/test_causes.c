/* SPDX-License-Identifier: Apache-2.0 */
/* Each way in which a guest ends: its cause, its record, and what follows from it. */
/* LINK: base model policy core io/layout io/hv io/confdir */
/* LIBS: libcbor jansson inih libsystemd */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/macro.h"
#include "sim.h"

static void by_guest(struct sim *sim)
{
	fake_guest_shut_down(sim_fake(sim, VM), HV_HINT_POWEROFF);
}

static void by_sigterm(struct sim *sim)
{
	fake_guest_shut_down(sim_fake(sim, VM), HV_HINT_TERMINATED);
}

static void by_nobody_heard(struct sim *sim)
{
	fake_guest_shut_down(sim_fake(sim, VM), HV_HINT_CHANGED);
}

static void by_destroy(struct sim *sim)
{
	fake_guest_end(sim_fake(sim, VM), HV_REASON_DESTROYED);
}

static void by_save(struct sim *sim)
{
	fake_guest_end(sim_fake(sim, VM), HV_REASON_SAVED);
}

static void by_crash(struct sim *sim)
{
	fake_guest_end(sim_fake(sim, VM), HV_REASON_CRASHED);
}

static void by_memory(struct sim *sim)
{
	sim->oom_kills++;
	fake_guest_end(sim_fake(sim, VM), HV_REASON_CRASHED);
}

/* The last statistics were read between the kill and the end. */
static void by_memory_early(struct sim *sim)
{
	sim->oom_kills++;
	sim_run(sim, 5 * S);
	fake_guest_end(sim_fake(sim, VM), HV_REASON_CRASHED);
}

/* Somebody else's kill, long before. */
static void by_crash_later(struct sim *sim)
{
	sim->oom_kills++;
	sim_run(sim, 60 * S);
	fake_guest_end(sim_fake(sim, VM), HV_REASON_CRASHED);
}

static void by_crash_uncounted(struct sim *sim)
{
	sim->oom_unknown = true;
	fake_guest_end(sim_fake(sim, VM), HV_REASON_CRASHED);
}

/* That the kernel killed something does not make a destroy its doing. */
static void by_destroy_and_kill(struct sim *sim)
{
	sim->oom_kills++;
	fake_guest_end(sim_fake(sim, VM), HV_REASON_DESTROYED);
}

static void by_unknown(struct sim *sim)
{
	fake_guest_end(sim_fake(sim, VM), HV_REASON_UNKNOWN);
}

static void by_panic(struct sim *sim)
{
	fake_guest_pvpanic(sim_fake(sim, VM));
}

static const struct row {
	void (*end)(struct sim *sim);
	enum exit_cause cause;
	bool restarts;
	const char *words; /* part of the record's */
	const char *turn;  /* the configuration that turns it round; NULL: none does */
} rows[] = {
	{ by_guest, CAUSE_GUEST_POWEROFF, false, "powered itself off", "OnPowerOff=restart" },
	{ by_nobody_heard, CAUSE_GUEST_POWEROFF, false, "nobody heard which",
		"OnPowerOff=restart" },
	{ by_sigterm, CAUSE_TERMINATED, true, "told to end from outside", "OnTerminated=stay" },
	{ by_destroy, CAUSE_DESTROYED, false, "to destroy it", "OnDestroy=restart" },
	{ by_destroy_and_kill, CAUSE_DESTROYED, false, "to destroy it", "OnDestroy=restart" },
	{ by_save, CAUSE_SAVED, false, "saved to disk", NULL },
	{ by_crash, CAUSE_QEMU_CRASHED, true, "QEMU crashed", "OnCrash=stay" },
	{ by_crash_later, CAUSE_QEMU_CRASHED, true, "QEMU crashed", "OnCrash=stay" },
	{ by_crash_uncounted, CAUSE_QEMU_CRASHED, true, "QEMU crashed (memory kill: unknown)",
		"OnCrash=stay" },
	{ by_memory, CAUSE_MEMORY_KILL, true, "killed QEMU for memory", "OnMemoryKill=stay" },
	{ by_memory_early, CAUSE_MEMORY_KILL, true, "killed QEMU for memory", "OnMemoryKill=stay" },
	{ by_unknown, CAUSE_UNKNOWN, true, "does not say why", "OnCrash=stay" },
	{ by_panic, CAUSE_GUEST_PANIC, true, "kernel panicked", "OnPanic=stay" },
};

static void run_row(const struct row *row, bool turned)
{
	struct sim *sim = sim_new();
	char extra[64] = "", field[64];

	if (turned)
		(void)snprintf(extra, sizeof(extra), "[Restart]\n%s\n", row->turn);
	sim_configure(sim, VM, 10000, extra);
	sim_daemon(sim);
	sim_wait_healthy(sim, VM, 120 * S);
	sim_run(sim, 15 * S);
	sim_log_clear(sim);
	row->end(sim);
	sim_run(sim, 30 * S);

	const struct guest *g = sim_guest(sim, VM);
	if (g->last_exit.cause != row->cause || !strstr(g->last_exit.words, row->words))
		fail_msg("%s: %s and not %s: %s%s", cause_to_string(g->last_exit.cause),
			g->last_exit.words, cause_to_string(row->cause), row->words,
			sim_story(sim));
	if (!strstr(row->words, "unknown"))
		assert_null(strstr(g->last_exit.words, "unknown"));
	assert_int_equal(sim_fake(sim, VM)->starts, row->restarts != turned ? 2 : 1);
	if (row->restarts == turned)
		assert_int_equal(g->state, GUEST_STOPPED);
	if (row->restarts == turned && row->turn)
		assert_non_null(strstr(g->reason, "stays down by On"));
	/* One record, whose fields say the same. */
	assert_int_equal(sim_log_count(sim, "ended ("), 1);
	(void)snprintf(field, sizeof(field), "MEDIAKIT_CAUSE=%s\n", cause_to_string(row->cause));
	assert_int_equal(sim_log_count(sim, field), 1);
	/* And it holds over a restart of the daemon. */
	sim_kill_daemon(sim);
	sim_daemon(sim);
	sim_run(sim, 120 * S);
	assert_int_equal(sim_fake(sim, VM)->starts, row->restarts != turned ? 2 : 1);
	assert_int_equal(sim_guest(sim, VM)->last_exit.cause, row->cause);
	assert_true(sim_guest(sim, VM)->last_exit.uptime > 50 * S);
	sim_free(sim);
}

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		run_row(&rows[i], false);
		if (rows[i].turn)
			run_row(&rows[i], true);
	}
}

/* What it said last, and what its services said, are in the record and in plain lines. */
static void test_record(void **state)
{
	struct sim *sim = *state;

	fake_guest_say(sim_fake(sim, VM), "\033[1;31mBUG\033[0m: unable to handle\r\nlast words");
	sim_fake_service(sim, VM, "local-proofreader")->manner = MANNER_REFUSE;
	sim_wait_service(sim, VM, "local-proofreader", SERVICE_DOWN, 60 * S);
	fake_guest_end(sim_fake(sim, VM), HV_REASON_CRASHED);
	sim_wait_state(sim, VM, GUEST_CRASHED, 5 * S);
	assert_true(sim_log_has(sim, "MEDIAKIT_UPTIME_USEC="));
	assert_true(sim_log_has(sim, "BUG: unable to handle\nlast words\n"));
	assert_true(sim_log_has(sim, "it said last: BUG: unable to handle\n"));
	assert_true(sim_log_has(sim, "it said last: last words\n"));
	assert_true(sim_log_has(sim, "\nlocal-proofreader down (refused: "));
	assert_true(sim_log_has(sim, "\nlocal-marketing up (ok"));
	assert_true(sim_log_has(sim, "not well then: local-proofreader down (refused: "));
}

/* The OS ended, QEMU did not: a record, no fault, no start, no budget. */
static void test_reboot(void **state)
{
	struct sim *sim = *state;
	const struct guest *g = sim_guest(sim, VM);

	sim_log_clear(sim);
	fake_guest_reboot(sim_fake(sim, VM), true);
	sim_wait_state(sim, VM, GUEST_BOOTING, 5 * S);
	assert_int_equal(g->last_exit.cause, CAUSE_GUEST_REBOOT);
	assert_int_equal(sim_log_count(sim, "<5> vm-mediakit: ended (guest-reboot) after "), 1);
	sim_wait_healthy(sim, VM, 120 * S);
	assert_int_equal(g->restart.n_faults, 0);
	assert_int_equal(sim_fake(sim, VM)->starts, 1);
	/* The word of the boot before is not this one's. */
	fake_guest_shut_down(sim_fake(sim, VM), HV_HINT_CHANGED);
	sim_wait_state(sim, VM, GUEST_STOPPED, 5 * S);
	assert_int_equal(g->last_exit.cause, CAUSE_GUEST_POWEROFF);
}

static void crash_once(struct sim *sim, usec_t up)
{
	sim_wait_healthy(sim, VM, 300 * S);
	sim_run(sim, up);
	fake_guest_end(sim_fake(sim, VM), HV_REASON_CRASHED);
	sim_run(sim, S / 2);
}

/* The fourth inside the window latches; nothing but reset-failed opens it. */
static void test_latch(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	for (unsigned i = 0; i < 4; i++)
		crash_once(sim, 60 * S);
	assert_int_equal(sim_guest(sim, VM)->state, GUEST_FAILED);
	assert_int_equal(d->starts, 4);
	sim_run(sim, USEC_PER_DAY);
	sim_kill_daemon(sim);
	sim_daemon(sim);
	sim_run(sim, 60 * S);
	assert_int_equal(sim_guest(sim, VM)->state, GUEST_FAILED);
	assert_true(sim_ask(sim, VM, OPERATION_START)->accepted < 0);
	guest_reset_failed(sim_guest(sim, VM), "the test", sim->now);
	assert_int_equal(sim_guest(sim, VM)->restart.n_faults, 0);
	sim_wait_answer(sim, sim_ask(sim, VM, OPERATION_START), 60 * S);
	/* The whole budget again. */
	for (unsigned i = 0; i < 3; i++)
		crash_once(sim, 60 * S);
	assert_int_equal(sim_guest(sim, VM)->state, GUEST_CRASHED);
	sim_wait_healthy(sim, VM, 300 * S);
}

/* A guest that was given up, that a person started, and that panicked before we saw it run, is
 * ended. That end is over with that QEMU: the person's next one is not killed for it. */
static void test_latched_panic(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	for (unsigned i = 0; i < 4; i++)
		crash_once(sim, 60 * S);
	assert_int_equal(sim_guest(sim, VM)->state, GUEST_FAILED);
	d->panics = 1;
	fake_guest_start(d);
	fake_guest_pvpanic(d);
	sim_run(sim, 20 * S);
	assert_false(fake_guest_has_qemu(d));
	assert_int_equal(sim_guest(sim, VM)->state, GUEST_FAILED);
	assert_int_equal(d->destroys, 1);
	sim_run(sim, USEC_PER_HOUR);
	assert_int_equal(d->destroys, 1);
	fake_guest_start(d);
	sim_wait_healthy(sim, VM, 300 * S);
	sim_run(sim, USEC_PER_HOUR);
	assert_int_equal(d->destroys, 1);
	assert_true(fake_guest_runs(d));
}

/* Healthy for StableAfter between two crashes: never given up, though all are in one window. */
static void test_stable(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	sim_configure(sim, VM, 10000, "[Restart]\nStableAfter=2min\nWindow=1d\n");
	assert_int_equal(sim_reload(sim), 0);
	for (unsigned i = 0; i < 8; i++) {
		crash_once(sim, 125 * S);
		assert_int_equal(sim_guest(sim, VM)->restart.n_faults, 1);
	}
	sim_wait_healthy(sim, VM, 300 * S);
	assert_int_equal(d->starts, 9);
	/* Up, but with a service down, is not stable. */
	sim_fake_service(sim, VM, "local-proofreader")->manner = MANNER_REFUSE;
	sim_run(sim, 600 * S);
	assert_int_equal(sim_guest(sim, VM)->restart.n_faults, 1);
}

int main(void)
{
#define HEALTHY(f) cmocka_unit_test_setup_teardown(f, sim_setup_healthy, sim_teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		HEALTHY(test_record),
		HEALTHY(test_reboot),
		HEALTHY(test_latch),
		HEALTHY(test_latched_panic),
		HEALTHY(test_stable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
