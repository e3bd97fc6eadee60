/* SPDX-License-Identifier: Apache-2.0 */
/* Two hundred guests of ten services for ten minutes: what a probe costs the core, and that
 * nothing is starved. */
/* LINK: base model policy core io/layout io/hv io/confdir */
/* LIBS: libcbor jansson inih libsystemd */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "sim.h"

#define GUESTS  200u
#define MINUTES 10u

static char *name_of(unsigned i)
{
	static char name[16];

	(void)snprintf(name, sizeof(name), "vm-%03u", i);
	return name;
}

static bool all_healthy(struct sim *sim, const void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < sim->supervisor->n_guests; i++)
		if (!sim->supervisor->guests[i]->healthy)
			return false;
	return true;
}

static double cpu_seconds(void)
{
	struct timespec ts;

	assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts), 0);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void test_many(void **state)
{
	struct sim *sim = *state;

	for (unsigned i = 0; i < GUESTS; i++)
		sim_configure(sim, name_of(i), 10000 + 100 * i, NULL);
	sim_daemon(sim);
	assert_int_equal(sim->supervisor->n_guests, GUESTS);
	assert_true(sim_run_until(sim, all_healthy, NULL, 120 * S));
	sim_run(sim, 30 * S);
	sim_log_clear(sim);

	uint64_t asked = sim->prober->asked, turns = sim->turns;
	double began = cpu_seconds();
	sim_run(sim, MINUTES * 60 * S);
	double spent = cpu_seconds() - began;
	asked = sim->prober->asked - asked;
	turns = sim->turns - turns;

	/* Eight ports, every ten seconds, and not one question left out or put twice. */
	assert_in_range(asked, GUESTS * 8 * (MINUTES * 6 - 1), GUESTS * 8 * (MINUTES * 6 + 1));
	assert_true(all_healthy(sim, NULL));
	assert_false(sim_log_has(sim, "->"));
	print_message("%u guests, %u min: %llu probes, %.1f us of CPU a probe (the simulation's "
		      "own share within), %.1f turns a second\n",
		GUESTS, MINUTES, (unsigned long long)asked, spent / (double)asked * 1e6,
		(double)turns / (MINUTES * 60.0));

	/* One of them crashes: it alone is told of, and it is back. */
	fake_guest_end(sim_fake(sim, name_of(77)), HV_REASON_CRASHED);
	sim_run(sim, 2 * S);
	assert_int_equal(sim_log_count(sim, "ended ("), 1);
	sim_wait_healthy(sim, name_of(77), 120 * S);
	assert_int_equal(sim_log_count(sim, "-> crashed"), 1);
}

static int setup(void **state)
{
	*state = sim_new();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_many, setup, sim_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
