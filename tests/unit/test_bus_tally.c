/* SPDX-License-Identifier: Apache-2.0 */
/* Counters and the last hour over the sockets, as the command reads them. */
/* clang-format off */
/* LINK: base bus core/console core/cputune_names core/operation core/event core/eventring core/decision core/sight core/tally model policy cli/client_read cli/fields cli/view cli/tally cli/counters */
/* clang-format on */
/* LIBS: libsystemd libcbor inih jansson */
#include "unit/bus_client.h"

#include "cli/tally.h"
#include "core/tally.h"

static uint64_t count_of(const struct counts *c, const char *word)
{
	for (unsigned i = 0; i < c->n; i++)
		if (strcmp(c->rows[i].word, word) == 0)
			return c->rows[i].n;
	fail_msg("%s is not counted", word);
	return 0;
}

static void counters_come_whole(void **state)
{
	struct counters all = { 0 };
	struct client_reply reply;
	sd_bus *b = caller("status");
	struct guest *g = &world->guests[0];

	(void)state;
	g->tally.boots = 3;
	g->tally.restarts = 2;
	g->tally.exits[CAUSE_QEMU_CRASHED] = 2;
	g->services[1].tally.verdicts[VERDICT_TIMEOUT] = 5;
	g->services[1].tally.spent = 15000000;
	assert_int_equal(client_counters((struct client *)b, &all, &reply), 0);
	assert_int_equal(all.n_guests, 2);
	const struct guest_counters *c = counters_guest(&all, "vm-mediakit");
	assert_non_null(c);
	assert_int_equal(c->boots, 3);
	assert_int_equal(c->restarts, 2);
	assert_int_equal(c->exits.n, CAUSE_NUM - 1);
	assert_int_equal(count_of(&c->exits, "qemu-crashed"), 2);
	assert_int_equal(count_of(&c->exits, "operator"), 0);
	assert_int_equal(c->n_services, 2);
	const struct service_counters *s = counters_service(c, "local-bim");
	assert_non_null(s);
	assert_int_equal(s->spent, 15000000);
	assert_int_equal(s->verdicts.n, VERDICT_NUM - 1);
	assert_int_equal(count_of(&s->verdicts, "timeout"), 5);
	assert_null(counters_guest(&all, "vm"));
	assert_null(counters_service(c, "local"));
	counters_free(&all);
	hang_up(b);
}

static void history_is_told_from_its_oldest_point(void **state)
{
	struct history *h = calloc(1, sizeof(*h));
	struct client_reply reply;
	sd_bus *b = caller("status");
	struct guest *g = &world->guests[0];
	usec_t now = now_boottime();
	const struct judgement j = { .verdict = VERDICT_TIMEOUT, .latency = 4321 };

	(void)state;
	/* A turn of a point between here and the daemon's look moves all by one. */
	tally_judged(&g->services[0], &j, now);
	g->stats.balloon_kib = 3 << 20;
	tally_stats(g, now);
	assert_int_equal(client_history((struct client *)b, "vm-mediakit", h, &reply), 0);
	assert_int_equal(h->step, TALLY_STEP);
	assert_true(h->newest <= now_realtime() && h->newest + 2 * TALLY_STEP > now_realtime());
	assert_int_equal(h->n, TALLY_POINTS);
	unsigned at = h->actual_mib[h->n - 1] == TALLY_ABSENT ? h->n - 2 : h->n - 1;
	assert_int_equal(h->actual_mib[at], 3072);
	assert_int_equal(h->usable_mib[at], TALLY_ABSENT);
	assert_int_equal(h->actual_mib[0], TALLY_ABSENT);
	assert_int_equal(h->n_services, 2);
	assert_string_equal(h->services[0].name, "service-fs");
	assert_int_equal(h->services[0].n, TALLY_POINTS);
	assert_int_equal(h->services[0].latency[at], 4321);
	assert_int_equal(h->services[0].effect[at], EFFECT_DOWN);
	assert_int_equal(h->services[1].effect[at], EFFECT_NOTHING);
	free(h);
	hang_up(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(counters_come_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(
			history_is_told_from_its_oldest_point, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
