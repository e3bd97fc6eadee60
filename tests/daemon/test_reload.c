/* SPDX-License-Identifier: Apache-2.0 */
/* A configuration read again under way: all of it or nothing, what is live, and guests that come
 * and go. */
/* LINK: base model policy core io/layout io/hv io/confdir */
/* LIBS: libcbor jansson inih libsystemd */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "core/probing.h"
#include "sim.h"

#define ONE    "local-proofreader"
#define SECOND "vm-intelligence"

static void test_nothing_changed(void **state)
{
	struct sim *sim = *state;
	const struct guest *g = sim_guest(sim, VM);

	sim_log_clear(sim);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(sim_reload(sim), 0);
		sim_run(sim, 1300 * MS);
	}
	assert_true(sim_log_has(sim, "nothing changed"));
	/* The very same guest, and nobody's state moved. */
	assert_ptr_equal(g, sim_guest(sim, VM));
	assert_true(g->healthy);
	assert_false(sim_log_has(sim, " -> "));
	assert_int_equal(sim_fake(sim, VM)->starts, 1);
}

/* Any fault at all: the old configuration is in force to the last key, and the faults are told. */
static void test_faults_keep_the_old(void **state)
{
	struct sim *sim = *state;
	const struct spec *spec = sim->supervisor->spec;

	sim_configure(sim, VM, 10000, "[Restart]\nLimit=7\n[Shutdown]\nTimeout=soon\n");
	assert_int_equal(sim_reload(sim), -EINVAL);
	assert_true(sim_log_has(sim, "Timeout"));
	assert_ptr_equal(sim->supervisor->spec, spec);
	assert_int_equal(sim_guest(sim, VM)->spec->restart_limit, 3);
	/* Two guests on one port are one fault, whoever of them is new. */
	sim_configure(sim, VM, 10000, NULL);
	sim_configure(sim, SECOND, 10000, NULL);
	assert_int_equal(sim_reload(sim), -EINVAL);
	assert_null(supervisor_find(sim->supervisor, SECOND));
	sim_run(sim, 60 * S);
	assert_true(sim_guest(sim, VM)->healthy);
}

static void test_live(void **state)
{
	struct sim *sim = *state;
	const struct fake_service *f = sim_fake_service(sim, VM, ONE);

	sim_configure(sim, VM, 10000, "[Shutdown]\nTimeout=20s\n[Restart]\nLimit=7\n");
	assert_int_equal(sim_reload(sim), 0);
	assert_true(sim_log_has(sim, VM ": Timeout: live now"));
	assert_true(sim_log_has(sim, VM ": Limit: live now"));
	unsigned asked = f->asked;
	sim_run(sim, 100 * S);
	assert_in_range(f->asked - asked, 9, 12);
	sim_fake(sim, VM)->ignores_acpi = sim_fake(sim, VM)->agent_lies = true;
	const struct sim_request *r = sim_ask(sim, VM, OPERATION_STOP);
	sim_wait_answer(sim, r, 30 * S);
	assert_in_range(r->answered_at - r->asked_at, 20 * S, 23 * S);
}

static void test_next_boot(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	sim_configure(sim, VM, 10000, "[Guest]\nMemory=8G\n");
	assert_int_equal(sim_reload(sim), 0);
	assert_true(sim_log_has(sim, VM ": Memory: at the guest's next boot"));
	sim_run(sim, 60 * S);
	assert_true(sim_guest(sim, VM)->healthy);
	assert_int_equal(d->starts, 1);
}

/* Before anything was read: the first look finds questions in flight. */
static void test_before_first_look(void **state)
{
	struct sim *sim = *state;

	sim_kill_daemon(sim);
	sim_daemon(sim);
	sim_fake_service(sim, VM, ONE)->manner = MANNER_HANG;
	assert_int_equal(sim_reload(sim), 0);
	sim_run(sim, 10 * S);
	sim_fake_service(sim, VM, ONE)->manner = MANNER_OK;
	sim_run(sim, 30 * S);
	assert_true(sim_guest(sim, VM)->healthy);
}

/* A service's interval shortened, one added, one removed, all with questions in flight. */
static void test_services(void **state)
{
	static const char text[] =
		"[Image]\nPath=/nowhere.qcow2\n[Network]\nPortOffset=10000\n"
		"[Service local-marketing]\nPort=9102\n"
		"[Service local-proofreader]\nPort=9092\nInterval=3s\n"
		"[Service brand-new]\nPort=9110\n"
		"[Service system-ledger]\nExpect=pending\n";
	struct sim *sim = *state;
	const struct guest *g = sim_guest(sim, VM);
	usec_t since = sim_service(sim, VM, ONE)->state_since_realtime;

	for (usec_t phase = 0; phase < 10 * S; phase += 900 * MS) {
		sim_run(sim, phase);
		sim_configure_text(sim, VM, text);
		assert_int_equal(sim_reload(sim), 0);
		assert_int_equal(g->n_services, 4);
		/* Who stays keeps what was believed of him, since when. */
		assert_int_equal(sim_service(sim, VM, ONE)->probe.state, SERVICE_UP);
		assert_int_equal(sim_service(sim, VM, ONE)->state_since_realtime, since);
		assert_int_equal(sim_service(sim, VM, "brand-new")->probe.state, SERVICE_UNKNOWN);
		sim_run(sim, 15 * S);
		/* Nothing leads to its port before the next start. */
		assert_int_equal(sim_service(sim, VM, "brand-new")->probe.state, SERVICE_UNKNOWN);
		assert_int_equal(fake_prober_find(sim->prober, 19110)->asked, 0);
		assert_int_equal(sim_service(sim, VM, "system-ledger")->probe.state, SERVICE_UP);
		assert_true(g->healthy);
		unsigned asked = sim_fake_service(sim, VM, ONE)->asked;
		sim_run(sim, 30 * S);
		assert_in_range(sim_fake_service(sim, VM, ONE)->asked - asked, 9, 12);
		const struct fake_service *gone = fake_prober_find(sim->prober, 19100);
		asked = gone->asked;
		sim_run(sim, 30 * S);
		assert_int_equal(gone->asked, asked);
		sim_configure(sim, VM, 10000, NULL);
		assert_int_equal(sim_reload(sim), 0);
		assert_int_equal(g->n_services, 10);
		sim_run(sim, 15 * S);
		assert_true(g->healthy);
	}
	assert_int_equal(sim_fake(sim, VM)->starts, 1);
	assert_false(sim_log_has(sim, "-> down"));
}

/* A guest added comes up, one removed runs on unwatched, and added again it is adopted. */
static void test_guests(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	sim_configure(sim, SECOND, 20000, NULL);
	assert_int_equal(sim_reload(sim), 0);
	sim_wait_healthy(sim, SECOND, 120 * S);
	assert_true(sim_guest(sim, VM)->healthy);

	sim_unconfigure(sim, VM);
	assert_int_equal(sim_reload(sim), 0);
	assert_null(supervisor_find(sim->supervisor, VM));
	assert_true(sim_log_has(sim, "it goes on running, unwatched"));
	const struct fake_service *f = fake_prober_find(sim->prober, 19100);
	unsigned asked = f->asked;
	sim_run(sim, 60 * S);
	assert_true(fake_guest_runs(d));
	assert_int_equal(f->asked, asked);
	assert_null(sim->supervisor->removed);
	assert_true(sim_guest(sim, SECOND)->healthy);

	sim_configure(sim, VM, 10000, NULL);
	assert_int_equal(sim_reload(sim), 0);
	sim_wait_healthy(sim, VM, 60 * S);
	assert_int_equal(d->starts, 1);
}

/* Removed in the middle of everything: a start, a stop, a hang. Who waits is answered, and
 * nothing is touched later. */
static void test_removed_in_the_middle(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	sim_configure(sim, SECOND, 20000, NULL);
	assert_int_equal(sim_reload(sim), 0);
	for (int round = 0; round < 4; round++) {
		const struct sim_request *r =
			sim_ask(sim, VM, round == 1 ? OPERATION_RESTART : OPERATION_STOP);

		if (round == 2)
			d->sigstopped = true;
		sim_run(sim, round == 1 ? 5 * S : 2 * S);
		assert_int_equal(r->answers, 0);
		sim_unconfigure(sim, VM);
		assert_int_equal(sim_reload(sim), 0);
		assert_int_equal(r->answers, 1);
		assert_int_equal(r->error, -ECANCELED);
		sim_run(sim, 200 * S);
		assert_null(sim->supervisor->removed);
		fake_guest_wake(d);
		sim_configure(sim, VM, 10000, NULL);
		assert_int_equal(sim_reload(sim), 0);
		sim_run(sim, 20 * S);
		if (!fake_guest_has_qemu(d)) {
			r = sim_ask(sim, VM, OPERATION_START);
			if (r->accepted == 1)
				sim_wait_answer(sim, r, 30 * S);
		}
		sim_run(sim, 300 * S);
		if (sim_guest(sim, VM)->state != GUEST_READY) {
			sim_wait_answer(sim, sim_ask(sim, VM, OPERATION_START), 300 * S);
			sim_wait_healthy(sim, VM, 120 * S);
		}
	}
}

/* Two guests, same services, own ports: set apart in time, and one's fate is not the other's. */
static void test_two_guests(void **state)
{
	struct sim *sim = *state;

	sim_configure(sim, SECOND, 20000, NULL);
	assert_int_equal(sim_reload(sim), 0);
	sim_wait_healthy(sim, SECOND, 120 * S);
	sim_run(sim, 30 * S);
	const struct guest *a = sim_guest(sim, VM), *b = sim_guest(sim, SECOND);
	assert_string_not_equal(a->spec->uuid, b->spec->uuid);
	assert_string_not_equal(a->boot_id, b->boot_id);
	/* All of one guest in one wake-up, the two apart. */
	assert_int_equal(sim_service(sim, VM, ONE)->probe.asked_at,
		sim_service(sim, VM, "local-marketing")->probe.asked_at);
	usec_t at_a = sim_service(sim, VM, ONE)->probe.asked_at % (10 * S);
	usec_t at_b = sim_service(sim, SECOND, ONE)->probe.asked_at % (10 * S);
	assert_int_not_equal(at_a, at_b);

	sim_fake_service(sim, SECOND, ONE)->manner = MANNER_REFUSE;
	sim_wait_service(sim, SECOND, ONE, SERVICE_DOWN, 30 * S);
	assert_false(b->healthy);
	assert_true(a->healthy);
	/* The other guest's service on this one's port would be told by its boot_id: the names
	 * are the same. */
	sim_fake_service(sim, SECOND, ONE)->manner = MANNER_OK;
	sim_fake_service(sim, SECOND, ONE)->guest = sim_fake(sim, VM);
	sim_run(sim, 20 * S);
	assert_int_equal(sim_service(sim, SECOND, ONE)->probe.last.verdict, VERDICT_STALE_BOOT);
	sim_fake_service(sim, SECOND, ONE)->guest = sim_fake(sim, SECOND);
	sim_wait_healthy(sim, SECOND, 30 * S);

	fake_guest_end(sim_fake(sim, SECOND), HV_REASON_CRASHED);
	sim_wait_answer(sim, sim_ask(sim, VM, OPERATION_STOP), 30 * S);
	sim_wait_healthy(sim, SECOND, 120 * S);
	assert_int_equal(a->state, GUEST_STOPPED);
	assert_int_equal(sim_fake(sim, VM)->starts, 1);
}

int main(void)
{
#define HEALTHY(f) cmocka_unit_test_setup_teardown(f, sim_setup_healthy, sim_teardown)
	const struct CMUnitTest tests[] = {
		HEALTHY(test_nothing_changed),
		HEALTHY(test_faults_keep_the_old),
		HEALTHY(test_live),
		HEALTHY(test_next_boot),
		HEALTHY(test_before_first_look),
		HEALTHY(test_services),
		HEALTHY(test_guests),
		HEALTHY(test_removed_in_the_middle),
		HEALTHY(test_two_guests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
