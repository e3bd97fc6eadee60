/* SPDX-License-Identifier: Apache-2.0 */
/* A service that is down has its unit restarted in the guest, a guest whose services are down is
 * restarted, where that is allowed; and neither where there is a doubt. */
/* LINK: base model policy core io/layout io/hv io/confdir */
/* LIBS: libcbor jansson inih libsystemd */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "sim.h"

#define ONE   "local-proofreader"
#define MIN_  (60 * S)
#define UNITS "[Service " ONE "]\nRestartUnit=yes\n"

/* Healthy, with these lines in the configuration besides. */
static struct sim *healthy_with(const char *extra)
{
	struct sim *sim = sim_new();

	sim_configure(sim, VM, 10000, extra);
	sim_daemon(sim);
	sim_wait_healthy(sim, VM, 120 * S);
	sim_run(sim, 15 * S);
	sim_log_clear(sim);
	return sim;
}

static void all_services(struct sim *sim, enum manner manner)
{
	struct guest *g = sim_guest(sim, VM);

	for (unsigned i = 0; i < g->n_services; i++)
		if (g->services[i].spec->host_port)
			sim_fake_service(sim, VM, g->services[i].spec->name)->manner = manner;
}

/* What down takes, RestartUnitAfter=, and the restart heals it. */
static void test_unit_is_restarted(void **state)
{
	struct sim *sim = healthy_with(UNITS);
	struct fake_guest *d = sim_fake(sim, VM);
	struct service *s = sim_service(sim, VM, ONE);

	(void)state;
	sim_fake_service(sim, VM, ONE)->manner = MANNER_REFUSE;
	sim_wait_service(sim, VM, ONE, SERVICE_DOWN, MIN_);
	sim_run(sim, 59 * S);
	assert_int_equal(d->unit_restarts, 0);
	sim_run(sim, 3 * S);
	assert_int_equal(d->unit_restarts, 1);
	assert_string_equal(d->restarted_unit, ONE ".service");
	assert_true(sim_log_has(sim, "is restarted in the guest (1 of 3), because it is down"));
	/* It starts, with its budget whole: what fails now counts no more. */
	assert_int_equal(s->probe.state, SERVICE_STARTING);
	assert_int_equal(s->probe.failures, 0);
	sim_run(sim, 5 * MIN_);
	assert_int_equal(s->probe.state, SERVICE_STARTING);
	sim_fake_service(sim, VM, ONE)->manner = MANNER_OK;
	sim_wait_healthy(sim, VM, 30 * S);
	/* A budget that nobody draws on is given back, and nothing else was touched. */
	assert_int_equal(s->remedy.policy.n, 1);
	sim_run(sim, 11 * MIN_);
	assert_int_equal(s->remedy.policy.n, 0);
	assert_int_equal(d->unit_restarts, 1);
	assert_int_equal(d->starts, 1);
	assert_int_equal(d->boots, 1);
	sim_free(sim);
}

/* It does not help: each further one waits twice as long, three in all, and the count survives the
 * daemon. An operator's word gives the budget back. */
static void test_unit_budget(void **state)
{
	struct sim *sim = healthy_with(
		"[Service " ONE "]\nRestartUnit=yes\nStartBudget=10s\n");
	struct fake_guest *d = sim_fake(sim, VM);
	usec_t last = sim->now, waits[3];

	(void)state;
	sim_fake_service(sim, VM, ONE)->manner = MANNER_REFUSE;
	for (unsigned i = 0; i < 3; i++) {
		while (d->unit_restarts == i)
			sim_run(sim, S);
		waits[i] = sim->now - last;
		last = sim->now;
		if (i == 1) {
			sim_run(sim, 2 * S);
			sim_kill_daemon(sim);
			sim_daemon(sim);
		}
	}
	assert_in_range(waits[0], 60 * S, 90 * S);
	assert_in_range(waits[1], 120 * S, 150 * S);
	assert_in_range(waits[2], 240 * S, 280 * S);
	sim_run(sim, 12 * USEC_PER_HOUR);
	assert_int_equal(d->unit_restarts, 3);
	assert_int_equal(sim_service(sim, VM, ONE)->probe.state, SERVICE_DOWN);
	guest_reset_failed(sim_guest(sim, VM), "test", sim->now);
	sim_run(sim, 90 * S);
	assert_int_equal(d->unit_restarts, 4);
	assert_int_equal(d->starts, 1);
	sim_free(sim);
}

/* The agent says no: counted all the same, the service stays down, and it is tried again. */
static void test_unit_fails(void **state)
{
	struct sim *sim = healthy_with(UNITS);
	struct fake_guest *d = sim_fake(sim, VM);

	(void)state;
	d->restart_exit = 5;
	sim_fake_service(sim, VM, ONE)->manner = MANNER_REFUSE;
	sim_run(sim, 2 * MIN_);
	assert_int_equal(d->unit_restarts, 1);
	assert_true(sim_log_has(sim, "could not be restarted: systemctl exited with 5"));
	assert_int_equal(sim_service(sim, VM, ONE)->probe.state, SERVICE_DOWN);
	sim_run(sim, 2 * MIN_);
	assert_int_equal(d->unit_restarts, 2);
	sim_free(sim);
}

static void no_key(struct sim *sim)
{
	(void)sim;
}

static void no_agent(struct sim *sim)
{
	sim_fake(sim, VM)->no_agent = true;
	sim_fake(sim, VM)->agent_told = false;
}

static void paused(struct sim *sim)
{
	fake_guest_pause(sim_fake(sim, VM), HV_REASON_USER);
}

static void stopping(struct sim *sim)
{
	sim_fake(sim, VM)->off_takes = 170 * S;
	sim_ask(sim, VM, OPERATION_STOP);
}

static void away(struct sim *sim)
{
	fake_hv_disconnect(sim->hv, "it hangs");
}

static void starved(struct sim *sim)
{
	fake_guest_starve(sim_fake(sim, VM), 600);
}

/* Down for long, and nothing is done. */
static void test_unit_holds(void **state)
{
	static const struct {
		const char *extra;
		void (*doubt)(struct sim *sim);
		usec_t span;
	} rows[] = {
		{ "", no_key, USEC_PER_HOUR },
		{ "[Service service-fs]\nRestartUnit=yes\n", no_key, USEC_PER_HOUR },
		{ UNITS, no_agent, USEC_PER_HOUR },
		{ UNITS, paused, USEC_PER_HOUR },
		{ UNITS, stopping, 160 * S },
		{ UNITS, away, USEC_PER_HOUR },
		{ UNITS, starved, USEC_PER_HOUR },
		{ UNITS "DependsOn=local-marketing\n", no_key, USEC_PER_HOUR },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sim *sim = healthy_with(rows[i].extra);

		all_services(sim, MANNER_REFUSE);
		sim_wait_service(sim, VM, ONE, SERVICE_DOWN, MIN_);
		sim_run(sim, 40 * S);
		rows[i].doubt(sim);
		sim_run(sim, rows[i].span);
		/* Nor was it tried and counted. */
		if (sim_fake(sim, VM)->unit_restarts != 0 ||
			sim_service(sim, VM, ONE)->remedy.policy.n != 0)
			fail_msg("row %zu: a unit was restarted%s", i, sim_story(sim));
		assert_int_equal(sim_fake(sim, VM)->starts, 1);
		sim_free(sim);
	}
}

/* A report's uptime that stands still is a word of the guest: it does not hold up the others'
 * remedies for ever. */
static void test_uptime_holds_nothing(void **state)
{
	struct sim *sim = healthy_with(UNITS);
	struct fake_guest *d = sim_fake(sim, VM);

	(void)state;
	sim_fake_service(sim, VM, ONE)->manner = MANNER_REFUSE;
	for (usec_t end = sim->now + 6 * USEC_PER_HOUR; sim->now < end;) {
		d->clock_lost += 5 * S;
		sim_run(sim, 5 * S);
	}
	assert_true(sim_log_has(sim, "starved: the host starved the guest: its clock went "));
	assert_int_equal(d->unit_restarts, 3);
	sim_free(sim);
}

/* What nobody asks is never seen to be up: who depends on it does not wait for that. */
static void test_unasked_blocks_nothing(void **state)
{
	struct sim *sim = healthy_with(UNITS "DependsOn=base\n[Service base]\nProbe=none\n");

	(void)state;
	sim_fake_service(sim, VM, ONE)->manner = MANNER_REFUSE;
	sim_run(sim, 5 * MIN_);
	assert_int_equal(sim_fake(sim, VM)->unit_restarts, 1);
	sim_free(sim);
}

/* A doubt that ends is followed by the whole time, not by an act. So is a daemon's restart: what it
 * finds in its file it has not seen. */
static void test_doubt_begins_anew(void **state)
{
	struct sim *sim = healthy_with(UNITS);
	struct fake_guest *d = sim_fake(sim, VM);

	(void)state;
	sim_fake_service(sim, VM, ONE)->manner = MANNER_REFUSE;
	sim_wait_service(sim, VM, ONE, SERVICE_DOWN, MIN_);
	sim_run(sim, 50 * S);
	fake_guest_pause(d, HV_REASON_USER);
	sim_run(sim, 20 * MIN_);
	fake_guest_resume(d);
	sim_run(sim, 55 * S);
	assert_int_equal(d->unit_restarts, 0);
	/* Its first own sight is a time-out away. */
	sim_fake_service(sim, VM, ONE)->manner = MANNER_HANG;
	sim_kill_daemon(sim);
	sim_run(sim, 20 * MIN_);
	sim_daemon(sim);
	sim_run(sim, 63 * S);
	assert_int_equal(sim_service(sim, VM, ONE)->probe.state, SERVICE_DOWN);
	assert_int_equal(d->unit_restarts, 0);
	sim_run(sim, 10 * S);
	assert_int_equal(d->unit_restarts, 1);
	sim_free(sim);
}

#define QUORUM "[Restart]\nQuorum=100%\nQuorumAfter=5min\nLimit=2\n"

/* All of them down for QuorumAfter=: shut down as an operator would, and started. */
static void test_quorum(void **state)
{
	struct sim *sim = healthy_with(QUORUM);
	struct fake_guest *d = sim_fake(sim, VM);
	const struct guest *g = sim_guest(sim, VM);

	(void)state;
	/* One is left: that is no quorum. */
	all_services(sim, MANNER_REFUSE);
	sim_fake_service(sim, VM, "local-marketing")->manner = MANNER_OK;
	sim_run(sim, USEC_PER_HOUR);
	assert_int_equal(d->agent_shutdowns + d->presses, 0);
	sim_fake_service(sim, VM, "local-marketing")->manner = MANNER_REFUSE;
	sim_wait_service(sim, VM, "local-marketing", SERVICE_DOWN, MIN_);
	sim_run(sim, 5 * MIN_ - S);
	assert_int_equal(g->state, GUEST_READY);
	sim_wait_state(sim, VM, GUEST_STOPPING, 2 * S);
	assert_int_equal(g->want, WANT_UP);
	sim_wait_state(sim, VM, GUEST_BOOTING, 30 * S);
	assert_int_equal(g->last_exit.cause, CAUSE_REMEDY);
	assert_non_null(strstr(g->last_exit.words, "6 of 6 active services were down for 5min"));
	assert_non_null(strstr(g->last_exit.words, "clean, "));
	assert_int_equal(d->destroys, 0);
	assert_int_equal(d->starts, 2);
	assert_int_equal(g->restart.n_faults, 1);
	assert_int_equal(g->tally.restarts, 1);
	all_services(sim, MANNER_OK);
	sim_wait_healthy(sim, VM, 120 * S);
	sim_free(sim);
}

/* It does not help: with the budget used up the guest is left as it is, running, and not failed. */
static void test_quorum_budget(void **state)
{
	struct sim *sim = healthy_with(QUORUM);
	struct fake_guest *d = sim_fake(sim, VM);

	(void)state;
	all_services(sim, MANNER_REFUSE);
	sim_run(sim, 12 * USEC_PER_HOUR);
	assert_int_equal(d->starts, 3);
	assert_int_not_equal(sim_guest(sim, VM)->state, GUEST_FAILED);
	assert_true(fake_guest_runs(d));
	sim_free(sim);
}

/* It hangs as a whole, its agent, too: the unit that was up when it was last seen is no vote. While
 * the agent says that it is, it is one. */
static void test_quorum_out_of_sight(void **state)
{
	struct sim *sim = healthy_with(QUORUM "[Service system-core]\nExpect=active\n");
	struct fake_guest *d = sim_fake(sim, VM);

	(void)state;
	assert_int_equal(sim_service(sim, VM, "system-core")->probe.state, SERVICE_UP);
	all_services(sim, MANNER_HANG);
	sim_run(sim, 20 * MIN_);
	assert_int_equal(d->starts, 1);
	d->no_agent = true;
	d->agent_told = false;
	sim_run(sim, 12 * MIN_);
	assert_int_equal(sim_service(sim, VM, "system-core")->probe.state, SERVICE_STARTING);
	assert_int_equal(d->starts, 2);
	assert_int_equal(sim_guest(sim, VM)->last_exit.cause, CAUSE_REMEDY);
	assert_non_null(strstr(sim_guest(sim, VM)->last_exit.words,
		"6 of 6 active services were down for 5min"));
	sim_free(sim);
}

/* As shipped, each try takes longer than a third of Window=: three in a day all the same, however
 * many daemons there are, and the next when that is over. */
static void test_budgets_bind(void **state)
{
	struct sim *sim = healthy_with("[Restart]\nQuorum=100%\n" UNITS "StartBudget=20min\n");
	struct fake_guest *d = sim_fake(sim, VM);

	(void)state;
	all_services(sim, MANNER_REFUSE);
	for (unsigned i = 0; i < 23; i++) {
		sim_run(sim, USEC_PER_HOUR);
		sim_kill_daemon(sim);
		sim_daemon(sim);
	}
	assert_int_equal(d->starts, 4);
	assert_true(fake_guest_runs(d));
	sim_run(sim, 3 * USEC_PER_HOUR);
	assert_in_range(d->starts, 5, 7);
	sim_free(sim);

	sim = healthy_with(UNITS "StartBudget=20min\n");
	sim_fake_service(sim, VM, ONE)->manner = MANNER_REFUSE;
	sim_run(sim, 23 * USEC_PER_HOUR);
	assert_int_equal(sim_fake(sim, VM)->unit_restarts, 3);
	sim_free(sim);
}

/* The daemon's restart gives back nothing. The host's does: in its boot time all of yesterday would
 * be of now, and one crash be the last that is borne. */
static void test_host_reboot(void **state)
{
	struct sim *sim = healthy_with(QUORUM);
	const char key[] = "\"host_boot_id\": \"";

	(void)state;
	all_services(sim, MANNER_REFUSE);
	sim_run(sim, 3 * USEC_PER_HOUR);
	sim_kill_daemon(sim);
	sim_daemon(sim);
	assert_int_equal(sim_guest(sim, VM)->restart.n_faults, 2);
	sim_kill_daemon(sim);
	char *at = strstr(fake_store_text(sim->store, VM)->text, key);
	assert_non_null(at);
	at[sizeof(key) - 1] = 'x';
	sim_daemon(sim);
	assert_int_equal(sim_guest(sim, VM)->restart.n_faults, 0);
	sim_free(sim);
}

/* Killed while it was shutting the guest down for that: the next daemon knows why, and starts it.
 */
static void test_quorum_survives(void **state)
{
	struct sim *sim = healthy_with(QUORUM);

	(void)state;
	sim_fake(sim, VM)->off_takes = 20 * S;
	all_services(sim, MANNER_REFUSE);
	sim_wait_state(sim, VM, GUEST_STOPPING, 10 * MIN_);
	sim_run(sim, S);
	sim_kill_daemon(sim);
	sim_daemon(sim);
	sim_wait_state(sim, VM, GUEST_BOOTING, MIN_);
	assert_int_equal(sim_guest(sim, VM)->last_exit.cause, CAUSE_REMEDY);
	assert_non_null(
		strstr(sim_guest(sim, VM)->last_exit.words, "its services were down; clean"));
	sim_free(sim);
}

/* An operator's stop while it is shut down for that: it stays down, and it is his. */
static void test_quorum_superseded(void **state)
{
	struct sim *sim = healthy_with(QUORUM);

	(void)state;
	sim_fake(sim, VM)->off_takes = 20 * S;
	all_services(sim, MANNER_REFUSE);
	sim_wait_state(sim, VM, GUEST_STOPPING, 10 * MIN_);
	sim_run(sim, S);
	sim_wait_answer(sim, sim_ask(sim, VM, OPERATION_STOP), MIN_);
	assert_int_equal(sim_guest(sim, VM)->last_exit.cause, CAUSE_OPERATOR);
	sim_run(sim, USEC_PER_HOUR);
	assert_int_equal(sim_guest(sim, VM)->state, GUEST_STOPPED);
	assert_int_equal(sim_fake(sim, VM)->starts, 1);
	sim_free(sim);
}

/* Off by default; and with a starved host, an adopted guest or silence there is no quorum. */
static void test_quorum_holds(void **state)
{
	static const struct {
		const char *extra;
		void (*doubt)(struct sim *sim);
		enum manner manner;
	} rows[] = {
		{ "", no_key, MANNER_REFUSE },
		{ QUORUM, paused, MANNER_REFUSE },
		{ QUORUM, starved, MANNER_HANG },
		{ QUORUM, starved, MANNER_REFUSE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sim *sim = healthy_with(rows[i].extra);

		rows[i].doubt(sim);
		sim_run(sim, 30 * S);
		all_services(sim, rows[i].manner);
		sim_run(sim, 6 * USEC_PER_HOUR);
		assert_int_equal(sim_fake(sim, VM)->starts, 1);
		assert_int_equal(sim_fake(sim, VM)->agent_shutdowns, 0);
		sim_free(sim);
	}
}

/* The watchdog is evidence; where the configuration says so, it is a reason. */
static void test_watchdog(void **state)
{
	struct sim *sim = healthy_with("");
	struct fake_guest *d = sim_fake(sim, VM);

	(void)state;
	fake_guest_bark(d);
	sim_run(sim, 10 * MIN_);
	assert_true(sim_log_has(sim, "stopped feeding its watchdog"));
	assert_int_equal(sim_guest(sim, VM)->state, GUEST_READY);
	sim_configure(sim, VM, 10000, "[Restart]\nOnWatchdog=restart\n");
	assert_int_equal(sim_reload(sim), 0);
	sim_run(sim, S);
	fake_guest_bark(d);
	sim_wait_state(sim, VM, GUEST_BOOTING, MIN_);
	assert_int_equal(sim_guest(sim, VM)->last_exit.cause, CAUSE_WATCHDOG);
	assert_int_equal(sim_guest(sim, VM)->restart.n_faults, 1);
	assert_int_equal(sim_guest(sim, VM)->tally.restarts, 1);
	/* Not while it boots. */
	fake_guest_bark(d);
	sim_wait_healthy(sim, VM, 120 * S);
	assert_int_equal(d->starts, 2);
	sim_free(sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unit_is_restarted),
		cmocka_unit_test(test_unit_budget),
		cmocka_unit_test(test_unit_fails),
		cmocka_unit_test(test_unit_holds),
		cmocka_unit_test(test_uptime_holds_nothing),
		cmocka_unit_test(test_unasked_blocks_nothing),
		cmocka_unit_test(test_doubt_begins_anew),
		cmocka_unit_test(test_quorum),
		cmocka_unit_test(test_quorum_budget),
		cmocka_unit_test(test_quorum_out_of_sight),
		cmocka_unit_test(test_budgets_bind),
		cmocka_unit_test(test_host_reboot),
		cmocka_unit_test(test_quorum_survives),
		cmocka_unit_test(test_quorum_superseded),
		cmocka_unit_test(test_quorum_holds),
		cmocka_unit_test(test_watchdog),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
