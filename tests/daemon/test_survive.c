/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon dies and comes back: same guest, same beliefs; and what happened while nobody
 * looked. */
/* LINK: base model policy core io/layout io/hv io/confdir */
/* LIBS: libcbor jansson inih libsystemd */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "sim.h"

#define ONE "local-proofreader"

/* What must not change over a restart. */
struct beliefs {
	enum guest_state state;
	enum guest_want want;
	usec_t since, started;
	char boot_id[37];
	bool healthy;
	unsigned n;
	struct {
		enum service_state state;
		enum verdict verdict;
		char reason[VERDICT_REASON_MAX];
		usec_t since, judged;
		bool proven;
	} services[SPEC_SERVICES_MAX];
};

static void remember(struct sim *sim, struct beliefs *b)
{
	const struct guest *g = sim_guest(sim, VM);

	*b = (struct beliefs){
		.state = g->state,
		.want = g->want,
		.since = g->state_since_realtime,
		.started = g->started_at_realtime,
		.healthy = g->healthy,
		.n = g->n_services,
	};
	memcpy(b->boot_id, g->boot_id, sizeof(b->boot_id));
	for (unsigned i = 0; i < g->n_services; i++) {
		const struct service *s = &g->services[i];

		b->services[i].state = s->probe.state;
		b->services[i].verdict = s->probe.last.verdict;
		b->services[i].since = s->state_since_realtime;
		b->services[i].judged = s->judged_at_realtime;
		b->services[i].proven = s->probe.last.proven;
		memcpy(b->services[i].reason, s->probe.last.reason, VERDICT_REASON_MAX);
	}
}

static void assert_beliefs(struct sim *sim, const struct beliefs *b, bool judged_too)
{
	struct beliefs now;

	remember(sim, &now);
	assert_int_equal(now.state, b->state);
	assert_int_equal(now.want, b->want);
	assert_int_equal(now.since, b->since);
	assert_int_equal(now.started, b->started);
	assert_string_equal(now.boot_id, b->boot_id);
	assert_int_equal(now.n, b->n);
	for (unsigned i = 0; i < b->n; i++) {
		assert_int_equal(now.services[i].state, b->services[i].state);
		assert_int_equal(now.services[i].verdict, b->services[i].verdict);
		assert_int_equal(now.services[i].since, b->services[i].since);
		assert_int_equal(now.services[i].proven, b->services[i].proven);
		assert_string_equal(now.services[i].reason, b->services[i].reason);
		if (judged_too)
			assert_int_equal(now.services[i].judged, b->services[i].judged);
	}
}

static bool seen(struct sim *sim, const void *arg)
{
	(void)arg;
	return sim_guest(sim, VM)->seen;
}

/* kill -9, and a start some seconds later, in all kinds of states of the services. */
static void test_adopts(void **state)
{
	struct sim *sim = *state;
	const struct fake_guest *d = sim_fake(sim, VM);
	int64_t pid = d->pid;
	struct beliefs before;

	sim_fake_service(sim, VM, ONE)->manner = MANNER_REFUSE;
	sim_fake_service(sim, VM, "local-marketing")->manner = MANNER_DEGRADED;
	sim_fake_service(sim, VM, "local-knowledge-corporate")->manner = MANNER_PLAIN;
	sim_run(sim, 60 * S);
	assert_int_equal(sim_service(sim, VM, ONE)->probe.state, SERVICE_DOWN);
	/* It dies between two questions, everything of the last round written. */
	sim_run(sim, 2 * S);
	remember(sim, &before);
	sim_kill_daemon(sim);
	sim_run(sim, 5 * S);
	sim_log_clear(sim);
	sim_daemon(sim);
	/* As it is before anything was read at all, */
	assert_beliefs(sim, &before, false);
	assert_true(sim_service(sim, VM, ONE)->restored);
	/* once libvirt was read, */
	assert_true(sim_run_until(sim, seen, NULL, 10 * S));
	assert_beliefs(sim, &before, false);
	/* and after everything was judged again, which is at once. */
	sim_run(sim, 2 * S);
	assert_beliefs(sim, &before, false);
	assert_false(sim_service(sim, VM, ONE)->restored);
	assert_false(sim_service(sim, VM, "local-marketing")->restored);
	assert_false(sim_log_has(sim, " -> "));
	sim_run(sim, 120 * S);
	assert_beliefs(sim, &before, false);
	assert_int_equal(d->pid, pid);
	assert_int_equal(d->starts, 1);
	assert_false(sim_log_has(sim, "healthy"));
}

/* An orderly end writes the very last verdict too. */
static void test_orderly_end(void **state)
{
	struct sim *sim = *state;
	struct beliefs before;

	sim_run(sim, 9 * S);
	remember(sim, &before);
	sim_stop_daemon(sim);
	assert_true(fake_guest_runs(sim_fake(sim, VM)));
	sim_daemon(sim);
	assert_beliefs(sim, &before, true);
}

static void test_healthy_stays(void **state)
{
	struct sim *sim = *state;

	sim_kill_daemon(sim);
	sim_log_clear(sim);
	sim_daemon(sim);
	sim_run(sim, 60 * S);
	assert_true(sim_guest(sim, VM)->healthy);
	assert_false(sim_log_has(sim, "healthy"));
	assert_false(sim_log_has(sim, " -> "));
}

/* A service that died while the daemon was away is down as fast as ever, and not before it was
 * asked. */
static void test_service_died_meanwhile(void **state)
{
	struct sim *sim = *state;

	struct fake_service *f = sim_fake_service(sim, VM, ONE);

	sim_kill_daemon(sim);
	f->manner = MANNER_REFUSE;
	sim_run(sim, 600 * S);
	sim_daemon(sim);
	usec_t began = sim->now;
	assert_int_equal(sim_service(sim, VM, ONE)->probe.state, SERVICE_UP);
	sim_wait_service(sim, VM, ONE, SERVICE_DOWN, 30 * S);
	assert_true(sim->now - began <= 4 * S);
}

/* QEMU crashed while nobody looked, or libvirt forgot why: it is wanted up, so it is started
 * again. */
static void test_died_meanwhile(void **state)
{
	static const enum hv_reason reasons[] = { HV_REASON_CRASHED, HV_REASON_UNKNOWN,
		HV_REASON_DAEMON, HV_REASON_FAILED };
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	for (unsigned i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		sim_kill_daemon(sim);
		sim_run(sim, 10 * S);
		fake_guest_end(d, reasons[i]);
		sim_run(sim, 60 * S);
		sim_daemon(sim);
		sim_run(sim, 3 * S);
		assert_int_equal(d->starts, 2 + i);
		sim_wait_healthy(sim, VM, 120 * S);
		sim_run(sim, USEC_PER_HOUR); /* out of the restart budget's window */
	}
}

/* The guest went down by itself, or a person ended it: that holds, also when nobody looked. */
static void test_went_down_meanwhile(void **state)
{
	static const enum hv_reason reasons[] = { HV_REASON_SHUTDOWN, HV_REASON_DESTROYED,
		HV_REASON_SAVED };
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	for (unsigned i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		sim_kill_daemon(sim);
		fake_guest_end(d, reasons[i]);
		sim_run(sim, 60 * S);
		sim_daemon(sim);
		sim_run(sim, 600 * S);
		assert_int_equal(sim_guest(sim, VM)->state, GUEST_STOPPED);
		assert_int_equal(d->starts, 1 + i);
		/* Nor at the next restart of the daemon. */
		sim_kill_daemon(sim);
		sim_daemon(sim);
		sim_run(sim, 600 * S);
		assert_int_equal(d->starts, 1 + i);
		sim_wait_answer(sim, sim_ask(sim, VM, OPERATION_START), 30 * S);
		sim_wait_healthy(sim, VM, 120 * S);
	}
}

/* Went down by itself under our eyes: likewise. */
static void test_rests(void **state)
{
	struct sim *sim = *state;

	fake_guest_end(sim_fake(sim, VM), HV_REASON_SHUTDOWN);
	sim_wait_state(sim, VM, GUEST_STOPPED, 5 * S);
	sim_run(sim, 10 * S);
	sim_kill_daemon(sim);
	sim_daemon(sim);
	sim_run(sim, 600 * S);
	assert_int_equal(sim_fake(sim, VM)->starts, 1);
	assert_int_equal(sim_guest(sim, VM)->last_exit.cause, CAUSE_GUEST_POWEROFF);
}

static void test_stopped_stays(void **state)
{
	struct sim *sim = *state;

	sim_wait_answer(sim, sim_ask(sim, VM, OPERATION_STOP), 30 * S);
	sim_kill_daemon(sim);
	sim_daemon(sim);
	sim_run(sim, 600 * S);
	assert_int_equal(sim_guest(sim, VM)->state, GUEST_STOPPED);
	assert_int_equal(sim_guest(sim, VM)->want, WANT_DOWN);
	assert_non_null(strstr(sim_guest(sim, VM)->last_exit.words, "clean, agent"));
	assert_int_equal(sim_fake(sim, VM)->starts, 1);
}

/* Killed in the middle of a start: whatever came of it, there is one guest. */
static void test_killed_while_starting(void **state)
{
	struct sim *sim = *state;

	for (usec_t after = 0; after < 8 * S; after += 700 * MS) {
		sim_daemon(sim);
		struct fake_guest *d = sim_fake(sim, VM);
		if (!fake_guest_has_qemu(d))
			sim_wait_state(sim, VM, GUEST_STARTING, 20 * S);
		sim_run(sim, after);
		sim_kill_daemon(sim);
		/* The call goes on without us. */
		sim_run(sim, 5 * S);
		sim_daemon(sim);
		sim_wait_healthy(sim, VM, 150 * S);
		assert_true(fake_guest_runs(d));
		assert_true(sim_guest(sim, VM)->started_at_realtime >= d->pid_realtime);
		sim_wait_answer(sim, sim_ask(sim, VM, OPERATION_KILL), 30 * S);
		sim_ask(sim, VM, OPERATION_START);
		sim_run(sim, MS);
		sim_kill_daemon(sim);
		sim_run(sim, 20 * S);
	}
}

/* Not its first start: the end before it is no reason to let it rest. */
static void test_killed_while_starting_again(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);
	unsigned starts = 1;

	for (unsigned by_itself = 0; by_itself < 2; by_itself++) {
		if (by_itself)
			fake_guest_end(d, HV_REASON_SHUTDOWN);
		else
			(void)sim_ask(sim, VM, OPERATION_STOP);
		sim_wait_state(sim, VM, GUEST_STOPPED, 200 * S);
		sim_run(sim, 10 * S);
		assert_int_equal(d->starts, starts);
		d->start_takes = 5 * S;
		(void)sim_ask(sim, VM, OPERATION_START);
		sim_wait_state(sim, VM, GUEST_STARTING, S);
		sim_run(sim, S);
		sim_kill_daemon(sim);
		/* A driver inside the daemon dies with it, before QEMU is there. */
		timeline_cancel(d->hv->timeline, d->appears);
		d->appears = NULL;
		sim_daemon(sim);
		sim_wait_healthy(sim, VM, 200 * S);
		starts = d->starts;
	}
}

/* The daemon dies when QEMU is there and runs nothing yet: a guest that is wanted does not wait
 * there for ever. */
static void test_killed_before_resume(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	for (unsigned kept = 0; kept < 2; kept++) {
		sim_wait_answer(sim, sim_ask(sim, VM, OPERATION_KILL), 30 * S);
		d->start_takes = 5 * S;
		(void)sim_ask(sim, VM, OPERATION_START);
		/* Before, and after, the state was kept as well as the wish. */
		if (kept)
			sim_wait_state(sim, VM, GUEST_STARTING, S);
		sim_run(sim, kept * S);
		/* Its base was looked at, then for a save: the start is asked for. */
		for (unsigned i = 0; i < 2 && !kept; i++)
			sim_turn(sim);
		sim_kill_daemon(sim);
		sim_run(sim, 10 * S);
		fake_guest_pause(d, HV_REASON_USER);
		unsigned starts = d->starts;
		int64_t pid = d->pid;
		sim_daemon(sim);
		sim_wait_healthy(sim, VM, 200 * S);
		assert_int_equal(d->starts, starts);
		assert_int_equal(d->pid, pid);
		assert_true(sim_log_has(sim, "a start that was cut short"));
	}
	/* One that ran is let be: whoever paused it has a reason. */
	unsigned resumes = d->resumes;
	sim_kill_daemon(sim);
	fake_guest_pause(d, HV_REASON_USER);
	sim_daemon(sim);
	sim_run(sim, 60 * S);
	assert_int_equal(sim_guest(sim, VM)->state, GUEST_PAUSED);
	assert_int_equal(d->resumes, resumes);
	/* Until it is asked to run. */
	const struct sim_request *r = sim_ask(sim, VM, OPERATION_START);
	assert_int_equal(r->accepted, 0);
	assert_non_null(strstr(r->message, "was paused and is being resumed"));
	sim_wait_state(sim, VM, GUEST_READY, 60 * S);
	assert_int_equal(d->resumes, resumes + 1);
}

/* A wish is kept together with what follows from it, or not at all: never one without the other. */
static void test_wish_and_state_together(void **state)
{
	struct sim *sim = *state;

	(void)sim_ask(sim, VM, OPERATION_STOP);
	sim_kill_daemon(sim);
	sim_daemon(sim);
	sim_run(sim, 10 * S);
	assert_int_equal(sim_guest(sim, VM)->want, WANT_UP);
	assert_int_equal(sim_guest(sim, VM)->state, GUEST_READY);

	(void)sim_ask(sim, VM, OPERATION_STOP);
	sim_turn(sim);
	sim_kill_daemon(sim);
	sim_daemon(sim);
	sim_wait_state(sim, VM, GUEST_STOPPED, 200 * S);
	assert_int_equal(sim_guest(sim, VM)->want, WANT_DOWN);
}

/* Started by a person's hand under our eyes: adopted, and its services get the time of a boot. */
static void test_started_from_outside(void **state)
{
	struct sim *sim = *state;

	sim_wait_answer(sim, sim_ask(sim, VM, OPERATION_STOP), 30 * S);
	fake_guest_start(sim_fake(sim, VM));
	sim_run(sim, 30 * S);
	assert_int_equal(sim_guest(sim, VM)->state, GUEST_BOOTING);
	assert_int_equal(sim_service(sim, VM, ONE)->probe.state, SERVICE_STARTING);
	sim_wait_healthy(sim, VM, 60 * S);
	assert_false(sim_log_has(sim, "-> down"));
	assert_int_equal(sim_fake(sim, VM)->starts, 1);
}

/* It rebooted itself while no daemon looked, and there is no agent to ask: the answers of its
 * services are believed. */
static void test_rebooted_meanwhile(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	d->no_agent = true;
	sim_ask(sim, VM, OPERATION_RESTART);
	sim_run(sim, 300 * S);
	assert_true(sim_guest(sim, VM)->healthy);
	assert_false(sim_guest(sim, VM)->boot_id_by_agent);
	for (int round = 0; round < 2; round++) {
		if (round == 0)
			sim_kill_daemon(sim);
		else
			fake_hv_disconnect(sim->hv, "gone");
		fake_guest_reboot(d, true);
		sim_run(sim, 300 * S);
		/* While libvirt is away there is nothing but the answers. */
		if (round == 1)
			assert_int_equal(sim_service(sim, VM, ONE)->probe.last.verdict, VERDICT_OK);
		if (round == 0)
			sim_daemon(sim);
		else
			assert_int_equal(sim->hv->hv.vtable->connect(&sim->hv->hv), 0);
		sim_run(sim, 60 * S);
		assert_string_equal(sim_guest(sim, VM)->boot_id, d->boot_id);
		assert_int_equal(sim_service(sim, VM, ONE)->probe.last.verdict, VERDICT_OK);
		assert_true(sim_service(sim, VM, ONE)->probe.last.proven);
		assert_true(sim_guest(sim, VM)->healthy);
		/* From then on another one is stale again. */
		sim_fake_service(sim, VM, ONE)->manner = MANNER_STALE_BOOT;
		sim_run(sim, 15 * S);
		assert_int_equal(sim_service(sim, VM, ONE)->probe.last.verdict, VERDICT_STALE_BOOT);
		sim_fake_service(sim, VM, ONE)->manner = MANNER_OK;
		sim_wait_healthy(sim, VM, 30 * S);
	}
}

/* Killed in the middle of a stop: it is still wanted down, so the ladder is climbed again. */
static void test_killed_while_stopping(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	d->ignores_acpi = d->agent_lies = true;
	sim_ask(sim, VM, OPERATION_STOP);
	sim_run(sim, 20 * S);
	sim_kill_daemon(sim);
	d->ignores_acpi = d->agent_lies = false;
	sim_run(sim, 5 * S);
	sim_daemon(sim);
	sim_wait_state(sim, VM, GUEST_STOPPED, 60 * S);
	sim_run(sim, 60 * S);
	assert_int_equal(d->starts, 1);
	assert_int_equal(d->destroys, 0);
	assert_int_equal(sim_guest(sim, VM)->last_exit.cause, CAUSE_OPERATOR);
}

/* Killed while it is paused, and paused or resumed meanwhile. */
static void test_paused(void **state)
{
	struct sim *sim = *state;

	fake_guest_pause(sim_fake(sim, VM), HV_REASON_USER);
	sim_wait_state(sim, VM, GUEST_PAUSED, 5 * S);
	sim_run(sim, 30 * S);
	sim_kill_daemon(sim);
	sim_run(sim, 30 * S);
	sim_daemon(sim);
	sim_run(sim, 60 * S);
	assert_int_equal(sim_guest(sim, VM)->state, GUEST_PAUSED);
	assert_int_equal(sim_service(sim, VM, ONE)->probe.state, SERVICE_UP);
	sim_kill_daemon(sim);
	fake_guest_resume(sim_fake(sim, VM));
	sim_daemon(sim);
	sim_wait_healthy(sim, VM, 60 * S);
	assert_int_equal(sim_fake(sim, VM)->starts, 1);
}

/* No file, a torn one, one of a newer daemon: what runs is adopted all the same, and never
 * started twice. */
static void test_unreadable_state(void **state)
{
	static const char *const texts[] = { NULL, "", "{\"version\":1,\"state\":\"rea",
		"{\"version\":99}", "{\"version\":1}", "\xff\xfe\xfd" };
	struct sim *sim = *state;

	for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct fake_text *t = fake_store_text(sim->store, VM);

		sim_kill_daemon(sim);
		free(t->text);
		t->text = texts[i] ? strdup(texts[i]) : NULL;
		sim_daemon(sim);
		sim_wait_healthy(sim, VM, 60 * S);
		assert_int_equal(sim_guest(sim, VM)->want, WANT_UP);
		/* What could not be read is kept; what says nothing was read. */
		bool bad = texts[i] && strcmp(texts[i], "{\"version\":1}") != 0;
		assert_true(bad == (t->aside != NULL));
		if (bad)
			assert_string_equal(t->aside, texts[i]);
		free(t->aside);
		t->aside = NULL;
	}
	assert_int_equal(sim_fake(sim, VM)->starts, 1);
	assert_true(sim_log_has(sim, "written by a newer mediakitd"));
	/* Nothing is wrong with it, but there was no memory: it is not written over either. */
	struct fake_text *t = fake_store_text(sim->store, VM);
	sim_run(sim, 10 * S);
	sim_kill_daemon(sim);
	CLEANUP_FREE char *text = strdup(t->text);
	sim->store->load_error = -ENOMEM;
	sim_daemon(sim);
	sim->store->load_error = 0;
	sim_wait_healthy(sim, VM, 60 * S);
	assert_non_null(t->aside);
	assert_string_equal(t->aside, text);
}

/* What the disk did not take is offered until it does, also by a guest that rests. */
static void test_disk_was_full(void **state)
{
	struct sim *sim = *state;

	sim->store->full = true;
	sim_wait_answer(sim, sim_ask(sim, VM, OPERATION_STOP), 60 * S);
	sim_run(sim, 60 * S);
	sim->store->full = false;
	sim_run(sim, 30 * S);
	sim_kill_daemon(sim);
	sim_daemon(sim);
	sim_run(sim, 60 * S);
	assert_int_equal(sim_guest(sim, VM)->want, WANT_DOWN);
	assert_int_equal(sim_guest(sim, VM)->state, GUEST_STOPPED);
	unsigned saves = fake_store_text(sim->store, VM)->saves;
	sim_run(sim, 600 * S);
	assert_int_equal(fake_store_text(sim->store, VM)->saves, saves);
}

/* A boot that panicked was being ended: whether it was or not, there is one guest in the end,
 * and it is up. */
static void test_killed_while_ending(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	d->panics = 1;
	fake_guest_end(d, HV_REASON_CRASHED);
	sim_wait_state(sim, VM, GUEST_STARTING, 10 * S);
	sim_wait_state(sim, VM, GUEST_CRASHED, 60 * S);
	sim_run(sim, 10 * MS);
	sim_kill_daemon(sim);
	sim_daemon(sim);
	sim_run(sim, 30 * S);
	if (fake_guest_has_qemu(d) && d->panicked) {
		/* Its panic was told to a daemon that is no more; this one takes its disk for
		 * written to. */
		assert_int_equal(sim_guest(sim, VM)->state, GUEST_BOOTING);
		sim_wait_answer(sim, sim_ask(sim, VM, OPERATION_KILL), 30 * S);
		sim_ask(sim, VM, OPERATION_START);
	}
	sim_wait_healthy(sim, VM, 120 * S);
}

/* The budget of faults goes on where it was. */
static void test_restart_budget_survives(void **state)
{
	struct sim *sim = *state;

	sim_fake(sim, VM)->panics = 100;
	fake_guest_end(sim_fake(sim, VM), HV_REASON_CRASHED);
	sim_wait_state(sim, VM, GUEST_STARTING, 10 * S);
	sim_wait_state(sim, VM, GUEST_CRASHED, 60 * S);
	sim_run(sim, 1500 * MS); /* QEMU is gone, the next attempt is to come */
	unsigned faults = sim_guest(sim, VM)->restart.n_faults;
	assert_true(faults >= 2);
	sim_kill_daemon(sim);
	sim_daemon(sim);
	assert_int_equal(sim_guest(sim, VM)->restart.n_faults, faults);
	sim_wait_state(sim, VM, GUEST_FAILED, 600 * S);
	assert_true(
		sim_fake(sim, VM)->starts <= 1 + 1 + sim_guest(sim, VM)->spec->restart_limit + 1);
}

int main(void)
{
#define FRESH(f)   cmocka_unit_test_setup_teardown(f, sim_setup, sim_teardown)
#define HEALTHY(f) cmocka_unit_test_setup_teardown(f, sim_setup_healthy, sim_teardown)
	const struct CMUnitTest tests[] = {
		HEALTHY(test_adopts),
		HEALTHY(test_orderly_end),
		HEALTHY(test_healthy_stays),
		HEALTHY(test_service_died_meanwhile),
		HEALTHY(test_died_meanwhile),
		HEALTHY(test_went_down_meanwhile),
		HEALTHY(test_rests),
		HEALTHY(test_killed_while_starting_again),
		HEALTHY(test_killed_before_resume),
		HEALTHY(test_wish_and_state_together),
		HEALTHY(test_stopped_stays),
		FRESH(test_killed_while_starting),
		HEALTHY(test_started_from_outside),
		HEALTHY(test_rebooted_meanwhile),
		HEALTHY(test_killed_while_stopping),
		HEALTHY(test_paused),
		HEALTHY(test_disk_was_full),
		HEALTHY(test_unreadable_state),
		HEALTHY(test_killed_while_ending),
		HEALTHY(test_restart_budget_survives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
