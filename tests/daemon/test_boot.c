/* SPDX-License-Identifier: Apache-2.0 */
/* From a configuration to a healthy guest, and all the ways in which a boot goes wrong. */
/* LINK: base model policy core io/layout io/hv io/confdir */
/* LIBS: libcbor jansson inih libsystemd */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "core/probing.h"
#include "core/sight.h"
#include "sim.h"

static void test_to_healthy(void **state)
{
	struct sim *sim = *state;

	sim_daemon(sim);
	sim_wait_state(sim, VM, GUEST_BOOTING, 10 * S);
	sim_wait_state(sim, VM, GUEST_RUNNING, 60 * S);
	sim_wait_healthy(sim, VM, 60 * S);
	const struct guest *g = sim_guest(sim, VM);
	const struct fake_guest *d = sim_fake(sim, VM);
	/* Services answer before cloud-init ends, and only its end makes the guest ready. */
	assert_true(d->services_at < d->cloudinit_at);
	assert_true(sim->now - d->booted_at >= d->cloudinit_at);
	assert_true(sim->now - d->booted_at <= d->cloudinit_at + 2 * S);
	sim_run(sim, 5 * S);
	assert_int_equal(g->state, GUEST_READY);
	assert_int_equal(d->starts, 1);
	assert_int_equal(d->boots, 1);
	assert_string_equal(g->boot_id, d->boot_id);
	assert_true(g->started_at_realtime > 0);
	assert_int_equal(g->boot.stage, BOOT_DONE);
}

/* The first serial bytes come before the start is answered: they are of this boot. */
static void test_early_console(void **state)
{
	struct sim *sim = *state;

	sim_daemon(sim);
	sim_wait_state(sim, VM, GUEST_BOOTING, 10 * S);
	assert_int_equal(sim_guest(sim, VM)->boot.stage, BOOT_KERNEL);
	assert_true(sim_guest(sim, VM)->console.total > 0);
	assert_true(fake_store_text(sim->store, VM)->console_bytes > 0);
}

static void test_proven(void **state)
{
	struct sim *sim = *state;
	const struct guest *g = sim_guest(sim, VM);
	unsigned ports = 0;

	for (unsigned i = 0; i < g->n_services; i++) {
		const struct service *s = &g->services[i];

		assert_int_equal(s->probe.state, SERVICE_UP);
		assert_int_equal(s->probe.last.verdict, VERDICT_OK);
		if (s->spec->port == 0)
			continue;
		ports++;
		assert_true(s->probe.last.proven);
	}
	assert_int_equal(ports, 8);
}

/* No agent: the boot_id is learned from the services, the units are unwatched and nobody waits
 * for them. */
static void test_without_agent(void **state)
{
	struct sim *sim = *state;

	sim_daemon(sim);
	sim_fake(sim, VM)->no_agent = true;
	sim_wait_healthy(sim, VM, 90 * S);
	sim_run(sim, 20 * S);
	assert_string_equal(sim_guest(sim, VM)->boot_id, sim_fake(sim, VM)->boot_id);
	assert_false(sim_guest(sim, VM)->boot_id_by_agent);
	assert_true(sim_service(sim, VM, "service-fs")->probe.last.proven);
	assert_true(sight_unwatched(sim_service(sim, VM, "system-core")));
	assert_int_equal(
		sim_service(sim, VM, "system-core")->probe.last.verdict, VERDICT_INCONCLUSIVE);
}

/* Nothing on the serial line, no agent: it takes as long as it takes, and is well. */
static void test_silent_guest(void **state)
{
	static const struct fake_line silence[] = { { 0, NULL } };
	struct sim *sim = *state;

	sim_daemon(sim);
	struct fake_guest *d = sim_fake(sim, VM);
	d->script = silence;
	d->no_agent = true;
	d->services_at = 700 * S;
	sim_run(sim, 690 * S);
	assert_int_equal(sim_guest(sim, VM)->state, GUEST_BOOTING);
	/* Nothing will ever say that cloud-init ended, so two minutes of answers must do. */
	sim_wait_healthy(sim, VM, 150 * S);
	assert_in_range(
		sim->now - d->booted_at, d->services_at + 119 * S, d->services_at + 130 * S);
	assert_int_equal(d->starts, 1);
	assert_int_equal(d->destroys, 0);
}

static void test_panicking_boot(void **state)
{
	struct sim *sim = *state;

	sim_daemon(sim);
	struct fake_guest *d = sim_fake(sim, VM);
	d->panics = 1;
	sim_wait_state(sim, VM, GUEST_CRASHED, 60 * S);
	/* 30 s after the last new stage, and the operator reads why. */
	assert_in_range(sim->now - d->booted_at, 30 * S, 32 * S);
	const struct guest *g = sim_guest(sim, VM);
	assert_int_equal(g->last_exit.cause, CAUSE_BOOT_DEAD);
	assert_non_null(strstr(g->last_exit.words, "Oops: int3"));
	sim_wait_state(sim, VM, GUEST_BOOTING, 20 * S);
	assert_int_equal(d->destroys, 1);
	sim_wait_healthy(sim, VM, 90 * S);
	assert_int_equal(d->starts, 2);
	assert_string_equal(g->reason, "");
}

/* When its root may be writable: not before the host sees that its disk is left alone. */
static void test_late_panic(void **state)
{
	struct sim *sim = *state;

	sim_daemon(sim);
	struct fake_guest *d = sim_fake(sim, VM);
	const struct guest *g = sim_guest(sim, VM);
	d->panics = 1;
	d->panics_late = true;
	sim_wait_state(sim, VM, GUEST_BOOTING, 20 * S);
	for (unsigned i = 0; i < 10; i++) {
		sim_run(sim, 60 * S);
		sim_write_disk(sim, VM);
	}
	assert_int_equal(g->state, GUEST_BOOTING);
	usec_t wrote = sim->now;
	sim_wait_state(sim, VM, GUEST_CRASHED, 140 * S);
	assert_in_range(sim->now - wrote, 120 * S, 131 * S);
	assert_int_equal(g->last_exit.cause, CAUSE_BOOT_DEAD);
	assert_non_null(strstr(g->last_exit.words, "Oops: int3"));
	sim_wait_healthy(sim, VM, 120 * S);
	assert_int_equal(d->starts, 2);
	assert_int_equal(d->destroys, 1);
}

/* Nobody can tell whether a disk is written to that is not there to be looked at. */
static void test_late_panic_unseen(void **state)
{
	struct sim *sim = *state;

	sim_daemon(sim);
	struct fake_guest *d = sim_fake(sim, VM);
	d->panics = 1;
	d->panics_late = true;
	sim_wait_state(sim, VM, GUEST_BOOTING, 20 * S);
	sim_unprovision(sim, VM);
	sim_run(sim, USEC_PER_HOUR);
	assert_int_equal(sim_guest(sim, VM)->state, GUEST_BOOTING);
	assert_int_equal(d->destroys, 0);
}

/* A bounded number of times, then latched; an operator opens it. */
static void test_gives_up(void **state)
{
	struct sim *sim = *state;

	sim_daemon(sim);
	struct fake_guest *d = sim_fake(sim, VM);
	d->panics = 100;
	sim_wait_state(sim, VM, GUEST_FAILED, 600 * S);
	const struct guest *g = sim_guest(sim, VM);
	assert_int_equal(d->starts, g->spec->restart_limit + 1);
	assert_non_null(strstr(g->reason, "Oops: int3"));
	assert_non_null(strstr(g->reason, "reset-failed"));
	sim_run(sim, USEC_PER_HOUR);
	assert_int_equal(d->starts, g->spec->restart_limit + 1);
	assert_int_equal(g->state, GUEST_FAILED);
	assert_false(fake_guest_has_qemu(d));

	const struct sim_request *r = sim_ask(sim, VM, OPERATION_START);
	assert_int_equal(r->accepted, -EPERM);
	assert_non_null(strstr(r->message, "given up"));
	d->panics = 0;
	guest_reset_failed(sim_guest(sim, VM), "the test", sim->now);
	sim_run(sim, S);
	r = sim_ask(sim, VM, OPERATION_START);
	sim_wait_answer(sim, r, 30 * S);
	assert_int_equal(r->error, 0);
	sim_wait_healthy(sim, VM, 90 * S);
}

/* The latch holds across the daemon's own restart. */
static void test_failed_survives(void **state)
{
	struct sim *sim = *state;

	sim_daemon(sim);
	sim_fake(sim, VM)->panics = 100;
	sim_wait_state(sim, VM, GUEST_FAILED, 600 * S);
	unsigned starts = sim_fake(sim, VM)->starts;
	sim_run(sim, 10 * S);
	sim_kill_daemon(sim);
	sim_daemon(sim);
	sim_run(sim, 60 * S);
	assert_int_equal(sim_guest(sim, VM)->state, GUEST_FAILED);
	assert_int_equal(sim_fake(sim, VM)->starts, starts);
}

/* pvpanic is QEMU's word, not the serial line's: the guest is started again at any age. */
static void test_pvpanic(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	fake_guest_pvpanic(d);
	sim_wait_state(sim, VM, GUEST_CRASHED, 5 * S);
	assert_int_equal(sim_guest(sim, VM)->last_exit.cause, CAUSE_GUEST_PANIC);
	sim_wait_healthy(sim, VM, 120 * S);
	assert_int_equal(d->starts, 2);
}

/* Anybody with root in the guest can write those words. */
static void test_panic_text_later(void **state)
{
	static const char words[] =
		"[ 99.0] Oops: int3: 0000 [#1]\r\nKernel panic - not syncing: \033[2J fake\r\n";
	struct sim *sim = *state;

	sim_daemon(sim);
	struct fake_guest *d = sim_fake(sim, VM);
	/* In the initrd, where userspace begins, and as long as one likes. */
	sim_wait_state(sim, VM, GUEST_BOOTING, 10 * S);
	sim_run(sim, 8 * S);
	fake_guest_say(d, words);
	sim_wait_healthy(sim, VM, 120 * S);
	for (int i = 0; i < 30; i++) {
		fake_guest_say(d, words);
		sim_run(sim, 10 * S);
	}
	assert_true(sim_guest(sim, VM)->healthy);
	assert_int_equal(d->destroys, 0);
	assert_int_equal(d->boots, 1);
	/* It is shown. */
	assert_true(sim_guest(sim, VM)->boot.panicked);
	assert_true(sim_log_has(sim, "the serial line says"));
	assert_false(sim_log_has(sim, "\033"));
}

/* The guest rebooted itself: services begin anew, the boot_id before is stale. */
static void test_guest_reboots(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);
	char old[37];

	memcpy(old, d->boot_id, sizeof(old));
	fake_guest_reboot(d, true);
	sim_run(sim, 2 * S);
	assert_int_equal(sim_guest(sim, VM)->state, GUEST_BOOTING);
	assert_int_equal(sim_service(sim, VM, "service-fs")->probe.state, SERVICE_STARTING);
	sim_wait_healthy(sim, VM, 90 * S);
	assert_string_equal(sim_guest(sim, VM)->past_boot_id, old);
	assert_string_equal(sim_guest(sim, VM)->boot_id, d->boot_id);
	sim_run(sim, 15 * S);
	assert_true(sim_service(sim, VM, "service-fs")->probe.last.proven);
	assert_int_equal(d->starts, 1);
}

/* In the middle of its boot too: watched anew, so that a panic of the second try is seen. */
static void test_reboots_in_boot(void **state)
{
	struct sim *sim = *state;

	sim_daemon(sim);
	struct fake_guest *d = sim_fake(sim, VM);
	sim_wait_state(sim, VM, GUEST_BOOTING, 10 * S);
	sim_run(sim, 20 * S);
	assert_int_equal(sim_guest(sim, VM)->boot.stage, BOOT_INIT);
	d->panics = 1;
	fake_guest_reboot(d, true);
	sim_wait_state(sim, VM, GUEST_CRASHED, 60 * S);
	assert_int_equal(sim_guest(sim, VM)->last_exit.cause, CAUSE_BOOT_DEAD);
	sim_wait_healthy(sim, VM, 120 * S);
}

/* The event got lost: the agent shows another boot_id within a minute, and that is believed. */
static void test_reset_event_lost(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	char old[37];

	memcpy(old, d->boot_id, sizeof(old));
	fake_guest_reboot(d, false);
	sim_run(sim, 180 * S);
	assert_string_equal(sim_guest(sim, VM)->past_boot_id, old);
	assert_string_equal(sim_guest(sim, VM)->boot_id, d->boot_id);
	assert_true(sim_guest(sim, VM)->healthy);
	assert_int_equal(sim_service(sim, VM, "service-fs")->probe.last.verdict, VERDICT_OK);
	assert_true(sim_service(sim, VM, "service-fs")->probe.last.proven);
}

int main(void)
{
#define FRESH(f)   cmocka_unit_test_setup_teardown(f, sim_setup, sim_teardown)
#define HEALTHY(f) cmocka_unit_test_setup_teardown(f, sim_setup_healthy, sim_teardown)
	const struct CMUnitTest tests[] = {
		FRESH(test_to_healthy),
		FRESH(test_early_console),
		HEALTHY(test_proven),
		FRESH(test_without_agent),
		FRESH(test_silent_guest),
		FRESH(test_panicking_boot),
		FRESH(test_late_panic),
		FRESH(test_late_panic_unseen),
		FRESH(test_gives_up),
		FRESH(test_failed_survives),
		HEALTHY(test_pvpanic),
		FRESH(test_panic_text_later),
		HEALTHY(test_guest_reboots),
		FRESH(test_reboots_in_boot),
		HEALTHY(test_reset_event_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
