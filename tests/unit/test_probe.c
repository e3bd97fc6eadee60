/* SPDX-License-Identifier: Apache-2.0 */
/* The probe machine: each event in each state, and when it asks next. */
/* LINK: base/time model/report model/cborscan model/utf8 model/spec policy/verdict policy/probe */
/* LIBS: libcbor */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <limits.h>

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

/* Asks (late, if need be) and answers at once. */
static struct probe_act ask(struct probe *p, const struct service_spec *service, enum verdict v)
{
	usec_t now = p->next;

	assert_true(step(p, service, PROBE_EV_TICK, now, VERDICT_NONE).ask);
	return step(p, service, PROBE_EV_ANSWER, now, v);
}

/* A probe in the given state with no question in flight, last asked at T0, on the grid of T0. */
static struct probe in_state(enum service_state state, unsigned successes, unsigned failures,
	usec_t budget_until)
{
	return (struct probe){
		.state = state,
		.state_since = T0 - 100 * S,
		.enabled = true,
		.grid = T0,
		.next = T0,
		.successes = successes,
		.failures = failures,
		.budget_until = budget_until,
		.last = { .verdict = state == SERVICE_UNKNOWN ? VERDICT_NONE : VERDICT_FAILING },
	};
}

#define BUDGET (T0 + 50 * S)
#define LAPSED (T0 - S)

/* One verdict at T0, interval 10 s, fast 1 s, Rise 2, Fall 3. */
static const struct verdict_row {
	enum service_state from;
	unsigned successes, failures;
	usec_t budget_until;
	enum verdict verdict;
	enum service_state to;
	unsigned successes_after, failures_after;
	usec_t budget_after, wait;
} verdict_rows[] = {
#define U SERVICE_UNKNOWN
#define B SERVICE_STARTING
#define H SERVICE_UP
#define G SERVICE_DEGRADED
#define D SERVICE_DOWN
	/* unknown: one success is enough, Fall failures without a budget */
	{ U, 0, 0, 0,        VERDICT_OK,           H, 1, 0, 0,            10 * S },
	{ U, 0, 2, 0,        VERDICT_DEGRADED,     G, 1, 0, 0,            10 * S },
	{ U, 0, 0, 0,        VERDICT_NOT_CBOR,     H, 1, 0, 0,            10 * S },
	{ U, 0, 0, 0,        VERDICT_REFUSED,      U, 0, 1, 0,            S      },
	{ U, 0, 2, 0,        VERDICT_REFUSED,      D, 0, 3, 0,            10 * S },
	{ U, 0, 2, 0,        VERDICT_STARTING,     B, 0, 0, T0 + 300 * S, S      },
	{ U, 0, 2, 0,        VERDICT_INCONCLUSIVE, U, 0, 2, 0,            S      },
	/* starting inside the budget: nothing but a success counts */
	{ B, 0, 0, BUDGET,   VERDICT_OK,           H, 1, 0, 0,            10 * S },
	{ B, 0, 0, BUDGET,   VERDICT_DEGRADED,     G, 1, 0, 0,            10 * S },
	{ B, 0, 0, BUDGET,   VERDICT_NOT_CBOR,     H, 1, 0, 0,            10 * S },
	{ B, 0, 0, BUDGET,   VERDICT_REFUSED,      B, 0, 0, BUDGET,       S      },
	{ B, 0, 2, BUDGET,   VERDICT_TIMEOUT,      B, 0, 2, BUDGET,       S      },
	{ B, 0, 0, BUDGET,   VERDICT_STARTING,     B, 0, 0, BUDGET,       S      },
	{ B, 0, 0, BUDGET,   VERDICT_INCONCLUSIVE, B, 0, 0, BUDGET,       S      },
	/* starting beyond it */
	{ B, 0, 0, LAPSED,   VERDICT_TIMEOUT,      B, 0, 1, LAPSED,       S      },
	{ B, 0, 2, LAPSED,   VERDICT_TIMEOUT,      D, 0, 3, 0,            10 * S },
	{ B, 0, 2, T0,       VERDICT_TIMEOUT,      D, 0, 3, 0,            10 * S },
	{ B, 0, 1, LAPSED,   VERDICT_STARTING,     B, 0, 2, LAPSED,       S      },
	{ B, 0, 2, LAPSED,   VERDICT_STARTING,     D, 0, 3, 0,            10 * S },
	{ B, 0, 2, LAPSED,   VERDICT_OK,           H, 1, 0, 0,            10 * S },
	{ B, 0, 2, LAPSED,   VERDICT_INCONCLUSIVE, B, 0, 2, LAPSED,       S      },
	/* up and degraded */
	{ H, 5, 0, 0,        VERDICT_OK,           H, 6, 0, 0,            10 * S },
	{ H, 5, 0, 0,        VERDICT_DEGRADED,     G, 6, 0, 0,            10 * S },
	{ G, 5, 0, 0,        VERDICT_OK,           H, 6, 0, 0,            10 * S },
	{ G, 5, 0, 0,        VERDICT_NOT_CBOR,     H, 6, 0, 0,            10 * S },
	{ H, 5, 0, 0,        VERDICT_FAILING,      H, 0, 1, 0,            S      },
	{ H, 0, 1, 0,        VERDICT_HTTP_STATUS,  H, 0, 2, 0,            S      },
	{ H, 0, 2, 0,        VERDICT_MALFORMED,    D, 0, 3, 0,            10 * S },
	{ G, 0, 2, 0,        VERDICT_STALE_BOOT,   D, 0, 3, 0,            10 * S },
	{ G, 0, 1, 0,        VERDICT_UNREACHABLE,  G, 0, 2, 0,            S      },
	{ H, 0, 2, 0,        VERDICT_OK,           H, 1, 0, 0,            10 * S },
	{ H, 0, 2, 0,        VERDICT_STARTING,     D, 0, 3, 0,            10 * S },
	{ H, 0, 2, 0,        VERDICT_INCONCLUSIVE, H, 0, 2, 0,            S      },
	{ H, 5, 0, 0,        VERDICT_INCONCLUSIVE, H, 5, 0, 0,            S      },
	{ H, UINT_MAX, 0, 0, VERDICT_OK,           H, UINT_MAX, 0, 0,     10 * S },
	/* down: Rise successes in a row */
	{ D, 0, 3, 0,        VERDICT_WRONG_SERVICE, D, 0, 4, 0,           10 * S },
	{ D, 0, UINT_MAX, 0, VERDICT_REFUSED,      D, 0, UINT_MAX, 0,     10 * S },
	{ D, 0, 3, 0,        VERDICT_OK,           D, 1, 0, 0,            S      },
	{ D, 1, 0, 0,        VERDICT_OK,           H, 2, 0, 0,            10 * S },
	{ D, 1, 0, 0,        VERDICT_DEGRADED,     G, 2, 0, 0,            10 * S },
	{ D, 1, 0, 0,        VERDICT_REFUSED,      D, 0, 1, 0,            10 * S },
	{ D, 1, 0, 0,        VERDICT_STARTING,     D, 0, 1, 0,            10 * S },
	{ D, 1, 0, 0,        VERDICT_INCONCLUSIVE, D, 1, 0, 0,            S      },
};

static void verdicts(void **state)
{
	struct service_spec service = a_service();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(verdict_rows); i++) {
		const struct verdict_row *row = &verdict_rows[i];
		struct probe p = in_state(row->from, row->successes, row->failures,
			row->budget_until);
		struct probe_act act = ask(&p, &service, row->verdict);

		if (p.state != row->to || p.next != T0 + row->wait)
			print_error("row %zu: %s, %s\n", i, service_state_to_string(row->from),
				verdict_to_string(row->verdict));
		assert_int_equal(p.state, row->to);
		assert_int_equal(p.successes, row->successes_after);
		assert_int_equal(p.failures, row->failures_after);
		assert_int_equal(p.budget_until, row->budget_after);
		assert_int_equal(p.next, T0 + row->wait);
		assert_int_equal(p.judged_at, T0);
		assert_int_equal(act.old_state, row->from);
		assert_int_equal(act.state_changed, row->from != row->to);
		assert_int_equal(p.state_since, row->from != row->to ? T0 : T0 - 100 * S);
		assert_int_equal(p.last.verdict, row->verdict);
		assert_false(p.in_flight || act.ask);
	}
}

/* Every event but the verdicts in every state, with and without a question in flight. */
static void events(void **state)
{
	struct service_spec service = a_service();
	static const enum service_state states[] = { U, B, H, G, D };
	const usec_t now = T0 + 3 * S;

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(states); i++) {
		enum service_state from = states[i / 2];
		bool in_flight = i % 2;
		usec_t budget = from == B ? BUDGET : 0;
		struct probe start = in_state(from, 1, 1, budget), p;

		start.in_flight = in_flight;
		start.asked_at = start.grid = now - S / 2;
		start.next = now + S;

		p = start;
		assert_int_equal(step(&p, &service, PROBE_EV_BOOT, now, 0).state_changed,
			from != B);
		assert_int_equal(p.state, B);
		assert_int_equal(p.state_since, now);
		assert_int_equal(p.budget_until, now + 300 * S);
		assert_int_equal(p.successes + p.failures, 0);
		assert_int_equal(p.next, now);
		assert_int_equal(p.last.verdict, VERDICT_NONE);
		assert_int_equal(p.in_flight, in_flight);

		p = start;
		assert_false(step(&p, &service, PROBE_EV_PROGRESS, now, 0).state_changed);
		assert_int_equal(p.budget_until, from == B ? now + 300 * S : 0);
		assert_int_equal(p.next, now + S);

		p = start;
		assert_false(step(&p, &service, PROBE_EV_ADOPT, now, 0).state_changed);
		assert_int_equal(p.state, from);
		assert_int_equal(p.state_since, start.state_since);
		assert_int_equal(p.budget_until, budget);
		assert_int_equal(p.last.verdict, start.last.verdict);
		assert_int_equal(p.next, now);
		assert_false(p.in_flight);

		p = start;
		assert_int_equal(step(&p, &service, PROBE_EV_DISABLE, now, 0).state_changed,
			from != U);
		assert_int_equal(p.state, U);
		assert_int_equal(p.budget_until, 0);
		assert_int_equal(p.next, USEC_INFINITY);
		assert_false(p.enabled);
		assert_false(step(&p, &service, PROBE_EV_TICK, now + USEC_PER_DAY, 0).ask);

		p = start;
		assert_false(step(&p, &service, PROBE_EV_TICK, now + S - 1, 0).ask);
		assert_int_equal(p.next, now + S);
		assert_int_equal(step(&p, &service, PROBE_EV_TICK, now + S, 0).ask, !in_flight);
		assert_true(p.in_flight);
		assert_true(p.next > now + S);

		p = start;
		assert_false(step(&p, &service, PROBE_EV_CANCELLED, now, 0).verdict_changed);
		assert_int_equal(p.state, from);
		assert_int_equal(p.successes, 1);
		assert_false(p.in_flight);
		assert_true(p.next > now && p.next <= now + 10 * S);

		/* An answer nobody waits for. */
		if (!in_flight) {
			p = start;
			(void)step(&p, &service, PROBE_EV_ANSWER, now, VERDICT_OK);
			assert_memory_equal(&p, &start, sizeof(p));
		}
	}
}

static void late_answers_of_an_older_boot(void **state)
{
	struct service_spec service = a_service();
	struct probe p;

	(void)state;
	probe_init(&p);
	assert_int_equal(p.next, USEC_INFINITY);
	(void)step(&p, &service, PROBE_EV_BOOT, T0, 0);
	assert_true(step(&p, &service, PROBE_EV_TICK, T0, 0).ask);
	(void)step(&p, &service, PROBE_EV_BOOT, T0 + S, 0);
	(void)step(&p, &service, PROBE_EV_ANSWER, T0 + 2 * S, VERDICT_OK);
	assert_int_equal(p.state, SERVICE_STARTING);
	assert_int_equal(p.last.verdict, VERDICT_NONE);
	assert_int_equal(ask(&p, &service, VERDICT_OK).old_state, SERVICE_STARTING);
	assert_int_equal(p.state, SERVICE_UP);

	assert_true(step(&p, &service, PROBE_EV_TICK, p.next, 0).ask);
	(void)step(&p, &service, PROBE_EV_DISABLE, T0 + 20 * S, 0);
	(void)step(&p, &service, PROBE_EV_ANSWER, T0 + 21 * S, VERDICT_OK);
	assert_int_equal(p.state, SERVICE_UNKNOWN);
	assert_int_equal(p.next, USEC_INFINITY);
	assert_false(p.in_flight);
}

static void none_is_never_asked(void **state)
{
	struct service_spec service = a_service();
	struct probe p;

	(void)state;
	service.probe = PROBE_NONE;
	probe_init(&p);
	(void)step(&p, &service, PROBE_EV_BOOT, T0, 0);
	(void)step(&p, &service, PROBE_EV_ADOPT, T0, 0);
	assert_int_equal(p.state, SERVICE_UNKNOWN);
	assert_false(p.enabled);
	assert_int_equal(p.next, USEC_INFINITY);
}

static void budget_under_tcg(void **state)
{
	struct service_spec service = a_service();
	struct probe_input in = { .event = PROBE_EV_BOOT, .now = T0, .tcg = true, .stagger = 700 };
	struct probe_act act;
	struct probe p;

	(void)state;
	service.start_budget_set = false;
	probe_init(&p);
	probe_step(&p, &service, &in, &act);
	assert_int_equal(p.budget_until, T0 + 900 * S);
	assert_int_equal(p.next, T0 + 700);
}

/* A boot whose serial line moves every 200 s holds a 300 s budget open; then it stands still. */
static void progress_extends(void **state)
{
	struct service_spec service = a_service();
	struct probe p;

	(void)state;
	probe_init(&p);
	(void)step(&p, &service, PROBE_EV_BOOT, T0, 0);
	usec_t moved = T0;
	while (p.state == SERVICE_STARTING && p.next < T0 + USEC_PER_HOUR) {
		if (p.next >= moved + 200 * S && moved < T0 + 1000 * S) {
			moved += 200 * S;
			(void)step(&p, &service, PROBE_EV_PROGRESS, moved, 0);
		}
		(void)ask(&p, &service, VERDICT_TIMEOUT);
		assert_int_equal(p.last.verdict, VERDICT_TIMEOUT);
	}
	assert_int_equal(moved, T0 + 1000 * S);
	assert_int_equal(p.state, SERVICE_DOWN);
	assert_int_equal(p.state_since, T0 + 1000 * S + 300 * S + 2 * S);
}

/* Services that fall due together do so again after one of them was asked faster for a while. */
/* A question that is missed, and excused, `n` times; each is out for its time-out of 2 s. */
static void miss(struct probe *p, const struct service_spec *service, unsigned n)
{
	struct judgement j = {
		.verdict = VERDICT_INCONCLUSIVE, .excused = true, .reason = "starved (missed)"
	};
	struct probe_act act;

	for (unsigned i = 0; i < n; i++) {
		assert_true(step(p, service, PROBE_EV_TICK, p->next, 0).ask);
		struct probe_input in = {
			.event = PROBE_EV_ANSWER, .now = p->asked_at + 2 * S, .judgement = &j
		};
		probe_step(p, service, &in, &act);
	}
}

/* The cap on what starvation excuses: StartBudget=300s, 150 questions of 2 s. */
static void silence_is_excused_for_a_while(void **state)
{
	static const struct {
		enum service_state from, to;
	} rows[] = {
		{ SERVICE_UP, SERVICE_UNKNOWN },
		{ SERVICE_DEGRADED, SERVICE_UNKNOWN },
		{ SERVICE_STARTING, SERVICE_UNKNOWN },
		{ SERVICE_UNKNOWN, SERVICE_UNKNOWN },
		{ SERVICE_DOWN, SERVICE_DOWN },
	};
	struct service_spec service = a_service();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct probe p = in_state(rows[i].from, 0, 0, 0);

		miss(&p, &service, 149);
		assert_int_equal(p.state, rows[i].from);
		assert_null(strstr(p.last.reason, "no answer for"));
		miss(&p, &service, 1);
		assert_int_equal(p.state, rows[i].to);
		if (rows[i].to == SERVICE_UNKNOWN)
			assert_string_equal(
				p.last.reason, "no answer for 5min: starved (missed)");
		miss(&p, &service, 30);
		assert_int_equal(p.state, rows[i].to);
		/* Asked again and again meanwhile, and one success is enough to be out of it. */
		(void)ask(&p, &service, VERDICT_OK);
		(void)ask(&p, &service, VERDICT_OK);
		assert_int_equal(p.state, SERVICE_UP);
		assert_int_equal(p.excused, 0);
	}
}

/* Whatever counts begins the silence anew; a pause adds nothing to it and takes nothing off. */
static void silence_ends_with_an_answer(void **state)
{
	struct service_spec service = a_service();
	struct probe p = in_state(SERVICE_UP, 0, 0, 0);

	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		miss(&p, &service, 149);
		assert_int_equal(p.state, SERVICE_UP);
		(void)ask(&p, &service, i % 2 ? VERDICT_REFUSED : VERDICT_OK);
		assert_int_equal(p.excused, 0);
	}
	(void)ask(&p, &service, VERDICT_OK);
	miss(&p, &service, 149);
	for (unsigned i = 0; i < 1000; i++)
		(void)ask(&p, &service, VERDICT_INCONCLUSIVE);
	assert_int_equal(p.state, SERVICE_UP);
	/* An hour late is one question's time-out, no more. */
	struct judgement j = { .verdict = VERDICT_INCONCLUSIVE, .excused = true };
	struct probe late = in_state(SERVICE_UP, 0, 0, 0);
	struct probe_act act;
	assert_true(step(&late, &service, PROBE_EV_TICK, T0, 0).ask);
	struct probe_input in = {
		.event = PROBE_EV_ANSWER, .now = T0 + USEC_PER_HOUR, .judgement = &j
	};
	probe_step(&late, &service, &in, &act);
	assert_int_equal(late.excused, 2 * S);
	assert_int_equal(late.state, SERVICE_UP);
	/* A new boot knows nothing of the old one's silence. */
	miss(&p, &service, 1);
	assert_int_equal(p.state, SERVICE_UNKNOWN);
	(void)step(&p, &service, PROBE_EV_BOOT, p.next, 0);
	assert_int_equal(p.excused, 0);
}

static void the_grid_holds(void **state)
{
	struct service_spec service = a_service();
	struct probe_input in = { .event = PROBE_EV_ADOPT, .now = T0, .stagger = 123456 };
	struct probe_act act;
	struct probe a, b;

	(void)state;
	probe_init(&a);
	probe_init(&b);
	a.state = b.state = SERVICE_UP;
	probe_step(&a, &service, &in, &act);
	probe_step(&b, &service, &in, &act);
	for (unsigned k = 0; k < 50; k++) {
		usec_t due = T0 + 123456 + k * 10 * S;

		assert_int_equal(a.next, due);
		assert_int_equal(b.next, due);
		/* Wake-ups are late and answers take their time: neither may add up. */
		assert_true(step(&a, &service, PROBE_EV_TICK, due + k * 777, 0).ask);
		assert_true(step(&b, &service, PROBE_EV_TICK, due + k * 777, 0).ask);
		(void)step(&a, &service, PROBE_EV_ANSWER, due + S / 2, VERDICT_OK);
		(void)step(&b, &service, PROBE_EV_ANSWER, due + S / 3,
			k % 5 ? VERDICT_OK : VERDICT_FAILING);
		while (b.failures > 0) {
			assert_true(b.next < due + 10 * S);
			assert_int_equal((b.next - due) % S, 0);
			(void)ask(&b, &service,
				b.next >= due + 2 * S ? VERDICT_OK : VERDICT_FAILING);
		}
	}
}

static void one_question_after_a_jump(void **state)
{
	struct service_spec service = a_service();
	static const enum service_state states[] = { U, B, H, G, D };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		struct probe p = in_state(states[i], 0, 0, 0);
		usec_t now = T0 + USEC_PER_HOUR + 1;
		unsigned asked = 0;

		for (unsigned k = 0; k < 100; k++) {
			asked += step(&p, &service, PROBE_EV_TICK, now, 0).ask;
			(void)step(&p, &service, PROBE_EV_ANSWER, now, VERDICT_INCONCLUSIVE);
		}
		assert_int_equal(asked, 1);
		assert_true(p.next > now && p.next <= now + 10 * S);
	}
}

static void names(void **state)
{
	(void)state;
	for (int s = 0; s < SERVICE_STATE_NUM; s++)
		assert_int_equal(service_state_from_string(
					 service_state_to_string((enum service_state)s)),
			s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdicts),
		cmocka_unit_test(events),
		cmocka_unit_test(late_answers_of_an_older_boot),
		cmocka_unit_test(none_is_never_asked),
		cmocka_unit_test(budget_under_tcg),
		cmocka_unit_test(progress_extends),
		cmocka_unit_test(silence_is_excused_for_a_while),
		cmocka_unit_test(silence_ends_with_an_answer),
		cmocka_unit_test(the_grid_holds),
		cmocka_unit_test(one_question_after_a_jump),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
