/* SPDX-License-Identifier: Apache-2.0 */
/* Services: each verdict from the network to the state, how fast, and what is said of whom. */
/* LINK: base model policy core io/layout io/hv io/confdir */
/* LIBS: libcbor jansson inih libsystemd */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "core/probing.h"
#include "core/sight.h"
#include "core/request.h"
#include "sim.h"

#define ONE "local-proofreader"

static const struct {
	enum manner manner;
	enum verdict verdict;
	enum service_state state; /* in the end */
	bool proven;
	const char *reason;
} manners[] = {
	{ MANNER_DEGRADED, VERDICT_DEGRADED, SERVICE_DEGRADED, true, NULL },
	{ MANNER_STARTING, VERDICT_STARTING, SERVICE_DOWN, true, NULL },
	{ MANNER_FAILING, VERDICT_FAILING, SERVICE_DOWN, true, NULL },
	{ MANNER_FAILING_503, VERDICT_FAILING, SERVICE_DOWN, true, NULL },
	{ MANNER_PLAIN, VERDICT_NOT_CBOR, SERVICE_UP, false, "unproven" },
	{ MANNER_ERROR_500, VERDICT_HTTP_STATUS, SERVICE_DOWN, false, "HTTP 500" },
	{ MANNER_MALFORMED, VERDICT_MALFORMED, SERVICE_DOWN, false, "refused" },
	{ MANNER_WRONG_NAME, VERDICT_WRONG_SERVICE, SERVICE_DOWN, false,
		"says it is somebody-else" },
	{ MANNER_WRONG_NONCE, VERDICT_WRONG_SERVICE, SERVICE_DOWN, false, "nonce" },
	{ MANNER_STALE_BOOT, VERDICT_STALE_BOOT, SERVICE_DOWN, false,
		"answers from boot ffffffff" },
	{ MANNER_NO_PROOF, VERDICT_OK, SERVICE_UP, false, NULL },
	{ MANNER_REFUSE, VERDICT_REFUSED, SERVICE_DOWN, false, "nobody listens on port 9092" },
	{ MANNER_HANG, VERDICT_TIMEOUT, SERVICE_DOWN, false, "6.0s" },
	{ MANNER_NEVER, VERDICT_TIMEOUT, SERVICE_DOWN, false, "6.0s" },
	{ MANNER_CUT_OFF, VERDICT_UNREACHABLE, SERVICE_DOWN, false, "127.0.0.1:19092" },
	{ MANNER_NO_ROOM, VERDICT_INCONCLUSIVE, SERVICE_UP, false, "could not ask" },
};

/* What is deployed is judged by what it says itself, not by what was there before. */
static void test_restarted(void **state)
{
	struct sim *sim = *state;
	struct fake_service *f = sim_fake_service(sim, VM, ONE);
	struct service *s = sim_service(sim, VM, ONE);
	char message[REQUEST_MESSAGE_MAX] = "";

	sim_run(sim, 15 * S);
	assert_int_equal(s->probe.state, SERVICE_UP);
	/* A question of before, whose answer comes later, counts for nothing. */
	f->manner = MANNER_REFUSE;
	assert_int_equal(service_restarted(s, "uid 0, pid 1", sim->now, message), 0);
	assert_int_equal(s->probe.state, SERVICE_STARTING);
	assert_int_equal(s->probe.last.verdict, VERDICT_NONE);
	sim_run(sim, 10 * S);
	assert_int_equal(s->probe.state, SERVICE_STARTING);
	assert_int_equal(s->probe.last.verdict, VERDICT_REFUSED);
	/* The first good answer is enough, and comes within a FastInterval. */
	f->manner = MANNER_OK;
	sim_run(sim, 2 * S);
	assert_int_equal(s->probe.state, SERVICE_UP);
	assert_int_equal(s->probe.last.verdict, VERDICT_OK);

	/* Nor does it matter that one was on its way: it is void, and asked again. */
	f->manner = MANNER_HANG;
	while (!s->probe.in_flight)
		sim_run(sim, 100 * MS);
	f->manner = MANNER_OK;
	assert_int_equal(service_restarted(s, "uid 0, pid 1", sim->now, message), 0);
	sim_run(sim, 2 * S);
	assert_int_equal(s->probe.state, SERVICE_UP);

	struct guest *g = sim_guest(sim, VM);
	enum guest_state was = g->state;
	g->state = GUEST_STOPPING;
	assert_int_equal(service_restarted(s, "uid 0, pid 1", sim->now, message), -ESRCH);
	assert_non_null(strstr(message, "is stopping"));
	g->state = was;
}

/* One command of the agent asks about all units. What was asked of one that is judged anew is void,
 * and the others' lines stay theirs. */
static void test_restarted_unit(void **state)
{
	struct sim *sim = *state;
	struct service *core = sim_service(sim, VM, "system-core");
	const struct service *ledger = sim_service(sim, VM, "system-ledger");
	char message[REQUEST_MESSAGE_MAX] = "";

	sim_fake(sim, VM)->inactive_unit = "system-ledger.service";
	sim_wait_service(sim, VM, "system-ledger", SERVICE_DOWN, 60 * S);
	for (unsigned i = 0; i < 20; i++) {
		while (!core->unit_asked)
			sim_run(sim, MS);
		assert_int_equal(service_restarted(core, "uid 0, pid 1", sim->now, message), 0);
		for (unsigned j = 0; j < 20; j++) {
			sim_run(sim, 100 * MS);
			assert_int_equal(ledger->probe.state, SERVICE_DOWN);
		}
		sim_run(sim, 3 * S);
		assert_int_equal(core->probe.state, SERVICE_UP);
	}
}

static void test_manners(void **state)
{
	struct sim *sim = *state;
	struct fake_service *f = sim_fake_service(sim, VM, ONE);
	const struct service *s = sim_service(sim, VM, ONE);
	const struct guest *g = sim_guest(sim, VM);

	for (size_t i = 0; i < sizeof(manners) / sizeof(manners[0]); i++) {
		f->manner = manners[i].manner;
		sim_run(sim, 45 * S);
		if (s->probe.last.verdict != manners[i].verdict ||
			s->probe.state != manners[i].state)
			fail_msg("manner %d: %s, %s: %s", manners[i].manner,
				verdict_to_string(s->probe.last.verdict),
				service_state_to_string(s->probe.state), s->probe.last.reason);
		assert_int_equal(s->probe.last.proven, manners[i].proven);
		if (manners[i].reason && !strstr(s->probe.last.reason, manners[i].reason))
			fail_msg("manner %d: \"%s\"", manners[i].manner, s->probe.last.reason);
		assert_int_equal(g->healthy, manners[i].state != SERVICE_DOWN);
		/* One service's fate moves neither the guest nor the others. */
		assert_int_equal(g->state, GUEST_READY);
		assert_int_equal(sim_service(sim, VM, "local-marketing")->probe.state, SERVICE_UP);
		f->manner = MANNER_OK;
		sim_wait_service(sim, VM, ONE, SERVICE_UP, 30 * S);
		sim_run(sim, 15 * S);
		assert_true(g->healthy);
	}
	assert_int_equal(sim_fake(sim, VM)->starts, 1);
}

/* Interval + (Fall - 1) x max(FastInterval, what a question takes) + the last question's
 * time-out. */
static void test_down_in_time(void **state)
{
	struct sim *sim = *state;
	struct fake_service *f = sim_fake_service(sim, VM, ONE);
	const struct service_spec *spec = sim_service(sim, VM, ONE)->spec;

	assert_int_equal(spec->fall, 3);
	for (usec_t phase = 0; phase < spec->interval; phase += 1300 * MS) {
		sim_run(sim, spec->interval + phase);
		usec_t died = sim->now;
		f->manner = MANNER_REFUSE;
		sim_wait_service(sim, VM, ONE, SERVICE_DOWN, 60 * S);
		assert_true(sim->now - died <= spec->interval + 2 * spec->fast_interval + 100 * MS);
		f->manner = MANNER_OK;
		sim_wait_service(sim, VM, ONE, SERVICE_UP, 30 * S);

		sim_run(sim, spec->interval + phase);
		died = sim->now;
		f->manner = MANNER_HANG;
		sim_wait_service(sim, VM, ONE, SERVICE_DOWN, 60 * S);
		assert_true(sim->now - died <= spec->interval + 3 * 6 * S + 100 * MS);
		f->manner = MANNER_OK;
		sim_wait_service(sim, VM, ONE, SERVICE_UP, 30 * S);
	}
}

/* The aim: a service killed in the guest, whose kernel resets who asks from then on, is down within
 * Interval + (Fall - 1) x FastInterval + one time-out, whenever it dies and whatever is set. */
static void test_killed_in_time(void **state)
{
	static const char *const settings[] = {
		"",
		"[Service " ONE "]\nInterval=30s\nFastInterval=500ms\nFall=5\n",
		"[Service " ONE "]\nInterval=1s\nFastInterval=1s\nTimeout=900ms\nFall=1\n",
	};
	struct sim *sim = *state;

	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		sim_configure(sim, VM, 10000, settings[i]);
		assert_int_equal(sim_reload(sim), 0);
		struct fake_service *f = sim_fake_service(sim, VM, ONE);
		const struct service_spec *spec = sim_service(sim, VM, ONE)->spec;
		usec_t bound = spec->interval + (spec->fall - 1) * spec->fast_interval +
			       service_timeout(spec, true);
		usec_t worst = 0;

		for (usec_t phase = 0; phase < spec->interval; phase += spec->interval / 97) {
			sim_run(sim, spec->interval + phase);
			usec_t died = sim->now;
			f->manner = MANNER_REFUSE;
			f->latency = 50 * MS;
			sim_wait_service(sim, VM, ONE, SERVICE_DOWN, 120 * S);
			worst = sim->now - died > worst ? sim->now - died : worst;
			f->manner = MANNER_OK;
			sim_wait_service(sim, VM, ONE, SERVICE_UP, 120 * S);
		}
		print_message("Interval %.1f s, Fall %u, FastInterval %.1f s: down in %.1f s at "
			      "worst, %.1f s allowed\n",
			(double)spec->interval / 1e6, spec->fall, (double)spec->fast_interval / 1e6,
			(double)worst / 1e6, (double)bound / 1e6);
		assert_true(worst <= bound);
		/* Nor is it called down for a single miss where Fall wants more. */
		assert_true(worst >= spec->interval / 2);
	}
}

static bool judged_timeout(struct sim *sim, const void *arg)
{
	(void)arg;
	return sim_service(sim, VM, ONE)->probe.last.verdict == VERDICT_TIMEOUT;
}

static bool asked_again(struct sim *sim, const void *arg)
{
	return sim_fake_service(sim, VM, ONE)->asked > *(const unsigned *)arg;
}

/* A prober that never comes back: the verdict is there within the time-out plus 100 ms, and the
 * question is dropped. */
static void test_prober_never_answers(void **state)
{
	struct sim *sim = *state;
	struct fake_service *f = sim_fake_service(sim, VM, ONE);
	unsigned asked = f->asked;

	f->manner = MANNER_NEVER;
	assert_true(sim_run_until(sim, asked_again, &asked, 20 * S));
	usec_t asked_at = f->asked_at;
	assert_true(sim_run_until(sim, judged_timeout, NULL, 20 * S));
	assert_in_range(sim->now - asked_at, 6 * S, 6 * S + 100 * MS);
	assert_int_equal(f->cancelled, 1);
}

/* A service that flaps below the thresholds changes no state. */
static void test_flapping(void **state)
{
	struct sim *sim = *state;
	struct fake_service *f = sim_fake_service(sim, VM, ONE);

	sim_log_clear(sim);
	for (int i = 0; i < 20; i++) {
		unsigned asked = f->asked;

		f->manner = MANNER_REFUSE;
		assert_true(sim_run_until(sim, asked_again, &asked, 20 * S));
		asked = f->asked;
		assert_true(sim_run_until(sim, asked_again, &asked, 20 * S));
		f->manner = MANNER_OK;
		sim_run(sim, 12 * S);
	}
	assert_false(sim_log_has(sim, "->"));
	assert_true(sim_guest(sim, VM)->healthy);
}

/* The vCPUs stand still: it can't be told, nothing changes, and afterwards all goes on. */
static void test_pause(void **state)
{
	struct sim *sim = *state;
	const struct guest *g = sim_guest(sim, VM);
	struct fake_guest *d = sim_fake(sim, VM);

	for (int round = 0; round < 3; round++) {
		/* At another place of the questions' grid each time. */
		sim_run(sim, 10 * S + (usec_t)round * 2700 * MS);
		fake_guest_pause(d, HV_REASON_USER);
		sim_run(sim, 120 * S);
		assert_int_equal(g->state, GUEST_PAUSED);
		for (unsigned i = 0; i < g->n_services; i++) {
			assert_int_equal(g->services[i].probe.state, SERVICE_UP);
			assert_int_equal(g->services[i].probe.last.verdict, VERDICT_INCONCLUSIVE);
			assert_true(strlen(g->services[i].probe.last.reason) > 0);
		}
		assert_true(g->healthy);
		fake_guest_resume(d);
		sim_run(sim, 20 * S);
		assert_int_equal(g->state, GUEST_READY);
		assert_true(g->healthy);
		for (unsigned i = 0; i < g->n_services; i++)
			assert_int_equal(g->services[i].probe.last.verdict, VERDICT_OK);
	}
	assert_false(sim_log_has(sim, "-> down"));
	assert_false(sim_log_has(sim, "no longer healthy"));
}

/* A question that was out while the vCPUs stood still proves nothing, also when it ends after
 * they run again. */
static void test_short_pauses(void **state)
{
	struct sim *sim = *state;
	const struct service *s = sim_service(sim, VM, ONE);

	for (usec_t phase = 0; phase < 12 * S; phase += 700 * MS) {
		sim_run(sim, phase);
		fake_guest_pause(sim_fake(sim, VM), HV_REASON_USER);
		sim_run(sim, 12 * S);
		fake_guest_resume(sim_fake(sim, VM));
		for (int i = 0; i < 100; i++) {
			sim_run(sim, 100 * MS);
			assert_true(s->probe.last.verdict == VERDICT_OK ||
				    s->probe.last.verdict == VERDICT_INCONCLUSIVE);
			assert_int_equal(s->probe.failures, 0);
		}
	}
	assert_true(sim_guest(sim, VM)->healthy);
}

/* Also where QEMU was paused while it boots: the boot goes on where it was. */
static void test_pause_in_boot(void **state)
{
	struct sim *sim = *state;

	sim_ask(sim, VM, OPERATION_RESTART);
	sim_wait_state(sim, VM, GUEST_BOOTING, 60 * S);
	sim_run(sim, 2 * S);
	fake_guest_pause(sim_fake(sim, VM), HV_REASON_USER);
	sim_run(sim, 600 * S);
	assert_int_equal(sim_guest(sim, VM)->state, GUEST_PAUSED);
	fake_guest_resume(sim_fake(sim, VM));
	sim_run(sim, S);
	assert_int_equal(sim_guest(sim, VM)->state, GUEST_BOOTING);
	sim_wait_healthy(sim, VM, 120 * S);
	assert_int_equal(sim_fake(sim, VM)->starts, 2);
}

/* Pending services are asked and shown, and count for nothing. */
static void test_pending(void **state)
{
	struct sim *sim = *state;
	const struct guest *g = sim_guest(sim, VM);
	unsigned active, up;

	sight_count(g, &active, &up);
	assert_int_equal(active, 6);
	assert_int_equal(up, 6);
	sim_fake_service(sim, VM, "service-fs")->manner = MANNER_REFUSE;
	sim_wait_service(sim, VM, "service-fs", SERVICE_DOWN, 30 * S);
	assert_true(g->healthy);
	assert_string_equal(
		sight_blocked_by(sim_service(sim, VM, "local-bim-orchestration")), "service-fs");
	sim_fake_service(sim, VM, "service-fs")->manner = MANNER_OK;
	sim_wait_service(sim, VM, "service-fs", SERVICE_UP, 30 * S);
	assert_null(sight_blocked_by(sim_service(sim, VM, "local-bim-orchestration")));
}

/* Ready in boot although pending ones never come. */
static void test_pending_never_comes(void **state)
{
	struct sim *sim = *state;

	sim_daemon(sim);
	sim_fake_service(sim, VM, "service-fs")->manner = MANNER_REFUSE;
	sim_fake_service(sim, VM, "local-bim-orchestration")->manner = MANNER_REFUSE;
	sim_wait_healthy(sim, VM, 60 * S);
	sim_run(sim, 1800 * S);
	assert_true(sim_guest(sim, VM)->healthy);
	assert_int_equal(sim_service(sim, VM, "service-fs")->probe.state, SERVICE_DOWN);
}

/* A failure within the start-up budget is no failure; after it, it is. */
static void test_start_budget(void **state)
{
	struct sim *sim = *state;

	sim_daemon(sim);
	sim_fake_service(sim, VM, ONE)->manner = MANNER_REFUSE;
	sim_wait_state(sim, VM, GUEST_READY, 120 * S);
	assert_false(sim_guest(sim, VM)->healthy);
	/* 900 s under TCG, counted anew from the last sign that the boot moves. */
	sim_run(sim, 880 * S);
	assert_int_equal(sim_service(sim, VM, ONE)->probe.state, SERVICE_STARTING);
	sim_wait_service(sim, VM, ONE, SERVICE_DOWN, 120 * S);
	sim_fake_service(sim, VM, ONE)->manner = MANNER_OK;
	sim_wait_healthy(sim, VM, 30 * S);
}

static void test_units(void **state)
{
	struct sim *sim = *state;
	const struct service *s = sim_service(sim, VM, "system-core");

	sim_fake(sim, VM)->inactive_unit = "system-core.service";
	sim_wait_service(sim, VM, "system-core", SERVICE_DOWN, 60 * S);
	assert_int_equal(s->probe.last.verdict, VERDICT_FAILING);
	assert_non_null(strstr(s->probe.last.reason, "inactive"));
	assert_int_equal(sim_service(sim, VM, "system-ledger")->probe.state, SERVICE_UP);
	assert_string_equal(
		sight_blocked_by(sim_service(sim, VM, "system-ledger")), "system-core");
	sim_fake(sim, VM)->inactive_unit = NULL;
	sim_wait_service(sim, VM, "system-core", SERVICE_UP, 60 * S);
	/* Both in one command, at their interval. */
	unsigned before = sim_fake(sim, VM)->agent_commands;
	sim_run(sim, 600 * S);
	assert_in_range(sim_fake(sim, VM)->agent_commands - before, 60, 80);
}

/* An hour of suspend: one look at everything when it is over, no burst, and nobody is down for
 * it. */
static void test_suspend(void **state)
{
	struct sim *sim = *state;

	for (usec_t phase = 0; phase < 10 * S; phase += 700 * MS) {
		sim_run(sim, 30 * S + phase);
		uint64_t asked = sim->prober->asked;

		sim_suspend(sim, USEC_PER_HOUR);
		sim_run(sim, 10 * S);
		assert_in_range(sim->prober->asked - asked, 8, 40);
	}
	assert_false(sim_log_has(sim, "-> down"));
	assert_false(sim_log_has(sim, "no longer healthy"));
	assert_int_equal(sim_fake(sim, VM)->starts, 1);
}

/* Or goes; and the daemon looks. */
static void agent_comes(struct sim *sim, bool comes)
{
	sim_fake(sim, VM)->agent_told = comes;
	fake_guest_pause(sim_fake(sim, VM), HV_REASON_USER);
	sim_run(sim, S);
	fake_guest_resume(sim_fake(sim, VM));
}

/* A unit in a guest that never had an agent is shown as unwatched and does not count; one that the
 * agent told of counts on as what it was. */
static void test_unit_without_agent(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d;

	sim_configure(sim, VM, 10000, "[Service system-core]\nExpect=active\n");
	sim_daemon(sim);
	d = sim_fake(sim, VM);
	d->no_agent = true;
	sim_wait_healthy(sim, VM, 600 * S);
	assert_true(sight_unwatched(sim_service(sim, VM, "system-core")));
	assert_true(sim_log_has(sim, "healthy (6 of 6 active services up)"));
	agent_comes(sim, true);
	d->inactive_unit = "system-core.service";
	sim_wait_service(sim, VM, "system-core", SERVICE_DOWN, 1200 * S);
	assert_false(sim_guest(sim, VM)->healthy);
	agent_comes(sim, false);
	sim_run(sim, 600 * S);
	assert_true(sight_unwatched(sim_service(sim, VM, "system-core")));
	assert_int_equal(sim_service(sim, VM, "system-core")->probe.state, SERVICE_DOWN);
	assert_false(sim_guest(sim, VM)->healthy);
	/* With one from the first it is waited for, and nobody is called well too soon. */
	d->no_agent = false;
	d->inactive_unit = NULL;
	sim_wait_answer(sim, sim_ask(sim, VM, OPERATION_RESTART), 300 * S);
	sim_log_clear(sim);
	sim_wait_healthy(sim, VM, 120 * S);
	assert_true(sim_log_has(sim, "healthy (7 of 7 active services up)"));
	assert_false(sim_log_has(sim, "no longer healthy"));
}

/* The question for the boot falls due while the units are asked about, and a minute later again: it
 * is asked right behind them, and a reboot that nobody told of is noticed. */
static void test_agent_in_step(void **state)
{
	struct sim *sim = *state;
	struct guest *g = sim_guest(sim, VM);
	const struct service *s = sim_service(sim, VM, "system-core");
	struct fake_guest *d = sim_fake(sim, VM);

	sim_wait_service(sim, VM, "system-core", SERVICE_UP, 60 * S);
	sim_run(sim, 60 * S);
	fake_guest_reboot(d, false);
	sim_run(sim, 100 * S);
	assert_string_equal(g->boot_id, d->boot_id);
	sim_wait_healthy(sim, VM, 120 * S);
	sim_run(sim, 180 * S);
	g->agent_due = s->probe.next + 30 * MS;
	fake_guest_reboot(d, false);
	sim_run(sim, 200 * S);
	assert_string_equal(g->boot_id, d->boot_id);
}

/* In a slow guest the units' next question is due before the last is answered. Others have their
 * turns all the same: a reboot that nobody told of is noticed. */
static void test_agent_slow(void **state)
{
	struct sim *sim = *state;
	struct guest *g = sim_guest(sim, VM);
	struct fake_guest *d = sim_fake(sim, VM);

	sim_configure(sim, VM, 10000,
		"[Service system-core]\nInterval=3s\n[Service system-ledger]\nInterval=3s\n");
	assert_int_equal(sim_reload(sim), 0);
	sim_wait_service(sim, VM, "system-core", SERVICE_UP, 60 * S);
	d->command_takes = 5200 * MS;
	sim_run(sim, 60 * S);
	g->agent_due = sim_service(sim, VM, "system-core")->probe.next + 30 * MS;
	fake_guest_reboot(d, false);
	sim_run(sim, 200 * S);
	assert_string_equal(g->boot_id, d->boot_id);
	/* Nor are the units forgotten. */
	unsigned before = d->agent_commands;
	sim_run(sim, 300 * S);
	assert_in_range(d->agent_commands - before, 40, 60);
	sim_wait_service(sim, VM, "system-core", SERVICE_UP, 60 * S);
}

/* A call about the agent never returns: nobody says for ever that the units are well. */
static void test_agent_wedged(void **state)
{
	struct sim *sim = *state;
	const struct service *s = sim_service(sim, VM, "system-core");
	struct fake_guest *d = sim_fake(sim, VM);

	sim_wait_service(sim, VM, "system-core", SERVICE_UP, 60 * S);
	d->agent.wedged = true;
	sim_run(sim, 180 * S);
	assert_int_equal(s->probe.last.verdict, VERDICT_INCONCLUSIVE);
	assert_non_null(strstr(s->probe.last.reason, "the calls before do not return"));
	/* Nor that they are not. */
	assert_int_equal(s->probe.state, SERVICE_UP);
	d->agent.wedged = false;
	sim_run(sim, 120 * S);
	assert_int_equal(s->probe.last.verdict, VERDICT_OK);
}

int main(void)
{
#define FRESH(f)   cmocka_unit_test_setup_teardown(f, sim_setup, sim_teardown)
#define HEALTHY(f) cmocka_unit_test_setup_teardown(f, sim_setup_healthy, sim_teardown)
	const struct CMUnitTest tests[] = {
		HEALTHY(test_restarted),
		HEALTHY(test_agent_in_step),
		HEALTHY(test_agent_slow),
		HEALTHY(test_agent_wedged),
		HEALTHY(test_restarted_unit),
		HEALTHY(test_manners),
		HEALTHY(test_down_in_time),
		HEALTHY(test_killed_in_time),
		HEALTHY(test_prober_never_answers),
		HEALTHY(test_flapping),
		HEALTHY(test_pause),
		HEALTHY(test_short_pauses),
		HEALTHY(test_pause_in_boot),
		HEALTHY(test_pending),
		FRESH(test_pending_never_comes),
		FRESH(test_start_budget),
		HEALTHY(test_units),
		FRESH(test_unit_without_agent),
		HEALTHY(test_suspend),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
