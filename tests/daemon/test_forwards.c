/* SPDX-License-Identifier: Apache-2.0 */
/* The forwards are made when QEMU starts: whatever is configured meanwhile, those are asked. */
/* LINK: base model policy core io/layout io/hv io/confdir */
/* LIBS: libcbor jansson inih libsystemd */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "sim.h"

#define ONE    "local-proofreader"
#define QUORUM "[Restart]\nQuorum=100%\nQuorumAfter=5min\n"
#define MIN_   (60 * S)

/* Nobody listens on the ports of the configuration as it is now; or somebody does. */
static void configured_ports(struct sim *sim, enum manner manner)
{
	const struct guest *g = sim_guest(sim, VM);

	for (unsigned i = 0; i < g->n_services; i++)
		if (g->services[i].spec->host_port)
			fake_prober_find(sim->prober, g->services[i].spec->host_port)->manner =
				manner;
}

static struct sim *moved_by_reload(void)
{
	struct sim *sim = sim_new();

	sim_configure(sim, VM, 10000, QUORUM);
	sim_daemon(sim);
	sim_wait_healthy(sim, VM, 120 * S);
	sim_configure(sim, VM, 11000, QUORUM);
	assert_int_equal(sim_reload(sim), 0);
	assert_true(sim_log_has(sim, "PortOffset: at the guest's next boot"));
	configured_ports(sim, MANNER_CUT_OFF);
	return sim;
}

/* The guest is well, and stays so with the next daemon, too; its next start moves them. */
static void test_moved(void **state)
{
	struct sim *sim = moved_by_reload();
	struct fake_guest *d = sim_fake(sim, VM);

	(void)state;
	sim_run(sim, 20 * MIN_);
	assert_true(sim_guest(sim, VM)->healthy);
	assert_int_equal(sim_service(sim, VM, ONE)->host_port, 19092);
	sim_kill_daemon(sim);
	sim_daemon(sim);
	sim_run(sim, 20 * MIN_);
	assert_true(sim_guest(sim, VM)->healthy);
	assert_int_equal(sim_service(sim, VM, ONE)->host_port, 19092);
	/* Nor does a reboot in the guest: it is the same QEMU. */
	fake_guest_reboot(d, true);
	sim_run(sim, 5 * MIN_);
	assert_true(sim_guest(sim, VM)->healthy);
	assert_int_equal(sim_service(sim, VM, ONE)->host_port, 19092);
	assert_int_equal(d->starts, 1);
	configured_ports(sim, MANNER_OK);
	sim_wait_answer(sim, sim_ask(sim, VM, OPERATION_RESTART), 300 * S);
	sim_wait_healthy(sim, VM, 120 * S);
	assert_int_equal(sim_service(sim, VM, ONE)->host_port, 20092);
	sim_free(sim);
}

/* What answered is asked on; what does not any more is down, and heals as ever. */
static void test_moved_and_down(void **state)
{
	struct sim *sim = moved_by_reload();

	(void)state;
	fake_prober_find(sim->prober, 19092)->manner = MANNER_REFUSE;
	sim_wait_service(sim, VM, ONE, SERVICE_DOWN, MIN_);
	fake_prober_find(sim->prober, 19092)->manner = MANNER_OK;
	sim_wait_healthy(sim, VM, MIN_);
	assert_int_equal(sim_fake(sim, VM)->starts, 1);
	sim_free(sim);
}

/* A service that is new, or has another port in the guest, has none: it is not asked and does not
 * count, before and after the daemon's restart. */
static void test_added(void **state)
{
	static const char extra[] =
		"[Service brand-new]\nPort=9110\n[Service " ONE "]\nPort=9111\n";
	struct sim *sim = sim_new_healthy();

	(void)state;
	sim_configure(sim, VM, 10000, extra);
	assert_int_equal(sim_reload(sim), 0);
	assert_true(sim_log_has(sim, "service added: at the guest's next boot"));
	for (unsigned i = 0; i < 2; i++) {
		sim_run(sim, 5 * MIN_);
		assert_true(sim_guest(sim, VM)->healthy);
		assert_int_equal(
			sim_service(sim, VM, "brand-new")->probe.state, SERVICE_UNKNOWN);
		assert_int_equal(sim_service(sim, VM, ONE)->probe.state, SERVICE_UNKNOWN);
		sim_kill_daemon(sim);
		sim_daemon(sim);
	}
	assert_int_equal(fake_prober_find(sim->prober, 19110)->asked, 0);
	sim_run(sim, MIN_);
	sim_wait_answer(sim, sim_ask(sim, VM, OPERATION_RESTART), 300 * S);
	sim_wait_healthy(sim, VM, 120 * S);
	assert_int_equal(sim_service(sim, VM, "brand-new")->probe.state, SERVICE_UP);
	assert_int_equal(sim_service(sim, VM, ONE)->host_port, 19111);
	sim_free(sim);
}

/* A state file of before there were any in it: a guest that runs is taken to have those that are
 * configured. */
static void test_older_file(void **state)
{
	struct sim *sim = sim_new_healthy();

	(void)state;
	sim_run(sim, 2 * MIN_);
	sim_kill_daemon(sim);
	char *at = strstr(fake_store_text(sim->store, VM)->text, "\"forwards\"");
	assert_non_null(at);
	memcpy(at, "\"of_later\"", 10);
	sim_daemon(sim);
	sim_run(sim, MIN_);
	assert_true(sim_guest(sim, VM)->healthy);
	assert_int_equal(sim_service(sim, VM, ONE)->host_port, 19092);
	assert_int_equal(sim_service(sim, VM, ONE)->probe.state, SERVICE_UP);
	sim_free(sim);
}

/* Whatever stands in the file, nothing is asked that is no port. */
static void test_damaged_file(void **state)
{
	struct sim *sim = sim_new_healthy();

	(void)state;
	sim_run(sim, 2 * MIN_);
	sim_kill_daemon(sim);
	char *at = strstr(fake_store_text(sim->store, VM)->text, "\"forwards\"");
	while ((at = strstr(at, "\"host_port\": 1")))
		memcpy(at, "\"host_port\":91", 14);
	sim_daemon(sim);
	sim_run(sim, MIN_);
	assert_int_equal(sim_guest(sim, VM)->n_forwards, 0);
	assert_int_equal(sim_service(sim, VM, ONE)->probe.state, SERVICE_UNKNOWN);
	assert_int_equal(sim_fake(sim, VM)->starts, 1);
	sim_free(sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_moved),
		cmocka_unit_test(test_moved_and_down),
		cmocka_unit_test(test_added),
		cmocka_unit_test(test_older_file),
		cmocka_unit_test(test_damaged_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
