/* SPDX-License-Identifier: Apache-2.0 */
/* The memory pool with a daemon around it: rounds, orders, operators, restarts, guests that lie. */
/* LINK: base model policy core io/layout io/hv io/confdir */
/* LIBS: libcbor jansson inih libsystemd */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "sim.h"

#define MIB  (UINT64_C(1) << 10)
#define GIB  (UINT64_C(1) << 20)
#define NEAR (16 * MIB)

static struct ballooning *ballooning(struct sim *sim, const char *name)
{
	return &sim_guest(sim, name)->ballooning;
}

static uint64_t actual(struct sim *sim, const char *name)
{
	return guestmem_actual_kib(fake_guest_memory(sim_fake(sim, name)));
}

/* A host of 8 GiB on which something else takes what leaves so much available now. */
static void host_leaves(struct sim *sim, uint64_t kib)
{
	sim->host.total_kib = 8 * GIB;
	sim->host.other_kib = 8 * GIB - kib - fake_hv_rss_kib(sim->hv);
}

/* The guest has filled its memory with files read once. */
static void fill_cache(struct sim *sim, const char *name, uint64_t kib)
{
	sim_fake(sim, name)->demand.read_kib_s = kib / 60;
	sim_run(sim, 60 * S);
	sim_fake(sim, name)->demand.read_kib_s = 0;
}

static bool no_overlap(struct sim *sim)
{
	for (const struct fake_guest *d = sim->hv->guests; d; d = d->next)
		if (d->overlaps)
			return false;
	return true;
}

static void test_no_need(void **state)
{
	struct sim *sim = *state;

	fill_cache(sim, VM, 4 * GIB);
	sim_run(sim, USEC_PER_HOUR);
	assert_int_equal(sim_fake(sim, VM)->setmems, 0);
	assert_int_equal(ballooning(sim, VM)->last.reason, BALLOON_STEADY);
	assert_int_equal(ballooning(sim, VM)->last.target_kib, 6 * GIB);
	assert_true(ballooning(sim, VM)->last.sighted);
}

static bool at_ease(struct sim *sim, const void *arg)
{
	(void)arg;
	return !sim->supervisor->pool.outcome.pressed;
}

static bool pressed(struct sim *sim, const void *arg)
{
	return !at_ease(sim, arg);
}

/* Idle guest, host short of memory: the cache goes back, nothing is hurt, and it is told. */
static void test_gives_back(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	fill_cache(sim, VM, 4 * GIB);
	uint64_t rss = guestmem_rss_kib(fake_guest_memory(d));
	host_leaves(sim, 512 * MIB);
	assert_true(sim_run_until(sim, pressed, NULL, 10 * S));
	assert_true(sim_run_until(sim, at_ease, NULL, 180 * S));
	assert_true(guestmem_rss_kib(fake_guest_memory(d)) < rss - GIB);
	assert_true(actual(sim, VM) >= 2 * GIB);
	assert_int_equal(d->mem.swap_in_kib, 0);
	assert_int_equal(d->mem.ooms, 0);
	assert_true(sim_guest(sim, VM)->healthy);
	assert_true(no_overlap(sim));
	assert_true(ballooning(sim, VM)->shrinks > 2);
	assert_true(sim_log_has(sim, "the host needs memory: "));
	assert_true(sim_log_has(sim, "memory 6.0 GiB -> "));
	assert_true(sim_log_has(sim, "(host-need), floor 2.0 GiB"));
	assert_true(sim_log_has(sim, "the host is at ease again: "));

	const struct decisions *why = &sim_guest(sim, VM)->decisions;
	bool shrank = false;
	for (unsigned i = 0; i < why->n[WHY_MEMORY]; i++) {
		const struct decision *one = &why->lists[WHY_MEMORY][i];
		assert_string_not_equal(one->rule, "waiting");
		shrank |= strcmp(one->rule, "host-need") == 0 &&
			  strncmp(one->action, "shrink to ", 10) == 0 &&
			  strstr(one->inputs, "host=") && strstr(one->inputs, " pressed need=");
	}
	assert_true(shrank);
}

static bool has_at_least(struct sim *sim, const void *arg)
{
	return fake_guest_memory(sim_fake(sim, VM))->anon_kib >= *(const uint64_t *)arg;
}

/* What was lent is there when it is needed: before swap, with everybody up. */
static void test_served(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);
	const uint64_t demand = 3 * GIB;

	fill_cache(sim, VM, 4 * GIB);
	host_leaves(sim, 512 * MIB);
	assert_true(sim_run_until(sim, pressed, NULL, 10 * S));
	assert_true(sim_run_until(sim, at_ease, NULL, 180 * S));
	sim->host.other_kib -= 2 * GIB;
	uint64_t before = actual(sim, VM);
	assert_true(before < 5 * GIB);
	d->demand.demand_kib = demand;
	assert_true(sim_run_until(sim, has_at_least, &demand, 60 * S));
	assert_int_equal(fake_guest_memory(d)->ooms, 0);
	sim_run(sim, 60 * S);
	assert_true(actual(sim, VM) >= before);
	assert_true(no_overlap(sim));
}

static void all_slow(struct sim *sim, usec_t latency)
{
	const struct guest *g = sim_guest(sim, VM);

	for (unsigned i = 0; i < g->n_services; i++)
		if (g->services[i].spec->host_port)
			sim_fake_service(sim, VM, g->services[i].spec->name)->latency = latency;
}

/* Slow answers while a loan is on trial return it; but not where the host gives the guest no CPU:
 * then they would be slow with any memory. */
static void latency(struct sim *sim, bool starved)
{
	all_slow(sim, 20 * MS);
	sim_run(sim, 60 * S);
	fill_cache(sim, VM, 4 * GIB);
	host_leaves(sim, 512 * MIB);
	sim_run(sim, 30 * S);
	assert_true(ballooning(sim, VM)->last.on_trial);
	fake_guest_starve(sim_fake(sim, VM), starved ? 150 : 10);
	sim_run(sim, 3 * S);
	all_slow(sim, 500 * MS);
	sim_run(sim, 30 * S);
	assert_int_equal(sim_log_has(sim, "(latency, loans returned)"), !starved);
}

static void test_latency(void **state)
{
	latency(*state, false);
}

static void test_latency_of_cpu(void **state)
{
	latency(*state, true);
}

/* The answer of the call is nothing: what the statistics show is. */
static void test_believed_by_statistics(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	fill_cache(sim, VM, 4 * GIB);
	d->demand.flaw = FLAW_STUCK;
	host_leaves(sim, 512 * MIB);
	sim_run(sim, 20 * S);
	assert_true(ballooning(sim, VM)->memory.ordered_kib > 0);
	assert_int_equal(ballooning(sim, VM)->last.reason, BALLOON_WAITING);
	assert_int_equal(d->setmems, 1);
	assert_int_equal(ballooning(sim, VM)->last.from_kib, 6 * GIB);
	/* It never comes: withdrawn, told apart, left alone, and the host is told the truth. */
	sim_run(sim, 60 * S);
	assert_int_equal(ballooning(sim, VM)->last.reason, BALLOON_STUCK);
	assert_int_equal(d->ordered_kib, 6 * GIB);
	assert_true(ballooning(sim, VM)->last.aside_until > sim->now);
	assert_true(sim_log_has(sim, "its balloon does not follow; set aside for "));
	unsigned setmems = d->setmems;
	sim_run(sim, 60 * S);
	assert_int_equal(d->setmems, setmems);
	/* It follows again. */
	d->demand.flaw = FLAW_NONE;
	sim_run(sim, 20 * USEC_PER_MINUTE);
	assert_true(sim_log_has(sim, "no longer set aside"));
	assert_true(actual(sim, VM) < 5 * GIB);
	assert_true(no_overlap(sim));
}

/* Refused by the hypervisor: no loan, no order, another try in the next round. */
static void test_refused(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	fill_cache(sim, VM, 4 * GIB);
	d->setmem_error = -EIO;
	host_leaves(sim, 512 * MIB);
	sim_run(sim, 30 * S);
	assert_true(d->setmems > 3);
	assert_int_equal(ballooning(sim, VM)->memory.ordered_kib, 0);
	assert_int_equal(ballooning(sim, VM)->memory.n_loans, 0);
	assert_int_equal(ballooning(sim, VM)->shrinks, 0);
	assert_true(no_overlap(sim));
}

/* A setmem that takes seconds: nothing else is asked of the guest meanwhile. */
static void test_slow_call(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	fill_cache(sim, VM, 4 * GIB);
	d->setmem_takes = 3 * S;
	host_leaves(sim, 512 * MIB);
	sim_run(sim, 300 * S);
	assert_true(ballooning(sim, VM)->shrinks > 2);
	assert_true(no_overlap(sim));
	assert_true(actual(sim, VM) < 5 * GIB);
}

static void test_override(void **state)
{
	struct sim *sim = *state;
	struct sim_request *r = sim_balloon_for(sim, VM, 3 * GIB, 10 * USEC_PER_MINUTE);

	assert_int_equal(r->accepted, 1);
	sim_wait_answer(sim, r, 200 * S);
	assert_int_equal(r->error, 0);
	assert_non_null(strstr(r->text, "3.0 GiB"));
	assert_int_equal(ballooning(sim, VM)->override_kib, 3 * GIB);
	sim_run(sim, S);
	/* It stands over a restart of the daemon, its end too. */
	sim_run(sim, 5 * S);
	sim_kill_daemon(sim);
	sim_run(sim, 60 * S);
	sim_daemon(sim);
	sim_run(sim, 60 * S);
	assert_int_equal(ballooning(sim, VM)->override_kib, 3 * GIB);
	assert_int_equal(ballooning(sim, VM)->last.reason, BALLOON_OVERRIDDEN);
	assert_true(actual(sim, VM) <= 3 * GIB + NEAR);
	sim_run(sim, 7 * USEC_PER_MINUTE);
	assert_true(actual(sim, VM) <= 3 * GIB + NEAR);
	sim_run(sim, 60 * S);
	/* Over: at once all that the host can spare, which is all. */
	assert_true(sim_log_has(sim, "the size of 3.0 GiB that was asked for is over"));
	assert_int_equal(ballooning(sim, VM)->override_kib, 0);
	sim_run(sim, 30 * S);
	assert_int_equal(actual(sim, VM), 6 * GIB);
	assert_int_equal(ballooning(sim, VM)->release_kib, 0);
	assert_true(no_overlap(sim));
}

/* `auto` on a host that is short gives back nothing that the host has not. */
static void test_auto_under_need(void **state)
{
	struct sim *sim = *state;
	struct sim_request *r = sim_balloon(sim, VM, 3 * GIB);

	sim_wait_answer(sim, r, 200 * S);
	host_leaves(sim, 1 * GIB);
	assert_true(sim_run_until(sim, pressed, NULL, 10 * S));
	r = sim_balloon(sim, VM, 0);
	sim_wait_answer(sim, r, 200 * S);
	assert_int_equal(r->error, 0);
	assert_non_null(strstr(r->text, "automatic; the guest has "));
	sim_run(sim, 60 * S);
	assert_true(actual(sim, VM) <= 3 * GIB + NEAR);
}

/* More than the guest can give: the operator hears how far it went, and the size stands. */
static void test_override_held(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	d->demand.demand_kib = 4 * GIB;
	sim_run(sim, 60 * S);
	struct sim_request *r = sim_balloon(sim, VM, 2 * GIB);
	sim_wait_answer(sim, r, 290 * S);
	assert_int_equal(r->error, -EAGAIN);
	assert_non_null(strstr(r->text, "is held there (override-held)"));
	assert_true(actual(sim, VM) > 4 * GIB);
	assert_int_equal(d->mem.swap_in_kib, 0);
	d->demand.demand_kib = GIB;
	sim_run(sim, 300 * S);
	assert_true(actual(sim, VM) <= 2 * GIB + NEAR);
}

/* More than it was started with is not called reached; it is once it was started anew. */
static void test_beyond_maximum(void **state)
{
	struct sim *sim = *state;

	sim_configure(sim, VM, 10000, "[Guest]\nMemory=8G\n");
	assert_int_equal(sim_reload(sim), 0);
	struct sim_request *r = sim_balloon(sim, VM, 8 * GIB);
	sim_wait_answer(sim, r, 290 * S);
	assert_int_equal(r->error, -EAGAIN);
	assert_non_null(strstr(r->text, "the guest has 6.0 GiB, the most it was started with"));
	assert_non_null(strstr(r->text, "takes a restart of the guest"));
	r = sim_balloon(sim, VM, 6 * GIB);
	sim_wait_answer(sim, r, 290 * S);
	assert_int_equal(r->error, 0);
}

static void test_reload(void **state)
{
	struct sim *sim = *state;

	fill_cache(sim, VM, 4 * GIB);
	/* Manual: the host may need what it wants. */
	sim_configure(sim, VM, 10000, "[Memory]\nBalloon=manual\n");
	assert_int_equal(sim_reload(sim), 0);
	host_leaves(sim, 512 * MIB);
	sim_run(sim, 300 * S);
	assert_int_equal(actual(sim, VM), 6 * GIB);
	assert_int_equal(sim_fake(sim, VM)->setmems, 0);
	struct sim_request *r = sim_balloon(sim, VM, 5 * GIB);
	sim_wait_answer(sim, r, 200 * S);
	assert_int_equal(r->error, 0);
	/* What was taken back in manual stays as it is. */
	r = sim_balloon(sim, VM, 0);
	sim_wait_answer(sim, r, 200 * S);
	sim_run(sim, 60 * S);
	assert_true(actual(sim, VM) <= 5 * GIB + NEAR && actual(sim, VM) + NEAR >= 5 * GIB);
	/* Automatic, with a floor that is live at once. */
	sim_configure(sim, VM, 10000, "[Memory]\nMemoryMin=4608M\n");
	assert_int_equal(sim_reload(sim), 0);
	sim_run(sim, 300 * S);
	assert_true(actual(sim, VM) + NEAR >= 4608 * MIB && actual(sim, VM) < 5 * GIB - NEAR);
	assert_int_equal(ballooning(sim, VM)->last.floor_kib, 4608 * MIB);
	sim_configure(sim, VM, 10000, "[Memory]\nMemoryMin=5632M\n");
	assert_int_equal(sim_reload(sim), 0);
	sim_run(sim, 60 * S);
	assert_true(actual(sim, VM) + NEAR >= 5632 * MIB);
	/* Less Memory= than it runs with. */
	sim_configure(sim, VM, 10000, "[Guest]\nMemory=4G\n");
	assert_int_equal(sim_reload(sim), 0);
	sim->host.other_kib = 0;
	sim_run(sim, 600 * S);
	assert_true(actual(sim, VM) <= 4 * GIB + NEAR);
	assert_true(no_overlap(sim));
}

static void test_degraded(void **state)
{
	struct sim *sim = *state;

	sim->host.total_kib = 2560 * MIB;
	sim_run(sim, 30 * S);
	assert_true(sim->supervisor->pool.outcome.degraded);
	assert_true(sim_log_has(sim, "the pool is too small: MemoryMin="));
	sim_run(sim, 600 * S);
	assert_true(actual(sim, VM) >= 2 * GIB);
	sim->host.total_kib = 64 * GIB;
	sim_run(sim, 30 * S);
	assert_true(sim_log_has(sim, "the pool holds the guests' MemoryMin= again"));
	/* Nothing is known of the host: nobody gives. */
	sim->host.total_kib = 0;
	unsigned setmems = sim_fake(sim, VM)->setmems;
	sim_run(sim, 600 * S);
	assert_true(sim_log_has(sim, "the host's memory cannot be read"));
	assert_int_equal(sim_fake(sim, VM)->setmems, setmems);
}

/* The daemon goes and comes: what the guest has lent it has lent, and what was learned is known. */
static void test_adoption(void **state)
{
	struct sim *sim = *state;

	fill_cache(sim, VM, 4 * GIB);
	host_leaves(sim, 512 * MIB);
	assert_true(sim_run_until(sim, pressed, NULL, 10 * S));
	assert_true(sim_run_until(sim, at_ease, NULL, 180 * S));
	sim_run(sim, 20 * S);
	uint64_t level = actual(sim, VM);
	assert_true(level < 5 * GIB);
	struct balloon_memory *m = &ballooning(sim, VM)->memory;
	m->learned_kib = 777 * MIB;
	m->learned_until = sim->now + USEC_PER_HOUR;
	m->learned_decayed = sim->now;
	m->lessons = 3;
	m->lesson_unseen = true;
	usec_t until = m->learned_until;
	sim_stop_daemon(sim);
	sim_run(sim, 30 * S);
	unsigned setmems = sim_fake(sim, VM)->setmems;
	sim_daemon(sim);
	sim_run(sim, 5 * USEC_PER_MINUTE);
	assert_int_equal(actual(sim, VM), level);
	assert_int_equal(sim_fake(sim, VM)->setmems, setmems);
	m = &ballooning(sim, VM)->memory;
	assert_int_equal(m->learned_kib, 777 * MIB);
	assert_int_equal(m->learned_until, until);
	assert_int_equal(m->lessons, 3);
	assert_true(m->lesson_unseen);
	assert_true(ballooning(sim, VM)->last.sighted);
}

/* Guests that tell nothing, nonsense or the news of last year give nothing and say why; whatever
 * one says, nobody goes below MemoryMin=. */
static void test_liars(void **state)
{
	static const struct {
		enum guest_flaw flaw;
		enum balloon_reason reason;
		const char *words;
	} rows[] = {
		{ FLAW_ABSENT, BALLOON_NO_STATISTICS, "is virtio_balloon loaded in it?" },
		{ FLAW_FROZEN, BALLOON_STALE, "was virtio_balloon unloaded in it?" },
		{ FLAW_GARBAGE, BALLOON_ABSURD, "contradict each other" },
	};
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	fill_cache(sim, VM, 4 * GIB);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		sim_log_clear(sim);
		d->demand.flaw = rows[i].flaw;
		sim_run(sim, 40 * S);
		host_leaves(sim, 512 * MIB);
		unsigned setmems = d->setmems;
		sim_run(sim, 120 * S);
		assert_int_equal(ballooning(sim, VM)->last.reason, rows[i].reason);
		assert_int_equal(d->setmems, setmems);
		assert_int_equal(sim_log_count(sim, rows[i].words), 1);
		sim->host.other_kib = 0;
		d->demand.flaw = FLAW_NONE;
		sim_run(sim, 60 * S);
		assert_true(sim_log_has(sim, "statistics of memory are believed again"));
	}
	d->demand.flaw = FLAW_LYING;
	host_leaves(sim, 128 * MIB);
	for (unsigned i = 0; i < 600; i++) {
		sim_run(sim, S);
		assert_true(d->ordered_kib == 0 || d->ordered_kib >= 2 * GIB);
	}
}

/* A guest whose calls hang holds up no other's rounds. */
static void test_one_hangs(void **state)
{
	struct sim *sim = *state;

	sim_configure(sim, "vm-b", 20000, NULL);
	assert_int_equal(sim_reload(sim), 0);
	sim_wait_healthy(sim, "vm-b", 180 * S);
	sim_fake(sim, "vm-b")->demand.read_kib_s = 70 * MIB;
	sim_run(sim, 60 * S);
	sim_fake(sim, "vm-b")->demand.read_kib_s = 0;
	sim_fake(sim, VM)->sigstopped = true;
	host_leaves(sim, 512 * MIB);
	sim_run(sim, 60 * S);
	assert_true(ballooning(sim, "vm-b")->shrinks > 2);
	assert_int_equal(ballooning(sim, VM)->last.reason, BALLOON_STALE);
	fake_guest_wake(sim_fake(sim, VM));
	sim_run(sim, 60 * S);
	assert_true(no_overlap(sim));
}

/* It has filled its memory, and has then lent of it for half a minute. */
static void lend(struct sim *sim)
{
	fill_cache(sim, VM, 4 * GIB);
	host_leaves(sim, 512 * MIB);
	assert_true(sim_run_until(sim, pressed, NULL, 10 * S));
	sim_run(sim, 30 * S);
}

/* A guest that boots anew is asked for nothing, and its counters begin at nothing; from a host that
 * is short it gets back what that can spare. */
static void test_reboot(void **state)
{
	struct sim *sim = *state;

	lend(sim);
	fake_guest_reboot(sim_fake(sim, VM), true);
	unsigned setmems = sim_fake(sim, VM)->setmems, shrinks = ballooning(sim, VM)->shrinks;
	uint64_t before = sim_fake(sim, VM)->ordered_kib;
	sim_run(sim, 20 * S);
	assert_int_equal(ballooning(sim, VM)->memory.swap_in_kib, 0);
	assert_int_equal(ballooning(sim, VM)->shrinks, shrinks);
	assert_int_equal(sim_fake(sim, VM)->setmems, setmems + 1);
	assert_in_range(sim_fake(sim, VM)->ordered_kib, before + 64 * MIB, 6 * GIB);
	sim_wait_healthy(sim, VM, 120 * S);
	sim_run(sim, 30 * S);
	assert_true(ballooning(sim, VM)->last.sighted);
}

/* Whose host has it is given back what it had lent, before its driver takes the order of the boot
 * before for one of now; and QEMU's word of a balloon in which nothing is, is soon mended. */
static void test_reboot_released(void **state)
{
	struct sim *sim = *state;

	lend(sim);
	uint64_t lent = 6 * GIB - actual(sim, VM);
	assert_true(lent > GIB);
	sim->host.other_kib = 0;
	sim_log_clear(sim);
	fake_guest_reboot(sim_fake(sim, VM), true);
	unsigned setmems = sim_fake(sim, VM)->setmems;
	for (unsigned i = 0; i < 100; i++) {
		sim_run(sim, S);
		/* The truth, which nobody is told before the driver is there. */
		assert_true(actual(sim, VM) >= 6 * GIB - NEAR);
	}
	sim_wait_healthy(sim, VM, 120 * S);
	assert_int_equal(sim_fake(sim, VM)->setmems, setmems + 1);
	assert_true(sim_log_has(sim, "(rebooted)"));
	assert_false(sim_log_has(sim, "does not follow"));
	assert_true(ballooning(sim, VM)->last.sighted);
	assert_int_equal(ballooning(sim, VM)->stats.balloon_kib, 6 * GIB - NEAR);
	assert_int_equal(ballooning(sim, VM)->memory.ordered_kib, 0);
	assert_int_equal(ballooning(sim, VM)->memory.lessons, 0);
}

/* An operator asks for all there is while the guest boots anew; that size comes to be known. */
static void test_reboot_overridden(void **state)
{
	struct sim *sim = *state;

	lend(sim);
	fake_guest_reboot(sim_fake(sim, VM), true);
	sim_run(sim, S);
	ballooning_override(sim_guest(sim, VM), 6 * GIB, USEC_INFINITY, sim->now);
	sim_wait_healthy(sim, VM, 120 * S);
	sim_run(sim, 30 * S);
	assert_true(ballooning(sim, VM)->last.sighted);
	assert_int_equal(ballooning(sim, VM)->stats.balloon_kib, 6 * GIB);
	assert_int_equal(ballooning(sim, VM)->last.reason, BALLOON_OVERRIDDEN);
}

/* A guest that goes on from a save has its balloon as it was: nothing is ordered anew, nothing that
 * it counted before is news, and what it had lent stays lent. */
static void test_restored(void **state)
{
	struct sim *sim = *state;

	lend(sim);
	host_leaves(sim, 3 * GIB); /* at ease, but not for long enough that loans go back */
	sim_run(sim, 10 * S);
	uint64_t before = actual(sim, VM);
	assert_true(before < 5 * GIB);
	unsigned setmems = sim_fake(sim, VM)->setmems;
	sim_log_clear(sim);
	const struct sim_request *r = sim_ask(sim, VM, OPERATION_SAVE);
	sim_wait_answer(sim, r, 60 * S);
	assert_int_equal(r->error, 0);
	r = sim_ask(sim, VM, OPERATION_START);
	sim_wait_answer(sim, r, 60 * S);
	assert_int_equal(r->error, 0);
	sim_wait_healthy(sim, VM, 60 * S);
	sim_run(sim, 60 * S);
	assert_int_equal(sim_fake(sim, VM)->restores, 1);
	assert_int_equal(sim_fake(sim, VM)->setmems, setmems);
	assert_int_equal(actual(sim, VM), before);
	assert_true(ballooning(sim, VM)->last.sighted);
	assert_int_equal(ballooning(sim, VM)->last.target_kib, before);
	assert_int_equal(ballooning(sim, VM)->memory.lessons, 0);
	assert_false(sim_log_has(sim, "does not follow"));
}

static void test_dry_run(void **state)
{
	struct sim *sim = *state;
	struct balloon_decision d;
	struct balloon_outcome outcome;

	sim_configure(sim, VM, 10000, "[Memory]\nBalloon=manual\n");
	assert_int_equal(sim_reload(sim), 0);
	fill_cache(sim, VM, 4 * GIB);
	host_leaves(sim, 512 * MIB);
	bool shrinks = false;
	for (unsigned i = 0; i < 100; i++) {
		sim_run(sim, 500 * MS);
		struct balloon_memory before = ballooning(sim, VM)->memory;
		assert_int_equal(ballooning_dry_run(sim_guest(sim, VM), &d, &outcome), 0);
		assert_memory_equal(&before, &ballooning(sim, VM)->memory, sizeof(before));
		shrinks |= d.action == BALLOON_SHRINK && d.reason == BALLOON_HOST_NEED;
	}
	assert_true(shrinks);
	assert_int_equal(sim_fake(sim, VM)->setmems, 0);
}

static void test_cpu(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);
	const struct cputune *c = &sim_guest(sim, VM)->cputune;

	assert_int_equal(d->cpu_tunes, 0);
	assert_int_equal(c->effect, CPUTUNE_NONE);
	sim_configure(sim, VM, 10000, "[Guest]\nCPUWeight=50\nCPUQuota=150%\n");
	assert_int_equal(sim_reload(sim), 0);
	sim_run(sim, S);
	assert_int_equal(d->cpu_tunes, 1);
	assert_int_equal(d->cpu_weight, 50);
	assert_int_equal(d->cpu_quota_pct, 150);
	assert_int_equal(c->effect, CPUTUNE_APPLIED);
	/* An adopted guest may have another's. */
	sim_kill_daemon(sim);
	sim_daemon(sim);
	sim_run(sim, 30 * S);
	c = &sim_guest(sim, VM)->cputune;
	assert_int_equal(d->cpu_tunes, 2);
	/* Taken out of the configuration: as everybody else, and no limit. */
	sim_configure(sim, VM, 10000, NULL);
	assert_int_equal(sim_reload(sim), 0);
	sim_run(sim, S);
	assert_int_equal(d->cpu_weight, 100);
	assert_int_equal(d->cpu_quota_pct, 0);
	assert_int_equal(c->effect, CPUTUNE_NONE);
	/* A failure that may pass is tried again. */
	d->cpu_tune_error = -EIO;
	sim_configure(sim, VM, 10000, "[Guest]\nCPUWeight=200\n");
	assert_int_equal(sim_reload(sim), 0);
	sim_run(sim, S);
	assert_int_equal(c->effect, CPUTUNE_FAILED);
	d->cpu_tune_error = 0;
	sim_run(sim, 31 * S);
	assert_int_equal(c->effect, CPUTUNE_APPLIED);
	assert_int_equal(d->cpu_weight, 200);
}

/* A driver without control groups: told once, shown for ever, and the guest starts. */
static void test_cpu_no_effect(void **state)
{
	struct sim *sim = *state;

	sim_configure(sim, VM, 10000, "[Guest]\nCPUWeight=50\n");
	sim_fake(sim, VM)->cpu_tune_error = -EOPNOTSUPP;
	sim_daemon(sim);
	sim_wait_healthy(sim, VM, 120 * S);
	const struct cputune *c = &sim_guest(sim, VM)->cputune;
	assert_int_equal(c->effect, CPUTUNE_NO_EFFECT);
	assert_string_not_equal(c->words, "");
	sim_run(sim, USEC_PER_HOUR);
	assert_int_equal(sim_fake(sim, VM)->cpu_tunes, 1);
	assert_int_equal(sim_log_count(sim, "CPUWeight= and CPUQuota= have no effect here"), 1);
	assert_true(sim_guest(sim, VM)->healthy);
}

int main(void)
{
#define FRESH(f)   cmocka_unit_test_setup_teardown(f, sim_setup, sim_teardown)
#define HEALTHY(f) cmocka_unit_test_setup_teardown(f, sim_setup_healthy, sim_teardown)
	const struct CMUnitTest tests[] = {
		HEALTHY(test_no_need),
		HEALTHY(test_gives_back),
		HEALTHY(test_served),
		HEALTHY(test_latency),
		HEALTHY(test_latency_of_cpu),
		HEALTHY(test_believed_by_statistics),
		HEALTHY(test_refused),
		HEALTHY(test_slow_call),
		HEALTHY(test_override),
		HEALTHY(test_auto_under_need),
		HEALTHY(test_override_held),
		HEALTHY(test_beyond_maximum),
		HEALTHY(test_reload),
		HEALTHY(test_degraded),
		HEALTHY(test_adoption),
		HEALTHY(test_liars),
		HEALTHY(test_one_hangs),
		HEALTHY(test_reboot),
		HEALTHY(test_reboot_released),
		HEALTHY(test_reboot_overridden),
		HEALTHY(test_restored),
		HEALTHY(test_dry_run),
		HEALTHY(test_cpu),
		FRESH(test_cpu_no_effect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
