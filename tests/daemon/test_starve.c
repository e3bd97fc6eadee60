/* SPDX-License-Identifier: Apache-2.0 */
/* A host that starves its guest: nobody is down for it, who is down is found, and nothing is hidden
 * for ever. */
/* LINK: base model policy core io/layout io/hv io/confdir */
/* LIBS: libcbor jansson inih libsystemd */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "core/probing.h"
#include "sim.h"

#define ONE "local-proofreader"

/* Under TCG StartBudget is 900 s: the cap. */
#define CAP (900 * S)

static void all_become(struct sim *sim, enum manner manner)
{
	const struct guest *g = sim_guest(sim, VM);

	for (unsigned i = 0; i < g->n_services; i++)
		if (g->services[i].spec->host_port)
			sim_fake_service(sim, VM, g->services[i].spec->name)->manner = manner;
}

/* Slower than what speaks against starvation: a quarter of 6 s. */
static void all_become_slow(struct sim *sim)
{
	const struct guest *g = sim_guest(sim, VM);

	for (unsigned i = 0; i < g->n_services; i++)
		if (g->services[i].spec->host_port)
			sim_fake_service(sim, VM, g->services[i].spec->name)->latency = 1600 * MS;
}

/* Every verdict in turn, for so long: none blames a service. */
static void nobody_is_blamed(struct sim *sim, usec_t span)
{
	const struct guest *g = sim_guest(sim, VM);

	for (usec_t end = sim->now + span; sim->now < end;) {
		sim_run(sim, 500 * MS);
		for (unsigned i = 0; i < g->n_services; i++) {
			const struct probe *p = &g->services[i].probe;

			if (p->state != SERVICE_UP || p->failures != 0)
				fail_msg("%s: %s, %u failures, %s%s", g->services[i].spec->name,
					service_state_to_string(p->state), p->failures,
					p->last.reason, sim_story(sim));
		}
	}
	assert_true(g->healthy);
	assert_false(sim_log_has(sim, "-> down"));
	assert_false(sim_log_has(sim, "no longer healthy"));
}

/* Ten minutes in which nothing is answered, from any moment between two statistics on. */
static void test_nobody_is_down(void **state)
{
	struct sim *sim = *state;
	const struct guest *g = sim_guest(sim, VM);

	for (usec_t phase = 0; phase < 10 * S; phase += 1700 * MS) {
		sim_run(sim, 60 * S + phase);
		sim_log_clear(sim);
		fake_guest_starve(sim_fake(sim, VM), 900);
		all_become(sim, MANNER_HANG);
		nobody_is_blamed(sim, 600 * S);
		assert_int_equal(sim_log_count(sim, " starved: "), 1);
		assert_true(g->starving.told);
		assert_non_null(strstr(g->services[0].probe.last.reason,
			"the host starved the guest: vCPUs waited 90% of the last "));
		fake_guest_starve(sim_fake(sim, VM), 10);
		all_become(sim, MANNER_OK);
		nobody_is_blamed(sim, 30 * S);
		assert_int_equal(sim_log_count(sim, "no longer starved, after 10min"), 1);
		for (unsigned i = 0; i < g->n_services; i++)
			assert_int_equal(g->services[i].probe.last.verdict, VERDICT_OK);
	}
	assert_int_equal(sim_fake(sim, VM)->starts, 1);
}

static bool stats_came(struct sim *sim, const void *arg)
{
	return sim_fake(sim, VM)->stats_asked > *(const unsigned *)arg;
}

/* A time-out far shorter than the period of the statistics: they are asked for once more before
 * the question is given up, so that already the first miss is excused. */
static void test_short_timeout(void **state)
{
	struct sim *sim = *state;
	const struct probe *p;

	sim_configure(sim, VM, 10000, "[Service " ONE "]\nInterval=1s\nTimeout=2s\n");
	assert_int_equal(sim_reload(sim), 0);
	for (usec_t phase = 0; phase < 2500 * MS; phase += 300 * MS) {
		sim_run(sim, 60 * S);
		unsigned before = sim_fake(sim, VM)->stats_asked;
		assert_true(sim_run_until(sim, stats_came, &before, 10 * S));
		sim_run(sim, phase);
		fake_guest_starve(sim_fake(sim, VM), 950);
		all_become(sim, MANNER_HANG);
		p = &sim_service(sim, VM, ONE)->probe;
		for (unsigned i = 0; i < 100; i++) {
			sim_run(sim, 100 * MS);
			assert_int_equal(p->failures, 0);
		}
		assert_int_equal(p->last.verdict, VERDICT_INCONCLUSIVE);
		fake_guest_starve(sim_fake(sim, VM), 10);
		all_become(sim, MANNER_OK);
	}
}

/* Only every other question is missed, at random as it were. */
static void test_now_and_then(void **state)
{
	struct sim *sim = *state;

	fake_guest_starve(sim_fake(sim, VM), 400);
	for (unsigned i = 0; i < 60; i++) {
		all_become(sim, i % 3 ? MANNER_HANG : MANNER_OK);
		nobody_is_blamed(sim, 7 * S + i * 130 * MS);
	}
}

/* The starved guest's kernel still resets who knocks at a closed door, and a broken service still
 * says that it is. */
static void test_who_is_down_is_found(void **state)
{
	static const enum manner manners[] = { MANNER_REFUSE, MANNER_FAILING, MANNER_FAILING_503,
		MANNER_ERROR_500, MANNER_WRONG_NAME, MANNER_CUT_OFF };
	struct sim *sim = *state;
	struct fake_service *f = sim_fake_service(sim, VM, ONE);
	const struct service_spec *spec = sim_service(sim, VM, ONE)->spec;

	fake_guest_starve(sim_fake(sim, VM), 900);
	sim_run(sim, 30 * S);
	for (size_t i = 0; i < sizeof(manners) / sizeof(manners[0]); i++) {
		usec_t died = sim->now;

		f->manner = manners[i];
		f->latency = 4 * S;
		sim_wait_service(sim, VM, ONE, SERVICE_DOWN, 60 * S);
		assert_true(sim->now - died <= spec->interval + 3 * 4 * S + 100 * MS);
		f->manner = MANNER_OK;
		sim_wait_service(sim, VM, ONE, SERVICE_UP, 60 * S);
	}
	/* Also where most questions are missed before the answer comes. */
	all_become_slow(sim);
	f->manner = MANNER_HANG;
	sim_run(sim, 300 * S);
	assert_int_equal(sim_service(sim, VM, ONE)->probe.state, SERVICE_UP);
	f->manner = MANNER_REFUSE;
	sim_wait_service(sim, VM, ONE, SERVICE_DOWN, 30 * S);
}

/* A service that hangs while the guest starves: excused for the cap, then unknown, and the guest
 * is not healthy; down once the guest has its CPU again. */
static void test_the_cap(void **state)
{
	struct sim *sim = *state;
	const struct service *s = sim_service(sim, VM, ONE);
	const struct guest *g = sim_guest(sim, VM);

	fake_guest_starve(sim_fake(sim, VM), 900);
	all_become_slow(sim);
	sim_run(sim, 30 * S);
	usec_t died = sim->now;
	sim_fake_service(sim, VM, ONE)->manner = MANNER_HANG;
	sim_wait_service(sim, VM, ONE, SERVICE_UNKNOWN, CAP + 30 * S);
	assert_in_range(sim->now - died, CAP, CAP + 20 * S);
	sim_run(sim, S);
	assert_false(g->healthy);
	assert_true(sim_log_has(sim, "up -> unknown (no answer for 15min: the host starved"));
	assert_int_equal(sim_service(sim, VM, "local-marketing")->probe.state, SERVICE_UP);
	sim_run(sim, USEC_PER_HOUR);
	assert_int_equal(s->probe.state, SERVICE_UNKNOWN);
	assert_int_equal(s->probe.last.verdict, VERDICT_INCONCLUSIVE);
	assert_non_null(strstr(s->probe.last.reason, "no answer for 1h"));
	assert_false(sim_log_has(sim, "-> down"));
	assert_int_equal(sim_fake(sim, VM)->starts, 1);
	fake_guest_starve(sim_fake(sim, VM), 10);
	sim_wait_service(sim, VM, ONE, SERVICE_DOWN, 60 * S);
	sim_fake_service(sim, VM, ONE)->manner = MANNER_OK;
	sim_wait_service(sim, VM, ONE, SERVICE_UP, 60 * S);
	sim_run(sim, S);
	assert_true(g->healthy);
}

/* One that hangs among others that answer promptly: it is not the CPU, whatever the statistics
 * say, and it is found, if later: only those misses count during which the others were asked. One
 * that does so among others of which one is slow, is excused. */
static void test_one_hangs_alone(void **state)
{
	struct sim *sim = *state;
	struct fake_service *other = sim_fake_service(sim, VM, "local-marketing");

	fake_guest_starve(sim_fake(sim, VM), 900);
	for (usec_t phase = 0; phase < 10 * S; phase += 900 * MS) {
		sim_run(sim, 30 * S + phase);
		assert_true(sim_guest(sim, VM)->starving.told);
		usec_t died = sim->now;
		sim_fake_service(sim, VM, ONE)->manner = MANNER_HANG;
		sim_wait_service(sim, VM, ONE, SERVICE_DOWN, 60 * S);
		assert_true(sim->now - died <= 10 * S + 5 * 6 * S + 100 * MS);
		sim_fake_service(sim, VM, ONE)->manner = MANNER_OK;
		sim_wait_service(sim, VM, ONE, SERVICE_UP, 60 * S);

		other->latency = 1600 * MS;
		sim_run(sim, 30 * S);
		sim_log_clear(sim);
		sim_fake_service(sim, VM, ONE)->manner = MANNER_HANG;
		nobody_is_blamed(sim, 120 * S);
		sim_fake_service(sim, VM, ONE)->manner = MANNER_OK;
		other->latency = 3 * MS;
	}
}

/* It hung before the host was short: what stood against it stands. */
static void test_hung_before(void **state)
{
	struct sim *sim = *state;
	struct fake_service *f = sim_fake_service(sim, VM, ONE);

	sim_run(sim, 60 * S);
	usec_t died = sim->now;
	f->manner = MANNER_HANG;
	sim_wait_service(sim, VM, ONE, SERVICE_DOWN, 60 * S);
	assert_true(sim->now - died <= 10 * S + 3 * 6 * S + 100 * MS);
	fake_guest_starve(sim_fake(sim, VM), 900);
	sim_run(sim, 3600 * S);
	assert_int_equal(sim_service(sim, VM, ONE)->probe.state, SERVICE_DOWN);
}

/* libvirt shows nothing of the vCPUs: the host's pressure is believed, at a missed question only.
 */
static void test_pressure_alone(void **state)
{
	struct sim *sim = *state;
	const struct guest *g = sim_guest(sim, VM);

	sim_fake(sim, VM)->no_delay = true;
	sim_pressure(sim, 950);
	sim_run(sim, 120 * S);
	assert_false(g->starving.told);
	all_become(sim, MANNER_HANG);
	nobody_is_blamed(sim, 600 * S);
	assert_true(g->starving.told);
	assert_non_null(strstr(g->services[0].probe.last.reason, "short of CPUs for 95% of"));
	/* The pressure goes, and the services stay silent: that is their own doing. */
	sim_pressure(sim, 100);
	sim_wait_service(sim, VM, ONE, SERVICE_DOWN, 60 * S);
	assert_false(g->starving.told);
}

/* A host without the file, a guest without the counters: as before. */
static void test_no_witness(void **state)
{
	struct sim *sim = *state;

	sim_fake(sim, VM)->no_delay = true;
	sim_pressure(sim, -1);
	sim_run(sim, 60 * S);
	usec_t died = sim->now;
	sim_fake_service(sim, VM, ONE)->manner = MANNER_HANG;
	sim_wait_service(sim, VM, ONE, SERVICE_DOWN, 60 * S);
	assert_true(sim->now - died <= 10 * S + 3 * 6 * S + 100 * MS);
}

/* Statistics that never come back hold up no verdict: not the call that hangs, nor the queue that
 * is wedged behind it. The pressure stands in, where there is any. */
static void test_libvirt_hangs(void **state)
{
	struct sim *sim = *state;
	const struct guest *g = sim_guest(sim, VM);

	sim_run(sim, 60 * S);
	sim_fake(sim, VM)->sigstopped = true;
	usec_t died = sim->now;
	sim_wait_service(sim, VM, ONE, SERVICE_DOWN, 60 * S);
	assert_true(sim->now - died <= 10 * S + 3 * 6 * S + 100 * MS);
	fake_guest_wake(sim_fake(sim, VM));
	sim_wait_service(sim, VM, ONE, SERVICE_UP, 60 * S);
	sim_run(sim, 60 * S);
	assert_true(g->healthy);

	sim_log_clear(sim);
	sim_pressure(sim, 990);
	sim_run(sim, 10 * S);
	sim_fake(sim, VM)->sigstopped = true;
	sim_run(sim, 40 * S);
	nobody_is_blamed(sim, 300 * S);
	fake_guest_wake(sim_fake(sim, VM));
	nobody_is_blamed(sim, 60 * S);
}

/* The guest's clock, as its reports tell it. */
static void test_the_clock(void **state)
{
	struct sim *sim = *state;
	const struct guest *g = sim_guest(sim, VM);

	sim_run(sim, 60 * S);
	assert_false(g->starving.told);
	sim_fake(sim, VM)->clock_lost = 9 * S;
	sim_run(sim, 11 * S);
	assert_true(g->starving.told);
	assert_true(sim_log_has(sim, "its clock went "));
	sim_run(sim, 30 * S);
	assert_false(g->starving.told);
	assert_true(g->healthy);
}

/* Each service has an uptime of its own, and they are not one clock: the host starved nobody, and
 * what is down is mended. */
static void test_clocks_of_many(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);
	static const char extra[] = "[Service local-knowledge-documentation]\nInterval=30s\n"
				    "[Service local-marketing]\nRestartUnit=yes\n";

	sim_configure(sim, VM, 10000, extra);
	assert_int_equal(sim_reload(sim), 0);
	sim_run(sim, 60 * S);
	sim_fake_service(sim, VM, "local-knowledge-documentation")->began_late = 8 * S;
	sim_fake_service(sim, VM, "local-marketing")->manner = MANNER_REFUSE;
	sim_run(sim, 30 * 60 * S);
	assert_false(sim_log_has(sim, "its clock went "));
	assert_int_not_equal(d->unit_restarts, 0);
}

/* CPUs= is of the next start: what runs is measured by the vCPUs that it has. */
static void test_cpus_changed(void **state)
{
	struct sim *sim = *state;
	const struct guest *g = sim_guest(sim, VM);

	sim_configure(sim, VM, 10000, "[Guest]\nCPUs=8\n");
	assert_int_equal(sim_reload(sim), 0);
	fake_guest_starve(sim_fake(sim, VM), 600);
	sim_run(sim, 30 * S);
	assert_in_range(g->starving.policy.delay.permille, 590, 610);
	assert_true(g->starving.told);
}

/* What was believed of one run is not believed of the next. */
static void test_another_run(void **state)
{
	struct sim *sim = *state;
	const struct guest *g = sim_guest(sim, VM);

	fake_guest_starve(sim_fake(sim, VM), 900);
	sim_run(sim, 30 * S);
	assert_true(g->starving.told);
	fake_guest_starve(sim_fake(sim, VM), 0);
	fake_guest_end(sim_fake(sim, VM), HV_REASON_CRASHED);
	sim_run(sim, 3 * S);
	assert_false(g->starving.told);
	sim_wait_healthy(sim, VM, 120 * S);
	assert_false(g->starving.told);
}

int main(void)
{
#define HEALTHY(f) cmocka_unit_test_setup_teardown(f, sim_setup_healthy, sim_teardown)
	const struct CMUnitTest tests[] = {
		HEALTHY(test_nobody_is_down),
		HEALTHY(test_short_timeout),
		HEALTHY(test_now_and_then),
		HEALTHY(test_who_is_down_is_found),
		HEALTHY(test_the_cap),
		HEALTHY(test_one_hangs_alone),
		HEALTHY(test_hung_before),
		HEALTHY(test_pressure_alone),
		HEALTHY(test_no_witness),
		HEALTHY(test_libvirt_hangs),
		HEALTHY(test_the_clock),
		HEALTHY(test_clocks_of_many),
		HEALTHY(test_cpus_changed),
		HEALTHY(test_another_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
