/* SPDX-License-Identifier: Apache-2.0 */
/* The ring of the last hour. */
/* LINK: base model policy core/tally */
/* LIBS: libsystemd libcbor inih jansson */
#include "core/guest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define BEGIN (1000 * TALLY_STEP)

static struct guest *guest;
static struct guest_spec spec;

static int setup(void **state)
{
	(void)state;
	guest = calloc(1, sizeof(*guest));
	guest->spec = &spec;
	guest->n_services = 2;
	for (unsigned i = 0; i < 2; i++)
		guest->services[i].guest = guest;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(guest);
	return 0;
}

static size_t newest(void)
{
	return guest->tally.point % TALLY_POINTS;
}

static void judged(unsigned i, enum verdict v, usec_t latency, usec_t now)
{
	const struct judgement j = { .verdict = v, .latency = latency };

	tally_judged(&guest->services[i], &j, now);
}

static void a_point_keeps_the_slowest_and_the_worst(void **state)
{
	const struct service_tally *t = &guest->services[0].tally;

	(void)state;
	judged(0, VERDICT_REFUSED, 700, BEGIN);
	judged(0, VERDICT_OK, 9000, BEGIN + 10 * USEC_PER_SEC);
	judged(0, VERDICT_OK, 800, BEGIN + 20 * USEC_PER_SEC);
	assert_int_equal(t->latency[newest()], 9000);
	assert_int_equal(t->effect[newest()], EFFECT_DOWN);
	assert_int_equal(t->verdicts[VERDICT_OK], 2);
	assert_int_equal(t->verdicts[VERDICT_REFUSED], 1);
	assert_int_equal(t->spent, 10500);
	/* The other one was not asked. */
	assert_int_equal(guest->services[1].tally.latency[newest()], TALLY_ABSENT);
	assert_int_equal(guest->services[1].tally.effect[newest()], EFFECT_NOTHING);
	/* The next point begins anew. */
	judged(0, VERDICT_OK, 50, BEGIN + TALLY_STEP);
	assert_int_equal(t->latency[newest()], 50);
	assert_int_equal(t->effect[newest()], EFFECT_UP);
	/* No latency is taken for an unknown one. */
	judged(0, VERDICT_OK, USEC_INFINITY, BEGIN + TALLY_STEP);
	assert_int_equal(t->latency[newest()], TALLY_ABSENT - 1);
}

static void an_hour_later_nothing_is_left(void **state)
{
	const struct service_tally *t = &guest->services[0].tally;
	usec_t last = BEGIN + (TALLY_POINTS - 1) * TALLY_STEP;

	(void)state;
	judged(0, VERDICT_OK, 77, BEGIN);
	tally_advance(guest, last);
	assert_int_equal(t->latency[(newest() + 1) % TALLY_POINTS], 77);
	tally_advance(guest, last + TALLY_STEP);
	for (size_t i = 0; i < TALLY_POINTS; i++)
		assert_int_equal(t->latency[i], TALLY_ABSENT);
	/* Nor after a suspend of a week, which is a step as good as any. */
	judged(0, VERDICT_OK, 78, last + TALLY_STEP);
	tally_advance(guest, last + 7 * USEC_PER_DAY);
	for (size_t i = 0; i < TALLY_POINTS; i++)
		assert_int_equal(t->effect[i], EFFECT_NOTHING);
	/* Time that goes back writes where it is. */
	judged(0, VERDICT_OK, 79, BEGIN);
	assert_int_equal(t->latency[newest()], 79);
}

static void memory_that_is_unknown_stays_unknown(void **state)
{
	(void)state;
	guest->stats = (struct hv_stats){
		.balloon_kib = 3 << 20, .usable_kib = HV_STAT_ABSENT, .rss_kib = UINT64_MAX - 1
	};
	tally_stats(guest, BEGIN);
	assert_int_equal(guest->tally.actual_mib[newest()], 3 << 10);
	assert_int_equal(guest->tally.usable_mib[newest()], TALLY_ABSENT);
	assert_int_equal(guest->tally.rss_mib[newest()], TALLY_ABSENT - 1);
	/* No statistics in the next point: unknown, not what it was. */
	tally_advance(guest, BEGIN + TALLY_STEP);
	assert_int_equal(guest->tally.actual_mib[newest()], TALLY_ABSENT);
}

/* Before the host was up there is nothing, in each of the points of an hour. */
static void a_host_that_just_booted(void **state)
{
	(void)state;
	for (usec_t up = 0; up <= TALLY_POINTS * TALLY_STEP; up += TALLY_STEP) {
		memset(&guest->tally, 0, sizeof(guest->tally));
		memset(&guest->services[0].tally, 0, sizeof(guest->services[0].tally));
		judged(0, VERDICT_OK, 77, up);
		for (size_t i = 0; i < TALLY_POINTS; i++) {
			assert_int_equal(guest->tally.actual_mib[i], TALLY_ABSENT);
			assert_int_equal(guest->services[0].tally.latency[i],
				i == newest() ? 77 : TALLY_ABSENT);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_point_keeps_the_slowest_and_the_worst, setup, teardown),
		cmocka_unit_test_setup_teardown(an_hour_later_nothing_is_left, setup, teardown),
		cmocka_unit_test_setup_teardown(
			memory_that_is_unknown_stays_unknown, setup, teardown),
		cmocka_unit_test_setup_teardown(a_host_that_just_booted, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
