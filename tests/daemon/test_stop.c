/* SPDX-License-Identifier: Apache-2.0 */
/* Stopping: the ladder in every state, requests that cross, and how it is recorded. */
/* LINK: base model policy core io/layout io/hv io/confdir */
/* LIBS: libcbor jansson inih libsystemd */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "sim.h"

static void assert_text(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" does not say \"%s\"", text, part);
}

static void test_clean_by_agent(void **state)
{
	struct sim *sim = *state;
	const struct fake_guest *d = sim_fake(sim, VM);
	const struct sim_request *r = sim_ask(sim, VM, OPERATION_STOP);

	sim_wait_answer(sim, r, 30 * S);
	assert_int_equal(r->error, 0);
	assert_text(r->text, "clean, agent, 3.");
	assert_int_equal(sim_guest(sim, VM)->state, GUEST_STOPPED);
	assert_int_equal(d->agent_shutdowns, 1);
	assert_int_equal(d->presses + d->destroys, 0);
	assert_int_equal(sim_guest(sim, VM)->last_exit.cause, CAUSE_OPERATOR);
	assert_int_equal(sim_guest(sim, VM)->last_exit.rung, RUNG_AGENT);
	/* It stays down. */
	sim_run(sim, USEC_PER_HOUR);
	assert_int_equal(sim_guest(sim, VM)->state, GUEST_STOPPED);
	assert_int_equal(d->starts, 1);
}

/* An agent that says yes and does nothing: the button follows. */
static void test_agent_lies(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	d->agent_lies = true;
	const struct sim_request *r = sim_ask(sim, VM, OPERATION_STOP);
	sim_wait_answer(sim, r, 30 * S);
	assert_text(r->text, "clean, ACPI, 8.");
	assert_int_equal(d->presses, 1);
}

/* Asked for while it boots: pressed every 5 s until logind hears it, and clean in the end. */
static void test_stop_during_boot(void **state)
{
	struct sim *sim = *state;

	sim_daemon(sim);
	struct fake_guest *d = sim_fake(sim, VM);
	d->no_agent = true;
	sim_wait_state(sim, VM, GUEST_BOOTING, 10 * S);
	sim_run(sim, 3 * S);
	const struct sim_request *r = sim_ask(sim, VM, OPERATION_STOP);
	sim_wait_answer(sim, r, 120 * S);
	assert_int_equal(r->error, 0);
	assert_text(r->text, "clean, ACPI");
	assert_int_equal(d->destroys, 0);
	/* From 3 s to 35 s, every 5 s; the one that is heard and perhaps one more while it goes
	 * down. */
	assert_in_range(d->presses, 7, 9);
	assert_true(d->ended_at - d->booted_at <= d->logind_at + 5 * S + d->off_takes);
	assert_int_equal(sim_guest(sim, VM)->state, GUEST_STOPPED);
}

/* Asked for while the start itself is under way. */
static void test_stop_during_start(void **state)
{
	struct sim *sim = *state;

	sim_daemon(sim);
	struct fake_guest *d = sim_fake(sim, VM);
	sim_wait_state(sim, VM, GUEST_STARTING, 10 * S);
	sim_run(sim, S);
	const struct sim_request *r = sim_ask(sim, VM, OPERATION_STOP);
	sim_run(sim, 10 * S);
	assert_int_equal(sim_guest(sim, VM)->state, GUEST_STOPPING);
	assert_true(fake_guest_has_qemu(d));
	sim_wait_answer(sim, r, 120 * S);
	assert_text(r->text, "clean");
	sim_run(sim, 60 * S);
	assert_int_equal(sim_guest(sim, VM)->state, GUEST_STOPPED);
	assert_int_equal(d->starts, 1);
	assert_int_equal(d->destroys, 0);
}

static bool reads(struct sim *sim, const void *arg)
{
	(void)arg;
	return sim_guest(sim, VM)->read_in_flight;
}

/* A read from before the start, answered when the stop has come: "it is off" is no longer true
 * by then. */
static void test_old_read(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	sim_wait_answer(sim, sim_ask(sim, VM, OPERATION_STOP), 30 * S);
	d->read_takes = 2 * S;
	sim_run(sim, 5 * S);
	assert_true(sim_run_until(sim, reads, NULL, 30 * S));
	(void)sim_ask(sim, VM, OPERATION_START);
	sim_run(sim, 100 * MS);
	const struct sim_request *r = sim_ask(sim, VM, OPERATION_STOP);
	assert_int_equal(r->accepted, 1);
	sim_run(sim, 5 * S);
	assert_int_equal(sim_guest(sim, VM)->state, GUEST_STOPPING);
	sim_wait_answer(sim, r, 120 * S);
	assert_text(r->text, "clean");
	sim_run(sim, 30 * S);
	assert_false(fake_guest_has_qemu(d));
	assert_int_equal(sim_guest(sim, VM)->state, GUEST_STOPPED);
}

/* The button ignored: the power is cut at the budget's end, not before, and that is recorded. */
static void test_forced(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	d->ignores_acpi = d->agent_lies = true;
	const struct sim_request *r = sim_ask(sim, VM, OPERATION_STOP);
	sim_wait_answer(sim, r, 200 * S);
	assert_int_equal(r->error, 0);
	assert_text(r->text, "forced after 3min 1s");
	assert_null(strstr(r->text, "killed"));
	assert_int_equal(d->quits, 1);
	assert_int_equal(d->destroys, 0);
	assert_in_range(d->destroyed_at - r->asked_at, 180 * S, 182 * S);
	assert_int_equal(d->presses, 35);
	assert_int_equal(sim_guest(sim, VM)->last_exit.rung, RUNG_QUIT);
	assert_int_equal(sim_guest(sim, VM)->last_exit.cause, CAUSE_OPERATOR);
	assert_true(sim_log_has(sim, "cutting the power"));
	sim_run(sim, 600 * S);
	assert_int_equal(d->quits, 1);
	assert_int_equal(d->starts, 1);
}

/* The record says where the guest was, in its own words, made safe; what it said of an earlier stop
 * or before this one is not taken for it. And it is kept. */
static void test_forced_says_where(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	d->ignores_acpi = d->agent_lies = true;
	fake_guest_say(d, "         Stopping early...\r\n");
	const struct sim_request *r = sim_ask(sim, VM, OPERATION_STOP);
	sim_run(sim, S);
	assert_string_equal(sim_guest(sim, VM)->hearing.halt.at, "");
	fake_guest_say(d, "         Stopping \033[0;1;39mnginx.ser");
	fake_guest_say(d, "vice\033[0m - a \"web\" server\033[2J\xff...\r\nnonsense\r\n");
	sim_wait_answer(sim, r, 200 * S);
	assert_text(r->text, "stopped: forced after 3min 1s: guest still at "
			     "\"Stopping nginx.service - a \"web\" server\\xff\"");
	sim_kill_daemon(sim);
	sim_daemon(sim);
	assert_text(sim_guest(sim, VM)->last_exit.words, "guest still at \"Stopping nginx");
	/* A stop that went well says nothing of the kind. */
	d->ignores_acpi = d->agent_lies = false;
	sim_wait_state(sim, VM, GUEST_STOPPED, 10 * S);
	(void)sim_ask(sim, VM, OPERATION_START);
	sim_wait_healthy(sim, VM, 120 * S);
	r = sim_ask(sim, VM, OPERATION_STOP);
	sim_run(sim, S);
	fake_guest_say(d, "[  OK  ] Stopped nginx.\r\n");
	sim_wait_answer(sim, r, 30 * S);
	assert_text(r->text, "stopped: clean, agent, ");
	assert_null(strstr(r->text, "nginx"));
	/* And the next one begins without it. */
	(void)sim_ask(sim, VM, OPERATION_START);
	sim_wait_healthy(sim, VM, 120 * S);
	assert_string_equal(sim_guest(sim, VM)->hearing.halt.at, "Stopped nginx");
	(void)sim_ask(sim, VM, OPERATION_STOP);
	sim_run(sim, S);
	assert_string_equal(sim_guest(sim, VM)->hearing.halt.at, "");
}

/* Nor does QEMU end when it is asked to: it is killed once its time is over. */
static void test_forced_twice(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	d->ignores_acpi = d->agent_lies = d->ignores_term = true;
	const struct sim_request *r = sim_ask(sim, VM, OPERATION_STOP);
	sim_run(sim, 190 * S);
	assert_int_equal(sim_guest(sim, VM)->ladder.rung, RUNG_QUIT);
	/* Nothing else is asked meanwhile: libvirt holds the domain's lock. */
	unsigned reads = d->reads;
	sim_run(sim, 4 * S);
	assert_int_equal(d->reads, reads);
	sim_wait_answer(sim, r, 60 * S);
	assert_int_equal(r->error, 0);
	assert_text(r->text, "forced after 3min");
	assert_text(r->text, "QEMU had to be killed");
	assert_int_equal(d->quits, 1);
	assert_int_equal(d->destroys, 1);
	assert_true(r->answered_at - r->asked_at <= 210 * S);
	assert_int_equal(sim_guest(sim, VM)->last_exit.rung, RUNG_DESTROY);
}

/* QEMU hangs, agent and all: no rung waits for the one before it, each is told once, and it is not
 * waited for that a QEMU that hangs ends by itself. */
static void test_forced_hung(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	d->sigstopped = true;
	const struct sim_request *r = sim_ask(sim, VM, OPERATION_STOP);
	sim_run(sim, 20 * S);
	/* The agent's silence does not keep the button from being tried. */
	assert_true(sim_guest(sim, VM)->ladder.presses >= 2);
	sim_wait_answer(sim, r, 250 * S);
	assert_text(r->text, "QEMU had to be killed");
	assert_int_equal(d->quits, 0);
	assert_int_equal(d->destroys, 1);
	assert_true(r->answered_at - r->asked_at <= 195 * S);
	assert_int_equal(sim_log_count(sim, "press the power button"), 1);
	assert_int_equal(sim_log_count(sim, "QEMU is asked to write out"), 0);
}

/* The agent says no: the button is pressed at once. */
static void test_agent_refuses(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	d->agent_refuses = true;
	const struct sim_request *r = sim_ask(sim, VM, OPERATION_STOP);
	sim_wait_answer(sim, r, 30 * S);
	assert_text(r->text, "clean, ACPI, 3.");
	assert_int_equal(d->agent_shutdowns, 1);
	assert_int_equal(d->presses, 1);
}

/* The keys of [Shutdown] are the ladder's. */
static void test_budgets(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	sim_configure(
		sim, VM, 10000, "[Shutdown]\nTimeout=20s\nAgentTimeout=12s\nQuitTimeout=3s\n");
	assert_int_equal(sim_reload(sim), 0);
	d->ignores_acpi = d->agent_lies = d->ignores_term = true;
	const struct sim_request *r = sim_ask(sim, VM, OPERATION_STOP);
	sim_run(sim, 11 * S);
	assert_int_equal(d->presses, 0);
	sim_run(sim, 8 * S);
	assert_int_equal(d->presses, 2);
	assert_int_equal(shutdown_end(&sim_guest(sim, VM)->ladder) - r->asked_at, 38 * S);
	sim_run(sim, 5 * S);
	assert_int_equal(sim_guest(sim, VM)->ladder.rung, RUNG_DESTROY);
	sim_wait_answer(sim, r, 30 * S);
}

/* The host slept in the middle of it: the guest's time is not used up by that. */
static void test_suspend_during_stop(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	d->off_takes = 60 * S;
	const struct sim_request *r = sim_ask(sim, VM, OPERATION_STOP);
	sim_run(sim, 20 * S);
	sim_suspend(sim, USEC_PER_HOUR);
	sim_run(sim, 100 * S);
	assert_int_equal(d->destroys, 0);
	assert_int_equal(sim_guest(sim, VM)->state, GUEST_STOPPED);
	assert_int_equal(sim_guest(sim, VM)->last_exit.rung, RUNG_ACPI);
	assert_int_equal(r->answers, 1);
}

/* Paused, it can hear nothing: it is resumed first, and goes down clean. */
static void test_stop_paused(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	fake_guest_pause(d, HV_REASON_USER);
	sim_wait_state(sim, VM, GUEST_PAUSED, 5 * S);
	const struct sim_request *r = sim_ask(sim, VM, OPERATION_STOP);
	sim_wait_answer(sim, r, 30 * S);
	assert_text(r->text, "clean, agent, 4.");
	assert_int_equal(d->resumes, 1);
	assert_int_equal(d->quits + d->destroys, 0);
}

/* One that cannot be resumed (its disk is full, say) is told the truth about. */
static void test_stop_paused_for_good(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	d->stays_paused = true;
	fake_guest_pause(d, HV_REASON_IOERROR);
	sim_wait_state(sim, VM, GUEST_PAUSED, 5 * S);
	const struct sim_request *r = sim_ask(sim, VM, OPERATION_STOP);
	sim_run(sim, 60 * S);
	assert_int_equal(r->answers, 0);
	assert_true(d->resumes > 10);
	assert_int_equal(d->presses + d->agent_shutdowns, 0);
	sim_wait_answer(sim, r, 200 * S);
	assert_text(r->text, "forced");
}

/* libvirt writes its memory to disk: a resume would stand in line behind that. */
static void test_stop_while_saving(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	fake_guest_pause(d, HV_REASON_SAVING);
	sim_wait_state(sim, VM, GUEST_SAVING, 5 * S);
	(void)sim_ask(sim, VM, OPERATION_STOP);
	sim_run(sim, 30 * S);
	assert_int_equal(sim_guest(sim, VM)->state, GUEST_STOPPING);
	assert_int_equal(d->resumes, 0);
}

static void test_second_stop_joins(void **state)
{
	struct sim *sim = *state;
	const struct sim_request *first = sim_ask(sim, VM, OPERATION_STOP);
	sim_run(sim, S);
	const struct sim_request *second = sim_ask(sim, VM, OPERATION_STOP);

	sim_wait_answer(sim, first, 30 * S);
	assert_int_equal(second->answers, 1);
	assert_int_equal(second->error, 0);
	assert_string_equal(first->text, second->text);
	assert_int_equal(sim_fake(sim, VM)->agent_shutdowns, 1);
	/* And a third finds it done. */
	const struct sim_request *third = sim_ask(sim, VM, OPERATION_STOP);
	assert_int_equal(third->accepted, 0);
	assert_text(third->message, "stopped already");
}

/* Stop ends up as kill, and everybody is told the truth. */
static void test_kill(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	d->ignores_acpi = d->agent_lies = true;
	const struct sim_request *stop = sim_ask(sim, VM, OPERATION_STOP);
	sim_run(sim, 10 * S);
	const struct sim_request *kill = sim_ask(sim, VM, OPERATION_KILL);
	sim_wait_answer(sim, kill, 10 * S);
	assert_int_equal(kill->error, 0);
	assert_int_equal(stop->answers, 1);
	assert_text(kill->text, "killed by request");
	assert_int_equal(d->destroys, 1);
	assert_int_equal(sim_guest(sim, VM)->state, GUEST_STOPPED);
	sim_run(sim, 60 * S);
	assert_int_equal(d->starts, 1);
}

static void test_restart(void **state)
{
	struct sim *sim = *state;
	const struct fake_guest *d = sim_fake(sim, VM);
	char before[37];

	memcpy(before, d->boot_id, sizeof(before));
	const struct sim_request *r = sim_ask(sim, VM, OPERATION_RESTART);
	sim_wait_answer(sim, r, 60 * S);
	assert_int_equal(r->error, 0);
	assert_int_equal(d->starts, 2);
	assert_int_equal(d->agent_shutdowns, 1);
	assert_int_equal(d->destroys, 0);
	sim_wait_healthy(sim, VM, 90 * S);
	assert_string_equal(sim_guest(sim, VM)->past_boot_id, before);
	assert_true(sim_service(sim, VM, "service-fs")->probe.last.proven);
}

/* Asked for while the first start is under way: the answer is the second one's. */
static void test_restart_during_start(void **state)
{
	struct sim *sim = *state;

	sim_daemon(sim);
	sim_wait_state(sim, VM, GUEST_STARTING, 10 * S);
	sim_run(sim, S);
	const struct sim_request *r = sim_ask(sim, VM, OPERATION_RESTART);
	sim_run(sim, 20 * S);
	assert_int_equal(r->answers, 0);
	sim_wait_answer(sim, r, 120 * S);
	assert_int_equal(r->error, 0);
	assert_int_equal(sim_fake(sim, VM)->starts, 2);
	sim_wait_healthy(sim, VM, 120 * S);
}

/* A start asked for while it is being stopped comes after it, and both are told so. */
static void test_start_while_stopping(void **state)
{
	struct sim *sim = *state;
	const struct sim_request *stop = sim_ask(sim, VM, OPERATION_STOP);
	sim_run(sim, S);
	const struct sim_request *start = sim_ask(sim, VM, OPERATION_START);

	sim_wait_answer(sim, start, 60 * S);
	assert_int_equal(start->error, 0);
	assert_text(start->text, "started");
	assert_int_equal(stop->answers, 1);
	assert_int_equal(stop->error, 0);
	assert_true(stop->answered_at < start->answered_at);
	sim_wait_healthy(sim, VM, 90 * S);
	/* And a stop after that start takes it back. */
	const struct sim_request *again = sim_ask(sim, VM, OPERATION_RESTART);
	sim_run(sim, S);
	const struct sim_request *no = sim_ask(sim, VM, OPERATION_STOP);
	sim_wait_answer(sim, no, 30 * S);
	assert_int_equal(again->answers, 1);
	assert_int_equal(again->error, -ECANCELED);
	sim_run(sim, 60 * S);
	assert_int_equal(sim_guest(sim, VM)->state, GUEST_STOPPED);
}

/* Between a crash and its retry nothing runs: a stop is done at once, says nothing of force, and
 * no retry comes. */
static void test_stop_before_retry(void **state)
{
	struct sim *sim = *state;

	fake_guest_end(sim_fake(sim, VM), HV_REASON_CRASHED);
	sim_wait_state(sim, VM, GUEST_CRASHED, 5 * S);
	const struct sim_request *r = sim_ask(sim, VM, OPERATION_STOP);
	if (r->accepted == 1)
		sim_wait_answer(sim, r, 5 * S);
	assert_int_equal(sim_guest(sim, VM)->state, GUEST_STOPPED);
	assert_null(strstr(r->text, "forced"));
	assert_int_equal(sim_guest(sim, VM)->last_exit.cause, CAUSE_QEMU_CRASHED);
	sim_run(sim, 120 * S);
	assert_int_equal(sim_guest(sim, VM)->state, GUEST_STOPPED);
	assert_int_equal(sim_fake(sim, VM)->starts, 1);
}

/* It goes down by itself: no fault, it stays down, and a start is the operator's. */
static void test_powers_itself_off(void **state)
{
	struct sim *sim = *state;

	fake_guest_end(sim_fake(sim, VM), HV_REASON_SHUTDOWN);
	sim_wait_state(sim, VM, GUEST_STOPPED, 5 * S);
	assert_int_equal(sim_guest(sim, VM)->last_exit.cause, CAUSE_GUEST_POWEROFF);
	sim_run(sim, USEC_PER_HOUR);
	assert_int_equal(sim_fake(sim, VM)->starts, 1);
	sim_wait_answer(sim, sim_ask(sim, VM, OPERATION_START), 30 * S);
	sim_wait_healthy(sim, VM, 90 * S);
}

/* virsh destroy, or SIGTERM to QEMU: a person did that. */
static void test_destroyed_from_outside(void **state)
{
	struct sim *sim = *state;

	fake_guest_end(sim_fake(sim, VM), HV_REASON_DESTROYED);
	sim_wait_state(sim, VM, GUEST_STOPPED, 5 * S);
	assert_int_equal(sim_guest(sim, VM)->last_exit.cause, CAUSE_DESTROYED);
	sim_run(sim, 600 * S);
	assert_int_equal(sim_fake(sim, VM)->starts, 1);
}

static void test_crash_is_restarted(void **state)
{
	struct sim *sim = *state;

	fake_guest_end(sim_fake(sim, VM), HV_REASON_CRASHED);
	sim_wait_state(sim, VM, GUEST_CRASHED, 5 * S);
	assert_false(sim_guest(sim, VM)->healthy);
	sim_wait_state(sim, VM, GUEST_BOOTING, 10 * S);
	sim_wait_healthy(sim, VM, 90 * S);
	assert_int_equal(sim_fake(sim, VM)->starts, 2);
}

/* Services of a guest that is being stopped blame nobody. */
static void test_services_while_stopping(void **state)
{
	struct sim *sim = *state;
	struct fake_service *f = sim_fake_service(sim, VM, "local-proofreader");

	sim_fake(sim, VM)->off_takes = 60 * S;
	sim_ask(sim, VM, OPERATION_STOP);
	f->manner = MANNER_REFUSE;
	sim_run(sim, S);
	/* Whatever its services say, a guest that is going down is not well. */
	assert_false(sim_guest(sim, VM)->healthy);
	sim_run(sim, 49 * S);
	const struct service *s = sim_service(sim, VM, "local-proofreader");
	assert_int_equal(s->probe.state, SERVICE_UP);
	assert_int_equal(s->probe.last.verdict, VERDICT_INCONCLUSIVE);
	sim_run(sim, 20 * S);
	assert_int_equal(s->probe.state, SERVICE_UNKNOWN);
	unsigned asked = f->asked;
	sim_run(sim, 60 * S);
	assert_int_equal(f->asked, asked);
}

int main(void)
{
#define FRESH(f)   cmocka_unit_test_setup_teardown(f, sim_setup, sim_teardown)
#define HEALTHY(f) cmocka_unit_test_setup_teardown(f, sim_setup_healthy, sim_teardown)
	const struct CMUnitTest tests[] = {
		HEALTHY(test_clean_by_agent),
		HEALTHY(test_agent_lies),
		FRESH(test_stop_during_boot),
		FRESH(test_stop_during_start),
		HEALTHY(test_old_read),
		HEALTHY(test_forced),
		HEALTHY(test_suspend_during_stop),
		HEALTHY(test_forced_says_where),
		HEALTHY(test_forced_twice),
		HEALTHY(test_forced_hung),
		HEALTHY(test_agent_refuses),
		HEALTHY(test_budgets),
		HEALTHY(test_stop_paused),
		HEALTHY(test_stop_paused_for_good),
		HEALTHY(test_stop_while_saving),
		HEALTHY(test_second_stop_joins),
		HEALTHY(test_kill),
		HEALTHY(test_restart),
		FRESH(test_restart_during_start),
		HEALTHY(test_start_while_stopping),
		HEALTHY(test_stop_before_retry),
		HEALTHY(test_powers_itself_off),
		HEALTHY(test_destroyed_from_outside),
		HEALTHY(test_crash_is_restarted),
		HEALTHY(test_services_while_stopping),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
