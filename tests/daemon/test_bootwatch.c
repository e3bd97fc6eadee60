/* SPDX-License-Identifier: Apache-2.0 */
/* Boots that stand still, boots that are merely slow, and what is learned of both. */
/* LINK: base model policy core io/layout io/hv io/confdir */
/* LIBS: libcbor jansson inih libsystemd */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/macro.h"
#include "sim.h"

#define FIRMWARE                                                                                   \
	{                                                                                          \
		50 * MS, "SeaBIOS (version 1.16.2)\r\n"                                            \
	}
#define KERNEL                                                                                     \
	{                                                                                          \
		150 * MS, "[    0.000000] Linux version 6.12.48\r\n"                               \
	}
#define INIT                                                                                       \
	{                                                                                          \
		7 * S, "[    3.118821] Run /init as init process\r\n"                              \
	}
#define CLOUD                                                                                      \
	{                                                                                          \
		28 * S, "[   21.4] cloud-init[412]: Cloud-init v. 25.1.4 running 'init'\r\n"       \
	}
#define LOGIN                                                                                      \
	{                                                                                          \
		36 * S, "\r\nvm ttyS0\r\n\r\nvm login: "                                           \
	}
#define STOPS(...)                                                                                 \
	(const struct fake_line[])                                                                 \
	{                                                                                          \
		__VA_ARGS__,                                                                       \
		{                                                                                  \
			0, NULL                                                                    \
		}                                                                                  \
	}

#define NEVER (100 * USEC_PER_HOUR)

/* One boot that came up, then one by another script in which nothing else ever happens. */
static struct fake_guest *stand_still(struct sim *sim, const struct fake_line *script)
{
	struct fake_guest *d = sim_fake(sim, VM);

	d->script = script;
	d->services_at = d->agent_at = d->cloudinit_at = NEVER;
	sim_log_clear(sim);
	fake_guest_reboot(d, true);
	sim_wait_state(sim, VM, GUEST_BOOTING, 2 * S);
	return d;
}

static bool is_stuck(struct sim *sim, const void *arg)
{
	(void)arg;
	return sim_guest(sim, VM)->bootwatch.stuck;
}

static void wait_stuck(struct sim *sim, usec_t limit)
{
	if (!sim_run_until(sim, is_stuck, NULL, limit))
		fail_msg("not stuck after %u s%s", (unsigned)(limit / S), sim_story(sim));
}

/* Named by its stage, with what it usually takes and the console's last words; nothing is cut off,
 * however long it lasts. */
static void test_stuck_at_each(void **state)
{
	static const struct fake_line firmware[] = { FIRMWARE, { 0, NULL } };
	static const struct fake_line init[] = { FIRMWARE, KERNEL, INIT, { 0, NULL } };
	static const struct fake_line cloud[] = { FIRMWARE, KERNEL, INIT, CLOUD, { 0, NULL } };
	static const struct fake_line login[] = { FIRMWARE, KERNEL, INIT, CLOUD, LOGIN,
		{ 0, NULL } };
	static const struct {
		const struct fake_line *script;
		usec_t stage_at, from, to; /* the deadline, after the stage's beginning */
		const char *words, *console;
	} rows[] = {
		{ firmware, 0, 60, 67, "stuck at stage firmware: not over after 1min",
			"console: SeaBIOS" },
		{ init, 7, 100, 112, "stuck at stage init: not over after 1min 4",
			"console: [    3.118821] Run" },
		{ cloud, 28, 60, 67, "stuck at stage cloud-init: not over after 1min",
			"console: [   21.4] cloud" },
		{ login, 36, 60, 67, "stuck at stage services: not over after 1min",
			"console: vm login:" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct sim *sim = sim_new_healthy();
		struct fake_guest *d = stand_still(sim, rows[i].script);
		const struct guest *g = sim_guest(sim, VM);

		wait_stuck(sim, 200 * S);
		usec_t after = sim->now - d->booted_at - rows[i].stage_at * S;
		assert_in_range(after, rows[i].from * S, rows[i].to * S);
		assert_non_null(strstr(g->reason, rows[i].words));
		assert_non_null(strstr(g->reason, "usually"));
		assert_non_null(strstr(g->reason, rows[i].console));
		assert_true(sim_log_has(sim, rows[i].words));
		assert_true(
			sim_log_has(sim, "0 of 6 active services up, cloud-init unknown; stuck"));
		sim_run(sim, 6 * USEC_PER_HOUR);
		assert_int_equal(sim_log_count(sim, "stuck at stage"), 1);
		assert_true(g->bootwatch.stuck);
		assert_non_null(strstr(g->reason, rows[i].words));
		assert_int_equal(d->destroys, 0);
		assert_int_equal(d->presses + d->agent_shutdowns, 0);
		sim_free(sim);
	}
}

/* A kernel that talks and comes to no end has no disk yet: ended, and started again. */
static void test_kernel_talks(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = stand_still(sim, STOPS(FIRMWARE, KERNEL));
	const struct guest *g = sim_guest(sim, VM);
	usec_t began = d->booted_at;

	for (unsigned i = 0; i < 400 && d->destroys == 0; i++) {
		char line[32];

		(void)snprintf(line, sizeof(line), "again %c%c\r\n", 'a' + i % 26, 'a' + i / 26);
		fake_guest_say(d, line);
		sim_run(sim, S);
	}
	assert_int_equal(g->last_exit.cause, CAUSE_BOOT_DEAD);
	/* Four times the least budget. */
	assert_in_range(d->destroyed_at - began, 240 * S, 250 * S);
	d->script = STOPS(FIRMWARE, KERNEL, INIT, CLOUD, LOGIN);
	d->services_at = d->agent_at = d->cloudinit_at = 40 * S;
	sim_wait_healthy(sim, VM, 200 * S);
	assert_int_equal(d->starts, 2);
}

/* It comes after all: that is told, and it teaches. */
static void test_comes_after_all(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = stand_still(sim, STOPS(FIRMWARE, KERNEL, INIT));
	const struct guest *g = sim_guest(sim, VM);

	wait_stuck(sim, 200 * S);
	/* Talk is no way out of it. */
	fake_guest_say(d, "A start job is running for nothing\r\n");
	sim_run(sim, 30 * S);
	assert_true(g->bootwatch.stuck);
	fake_guest_say(d, "Cloud-init v. 25.1.4 running 'init'\r\n");
	sim_run(sim, 6 * S);
	assert_false(g->bootwatch.stuck);
	assert_string_equal(g->reason, "");
	assert_true(sim_log_has(sim, "the boot moves again, at stage cloud-init"));
	fake_guest_say(d, "mediakit: cloud-init finished, 200.0 s\r\n");
	sim_wait_state(sim, VM, GUEST_READY, 10 * S);
	assert_int_equal(g->bootwatch.learned.series[true][BOOTTIME_LATER].n, 1);
}

/* Four times as slow as it ever was, a new line every 50 s: never called stuck. */
static void test_slow_but_moving(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = stand_still(sim, STOPS(FIRMWARE, KERNEL));
	const struct guest *g = sim_guest(sim, VM);
	static const char *const lines[] = { "Run /init as init process", "mounting", "checking",
		"growing the root", "Cloud-init v. 25", "Setting up nginx", "Setting up gcc",
		"Setting up make", "vm login: ", "keys made",
		"mediakit: cloud-init finished, 1 s" };

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		sim_run(sim, 50 * S);
		fake_guest_say(d, lines[i]);
		fake_guest_say(d, "\r\n");
	}
	sim_wait_state(sim, VM, GUEST_READY, 5 * S);
	assert_false(sim_log_has(sim, "stuck"));
	assert_int_equal(d->destroys, 0);
	assert_in_range(boottime_whole(&g->bootwatch.learned,
				(struct boottime_how){ true, BOOTTIME_LATER, false }),
		549 * S, 552 * S);
}

/* What was learned outlives the daemon, however that ends. */
static void test_learned_survives(void **state)
{
	struct sim *sim = *state;
	struct boottime before = sim_guest(sim, VM)->bootwatch.learned;

	assert_int_equal(before.series[true][BOOTTIME_FIRST].n, 1);
	assert_in_range(before.series[true][BOOTTIME_FIRST].samples[0].took[BOOT_KERNEL], 6800 * MS,
		6900 * MS);
	sim_run(sim, 5 * S);
	sim_kill_daemon(sim);
	sim_daemon(sim);
	assert_memory_equal(&sim_guest(sim, VM)->bootwatch.learned, &before, sizeof(before));
	sim_run(sim, 5 * S);
	/* The next boot is a later one, expected to take what the first took, and then itself. */
	sim_wait_state(sim, VM, GUEST_READY, 10 * S);
	fake_guest_reboot(sim_fake(sim, VM), true);
	sim_wait_state(sim, VM, GUEST_RUNNING, 60 * S);
	assert_in_range(sim_guest(sim, VM)->bootwatch.expected, 43 * S, 55 * S);
	sim_wait_state(sim, VM, GUEST_READY, 60 * S);
	assert_int_equal(sim_guest(sim, VM)->bootwatch.expected, 0);
	assert_int_equal(sim_guest(sim, VM)->bootwatch.learned.series[true][BOOTTIME_LATER].n, 1);
	/* Another disk: cloud-init does its work again. */
	const struct sim_request *r = sim_ask(sim, VM, OPERATION_STOP);
	sim_wait_answer(sim, r, 200 * S);
	sim_unprovision(sim, VM);
	sim_configure(sim, "other", 20000, NULL); /* takes the inode that became free */
	sim_provision(sim, VM);
	r = sim_ask(sim, VM, OPERATION_START);
	sim_wait_answer(sim, r, 60 * S);
	sim_wait_state(sim, VM, GUEST_READY, 100 * S);
	assert_int_equal(sim_guest(sim, VM)->bootwatch.learned.series[true][BOOTTIME_FIRST].n, 2);
}

/* A host that starves the guest makes it slow, not stuck, and teaches nothing; not for ever. */
static void test_starved(void **state)
{
	static const struct fake_line script[] = { FIRMWARE, KERNEL, INIT,
		{ 380 * S, "Cloud-init v. 25.1.4 running 'init'\r\n" }, { 0, NULL } };
	struct sim *sim = *state;
	const struct guest *g = sim_guest(sim, VM);
	struct fake_guest *d = stand_still(sim, script);

	fake_guest_starve(d, 900);
	sim_run(sim, 385 * S);
	assert_true(g->starving.policy.starved);
	assert_int_equal(g->boot.stage, BOOT_CLOUD_INIT);
	assert_false(sim_log_has(sim, "stuck"));
	wait_stuck(sim, 250 * S);
	assert_in_range(sim->now - d->booted_at, 620 * S, 630 * S);
	fake_guest_say(d, "mediakit: cloud-init finished, 200.0 s\r\n");
	sim_wait_state(sim, VM, GUEST_READY, 10 * S);
	assert_int_equal(g->bootwatch.learned.series[true][BOOTTIME_LATER].n, 0);
}

/* Neither the host's sleep nor a pause is the boot's time, and neither teaches. */
static void test_lost_time(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);
	const struct guest *g = sim_guest(sim, VM);

	fake_guest_reboot(d, true);
	sim_run(sim, 10 * S);
	sim_suspend(sim, 5 * USEC_PER_HOUR);
	sim_run(sim, 10 * S);
	fake_guest_pause(d, HV_REASON_USER);
	sim_run(sim, 5 * USEC_PER_HOUR);
	assert_int_equal(g->state, GUEST_PAUSED);
	fake_guest_resume(d);
	sim_wait_healthy(sim, VM, 60 * S);
	assert_false(sim_log_has(sim, "stuck"));
	assert_int_equal(d->starts, 1);
	assert_int_equal(g->bootwatch.learned.series[true][BOOTTIME_LATER].n, 0);
}

/* A kernel silent when the host falls asleep has its time left when it wakes. */
static void test_sleep_in_silence(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = stand_still(
		sim, STOPS(FIRMWARE, KERNEL, { 100 * S, "Run /init as init process\r\n" }));

	sim_run(sim, 20 * S);
	sim_suspend(sim, USEC_PER_HOUR);
	sim_run(sim, 70 * S);
	assert_int_equal(sim_guest(sim, VM)->boot.stage, BOOT_KERNEL);
	assert_int_equal(sim_guest(sim, VM)->state, GUEST_BOOTING);
	sim_run(sim, 20 * S);
	assert_int_equal(sim_guest(sim, VM)->boot.stage, BOOT_INIT);
	assert_int_equal(d->destroys, 0);
}

static struct sim *sim_that_restarts(void)
{
	struct sim *sim = sim_new();

	sim_configure(sim, VM, 10000, "[Boot]\nOnStuck=restart\n[Shutdown]\nTimeout=60s\n");
	sim_daemon(sim);
	sim_wait_healthy(sim, VM, 90 * S);
	return sim;
}

/* Asked to go, it goes, and is started again by the restart policy. */
static void test_restart(void **state)
{
	struct sim *sim = sim_that_restarts();
	struct fake_guest *d = stand_still(sim, STOPS(FIRMWARE, KERNEL, INIT, CLOUD, LOGIN));
	const struct guest *g = sim_guest(sim, VM);

	(void)state;
	d->logind_at = 120 * S; /* presses before are lost */
	wait_stuck(sim, 200 * S);
	sim_wait_state(sim, VM, GUEST_CRASHED, 60 * S);
	assert_int_equal(g->last_exit.cause, CAUSE_BOOT_STUCK);
	assert_true(d->presses >= 2);
	assert_int_equal(d->destroys, 0);
	assert_int_equal(g->restart.n_faults, 1);
	d->services_at = d->agent_at = d->cloudinit_at = 40 * S;
	d->logind_at = 35 * S;
	sim_wait_healthy(sim, VM, 120 * S);
	assert_int_equal(d->starts, 2);
	/* From now on a power-off is the guest's own again. */
	fake_guest_end(d, HV_REASON_SHUTDOWN);
	sim_wait_state(sim, VM, GUEST_STOPPED, 10 * S);
	assert_int_equal(g->last_exit.cause, CAUSE_GUEST_POWEROFF);
	sim_free(sim);
}

/* It does not go: asked for as long as a stop would, once, and never ended. */
static void test_restart_refused(void **state)
{
	struct sim *sim = sim_that_restarts();
	struct fake_guest *d = stand_still(sim, STOPS(FIRMWARE, KERNEL, INIT, CLOUD));
	const struct guest *g = sim_guest(sim, VM);

	(void)state;
	d->ignores_acpi = true;
	wait_stuck(sim, 200 * S);
	usec_t began = sim->now;
	sim_run(sim, 3 * USEC_PER_HOUR);
	assert_in_range(d->presses, 10, 13);
	assert_true(d->last_press_at - began <= 60 * S);
	assert_int_equal(d->destroys, 0);
	assert_true(g->bootwatch.stuck);
	assert_non_null(strstr(g->reason, "stuck at stage cloud-init"));
	assert_int_equal(sim_log_count(sim, "did not power off when asked"), 1);
	/* Once for each boot, though it gets stuck again. */
	unsigned presses = d->presses;
	fake_guest_say(d, "vm login: ");
	sim_run(sim, 10 * S);
	assert_false(g->bootwatch.stuck);
	wait_stuck(sim, 100 * S);
	sim_run(sim, 300 * S);
	assert_int_equal(d->presses, presses);
	/* A person may still end it. */
	const struct sim_request *r = sim_ask(sim, VM, OPERATION_KILL);
	sim_wait_answer(sim, r, 60 * S);
	assert_int_equal(g->state, GUEST_STOPPED);
	sim_free(sim);
}

/* With the budget spent, going down would mean being given up: it is left running. */
static void test_restart_unaffordable(void **state)
{
	struct sim *sim = sim_that_restarts();
	struct guest *g = sim_guest(sim, VM);

	(void)state;
	g->restart.n_faults = g->spec->restart_limit;
	for (unsigned i = 0; i < g->restart.n_faults; i++)
		g->restart.faults[i] = sim->now;
	struct fake_guest *d = stand_still(sim, STOPS(FIRMWARE, KERNEL, INIT, CLOUD, LOGIN));
	wait_stuck(sim, 200 * S);
	sim_run(sim, USEC_PER_HOUR);
	assert_int_equal(d->presses, 0);
	assert_int_equal(g->state, GUEST_RUNNING);
	sim_free(sim);
}

/* What cloud-init says is kept, bounded and escaped, and forgotten with the boot. */
static void test_cloudinit(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);
	const struct guest *g = sim_guest(sim, VM);

	assert_int_equal(g->bootwatch.cloudinit.state, CLOUDINIT_DONE);
	d->cloudinit_status = "{\"v1\":{\"stage\":\"modules-final\",\"init\":{\"start\":1,"
			      "\"finished\":2,\"errors\":[],\"recoverable_errors\":{\"WARNING\":"
			      "[\"no \\u001b[2J\"]}}}}";
	d->cloudinit_at = 60 * S;
	fake_guest_reboot(d, true);
	sim_wait_state(sim, VM, GUEST_RUNNING, 60 * S);
	sim_run(sim, 10 * S);
	assert_int_equal(g->bootwatch.cloudinit.state, CLOUDINIT_RUNNING);
	assert_string_equal(g->bootwatch.cloudinit.stage, "modules-final");
	assert_int_equal(g->bootwatch.cloudinit.warnings, 1);
	/* The serial line ends the boot in this script; the agent's word comes after it, and is not
	 * waited for as calmly as a boot_id. */
	sim_wait_state(sim, VM, GUEST_READY, 60 * S);
	sim_run(sim, usec_sub(d->booted_at + d->cloudinit_at + 6 * S, sim->now));
	assert_int_equal(g->bootwatch.cloudinit.state, CLOUDINIT_DEGRADED);
	assert_string_equal(g->bootwatch.cloudinit.quote, "no \\x1b[2J");
	assert_true(sim_log_has(sim, "cloud-init: 0 errors, 1 warnings: no \\x1b[2J"));
	fake_guest_reboot(d, true);
	sim_wait_state(sim, VM, GUEST_BOOTING, 5 * S);
	assert_int_equal(g->bootwatch.cloudinit.state, CLOUDINIT_UNKNOWN);
	assert_string_equal(g->bootwatch.cloudinit.quote, "");
}

int main(void)
{
#define PLAIN(f)   cmocka_unit_test(f)
#define HEALTHY(f) cmocka_unit_test_setup_teardown(f, sim_setup_healthy, sim_teardown)
	const struct CMUnitTest tests[] = {
		PLAIN(test_stuck_at_each),
		HEALTHY(test_kernel_talks),
		HEALTHY(test_comes_after_all),
		HEALTHY(test_slow_but_moving),
		HEALTHY(test_learned_survives),
		HEALTHY(test_starved),
		HEALTHY(test_lost_time),
		HEALTHY(test_sleep_in_silence),
		PLAIN(test_restart),
		PLAIN(test_restart_refused),
		PLAIN(test_restart_unaffordable),
		HEALTHY(test_cloudinit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
