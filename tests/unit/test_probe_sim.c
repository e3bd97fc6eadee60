/* SPDX-License-Identifier: Apache-2.0 */
/* The probe machine against a simulated service, and under random events from a printed seed. */
/* LINK: base/time model/report model/cborscan model/utf8 model/spec policy/verdict policy/probe */
/* LIBS: libcbor */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <time.h>

#include "base/macro.h"
#include "policy/probe.h"

#define S  USEC_PER_SEC
#define T0 (1000 * S)

static struct service_spec a_service(void)
{
	return (struct service_spec){
		.probe = PROBE_CBOR,
		.interval = 10 * S,
		.fast_interval = S,
		.timeout = 2 * S,
		.start_budget = 300 * S,
		.start_budget_set = true,
		.rise = 2,
		.fall = 3,
	};
}

static struct probe_act step(struct probe *p, const struct service_spec *service,
	enum probe_event event, usec_t now, enum verdict verdict)
{
	struct judgement j = { .verdict = verdict };
	struct probe_input in = { .event = event, .now = now, .judgement = &j };
	struct probe_act act;

	probe_step(p, service, &in, &act);
	return act;
}

/* A service of a simulated guest: it answers in `latency` until `dies`, then resets at once or is
 * silent. */
struct sim {
	usec_t latency, dies;
	bool silent;
};

/* Runs the machine from an adoption at T0 until the service is down; returns when that was. */
static usec_t sim_until_down(const struct service_spec *service, const struct sim *sim)
{
	struct probe p;
	enum verdict coming = VERDICT_NONE;
	usec_t now = T0, arrives = USEC_INFINITY;

	probe_init(&p);
	(void)step(&p, service, PROBE_EV_ADOPT, T0, 0);
	while (p.state != SERVICE_DOWN && now < T0 + USEC_PER_HOUR) {
		now = MIN(p.next, arrives);
		if (now == arrives) {
			arrives = USEC_INFINITY;
			(void)step(&p, service, PROBE_EV_ANSWER, now, coming);
		}
		if (!step(&p, service, PROBE_EV_TICK, now, 0).ask)
			continue;
		assert_int_equal(arrives, USEC_INFINITY);
		if (now + sim->latency <= sim->dies) {
			coming = VERDICT_OK;
			arrives = now + sim->latency;
		} else {
			coming = sim->silent ? VERDICT_TIMEOUT : VERDICT_REFUSED;
			arrives = now + (sim->silent ? service->timeout : 300);
		}
	}
	return now;
}

/* The promise: a killed service is down within Interval + (Fall - 1) * FastInterval + one time-out.
 * For a silent one no two questions overlap, so where the time-out is longer than FastInterval it
 * takes its place. */
static void down_in_time(void **state)
{
	static const usec_t timeouts[] = { S / 2, S, 13 * S / 10, 2 * S, 6 * S, 11 * S };
	struct service_spec service = a_service();
	usec_t worst = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(timeouts); i++) {
		for (usec_t dies = T0 + 60 * S; dies < T0 + 72 * S; dies += 37 * USEC_PER_MSEC) {
			struct sim sim = { .latency = 20 * USEC_PER_MSEC, .dies = dies };

			service.timeout = timeouts[i];
			for (service.fall = 1; service.fall <= 5; service.fall++) {
				sim.silent = false;
				usec_t took = sim_until_down(&service, &sim) - dies;
				usec_t gaps = service.fall - 1;
				assert_true(took <= 10 * S + gaps * S + service.timeout);
				if (service.fall == 3)
					worst = MAX(worst, took);

				sim.silent = true;
				took = sim_until_down(&service, &sim) - dies;
				assert_true(took <= 10 * S + gaps * MAX(S, service.timeout) +
						service.timeout);
			}
		}
	}
	/* The bound is not met by never waiting at all. */
	assert_true(worst > 11 * S);
}

/* xorshift64 of Marsaglia: the same sequence everywhere. */
static uint64_t rnd(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static void holds(const struct probe *p, const struct probe *before, enum probe_event event,
	const struct probe_act *act, usec_t now)
{
	assert_true(p->state < SERVICE_STATE_NUM);
	assert_int_equal(p->enabled, p->next != USEC_INFINITY);
	assert_false(act->ask && before->in_flight);
	assert_false(act->ask && event != PROBE_EV_TICK);
	assert_true(!act->ask || (p->in_flight && now >= before->next && before->enabled));
	assert_true(!p->in_flight || before->in_flight || act->ask);
	assert_true(event != PROBE_EV_TICK || p->next > now);
	assert_true(p->budget_until == 0 || p->state == SERVICE_STARTING);
	assert_true(p->state != SERVICE_STARTING || p->budget_until > 0);
	assert_true(p->enabled || p->state == SERVICE_UNKNOWN);
	assert_int_equal(act->old_state, before->state);
	assert_int_equal(act->state_changed, p->state != before->state);
	assert_true(p->successes == 0 || p->failures == 0);
	if (event == PROBE_EV_ADOPT || event == PROBE_EV_CANCELLED || event == PROBE_EV_TICK)
		assert_int_equal(p->state, before->state);
	if (event == PROBE_EV_ANSWER && act->verdict_changed &&
		p->last.verdict == VERDICT_INCONCLUSIVE) {
		assert_int_equal(p->state, before->state);
		assert_int_equal(p->failures, before->failures);
		assert_int_equal(p->successes, before->successes);
	}
}

static void any_sequence(void **state)
{
	uint64_t seed = (uint64_t)time(NULL) * 2654435761u | 1;
	const char *given = getenv("SEED");
	struct service_spec service = a_service();
	usec_t now = T0;
	struct probe p;

	(void)state;
	if (given)
		seed = strtoull(given, NULL, 0);
	print_message("seed: SEED=%llu\n", (unsigned long long)seed);
	probe_init(&p);
	for (unsigned i = 0; i < 200000; i++) {
		struct probe before = p;
		struct judgement j = { .verdict = 1 + rnd(&seed) % (VERDICT_NUM - 1) };
		struct probe_input in = { .judgement = &j, .stagger = rnd(&seed) % S };
		struct probe_act act;
		uint64_t die = rnd(&seed) % 64;

		/* Mostly ticks and answers, or the machine would never get anywhere. */
		in.event = die < 28 ? PROBE_EV_TICK
			: die < 56  ? PROBE_EV_ANSWER
				    : (enum probe_event)(rnd(&seed) % PROBE_EV_NUM);
		if (in.event == PROBE_EV_TICK && p.next != USEC_INFINITY && rnd(&seed) % 4)
			now = MAX(now, p.next);
		else
			now += rnd(&seed) % (rnd(&seed) % 1000 ? 3 * S : 2 * USEC_PER_HOUR);
		in.now = now;
		probe_step(&p, &service, &in, &act);
		holds(&p, &before, in.event, &act, now);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(down_in_time),
		cmocka_unit_test(any_sequence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
