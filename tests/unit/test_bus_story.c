/* SPDX-License-Identifier: Apache-2.0 */
/* Events and decisions over the sockets, as the command reads them. */
/* LINK: base bus core/console core/cputune_names core/operation core/event core/eventring core/decision core/sight core/tally model policy cli/client_read cli/fields cli/view cli/story */
/* LIBS: libsystemd libcbor inih jansson */
#include "unit/bus_client.h"

#include "cli/story.h"

struct heard_events {
	struct view_event list[16];
	unsigned n;
};

static void hear(void *userdata, const struct view_event *e)
{
	struct heard_events *h = userdata;

	assert_true(h->n < ARRAY_SIZE(h->list));
	h->list[h->n++] = *e;
}

static void tell_some(void)
{
	const struct event_extra extra = { .cause = "qemu-crashed" };

	event_note_daemon(&world->supervisor, EVENT_DAEMON, LOG_INFO, "began");
	event_note(&world->guests[0], EVENT_SERVICE, &world->guests[0].services[0], LOG_WARNING,
		"up -> %s", "down");
	event_note_full(
		&world->guests[1], EVENT_EXIT, NULL, LOG_ERR, &extra, "ended \033[2J badly");
}

static void the_kept_ones(void **state)
{
	struct heard_events all = { 0 }, one = { 0 }, last = { 0 }, after = { 0 }, late = { 0 };
	struct client_reply reply;
	sd_bus *b = caller("status");
	struct client *c = (struct client *)b;

	(void)state;
	tell_some();
	assert_int_equal(client_events(c, NULL, 0, 0, 100, hear, &all, &reply), 0);
	assert_int_equal(all.n, 3);
	assert_string_equal(all.list[0].guest, "");
	assert_string_equal(all.list[0].kind, "daemon");
	assert_string_equal(all.list[1].guest, "vm-mediakit");
	assert_string_equal(all.list[1].service, "service-fs");
	assert_string_equal(all.list[1].text, "up -> down");
	assert_int_equal(all.list[1].level, LOG_WARNING);
	assert_string_equal(all.list[2].guest, "b.2");
	assert_string_equal(all.list[2].cause, "qemu-crashed");
	assert_string_equal(all.list[2].text, "ended \\x1b[2J badly");
	assert_int_equal(all.list[2].seq, all.list[0].seq + 2);
	/* A guest's are its own and the daemon's. */
	assert_int_equal(client_events(c, "vm-mediakit", 0, 0, 100, hear, &one, &reply), 0);
	assert_int_equal(one.n, 2);
	assert_string_equal(one.list[1].kind, "service");
	assert_int_equal(client_events(c, NULL, 0, 0, 1, hear, &last, &reply), 0);
	assert_int_equal(last.n, 1);
	assert_int_equal(last.list[0].seq, all.list[2].seq);
	assert_int_equal(
		client_events(c, NULL, all.list[0].seq, 0, UINT32_MAX, hear, &after, &reply), 0);
	assert_int_equal(after.n, 2);
	assert_int_equal(
		client_events(c, NULL, 0, all.list[2].at + 1, 100, hear, &late, &reply), 0);
	assert_int_equal(late.n, 0);
	assert_true(client_events(c, "nobody", 0, 0, 100, hear, &late, &reply) < 0);
	hang_up(b);
}

static int on_event(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct view_event e;

	(void)error;
	if (sd_bus_message_is_signal(m, BUS_IFACE_MANAGER, "Event") <= 0)
		return 0;
	assert_true(story_read_event(m, &e) >= 0);
	hear(userdata, &e);
	return 1;
}

static void each_as_it_happens(void **state)
{
	struct heard_events heard = { 0 };
	sd_bus *b = caller("status");

	(void)state;
	assert_true(sd_bus_add_filter(b, NULL, on_event, &heard) >= 0);
	tell_some();
	run_dry();
	assert_int_equal(heard.n, 3);
	assert_string_equal(heard.list[1].text, "up -> down");
	hang_up(b);
}

static void count(void *userdata, const struct view_decision *d)
{
	struct view_decision *all = userdata;

	for (unsigned i = 0; i < 4; i++)
		if (!all[i].topic[0]) {
			all[i] = *d;
			return;
		}
	fail();
}

static void decisions(void **state)
{
	struct view_decision all[4] = { 0 }, restart[4] = { 0 };
	struct guest *g = &world->guests[0];
	struct client_reply reply;
	sd_bus *b = caller("status");
	struct client *c = (struct client *)b;

	(void)state;
	why_note(g, WHY_RESTART, "back-off", "start again in 1s", "restarts=%u/3", 1);
	why_note(g, WHY_HEALTH, "quorum", "hold", "up=1/2");
	why_note(g, WHY_HEALTH, "quorum", "hold", "up=0/2");
	assert_int_equal(client_why(c, "vm-mediakit", "", count, all, &reply), 0);
	assert_string_equal(all[0].topic, "health");
	assert_string_equal(all[0].inputs, "up=0/2");
	assert_int_equal(all[0].count, 2);
	assert_string_equal(all[1].rule, "back-off");
	assert_string_equal(all[2].topic, "");
	assert_int_equal(client_why(c, "vm-mediakit", "restart", count, restart, &reply), 0);
	assert_string_equal(restart[0].action, "start again in 1s");
	assert_string_equal(restart[1].topic, "");
	assert_true(client_why(c, "vm-mediakit", "weather", count, restart, &reply) < 0);
	for (unsigned i = 0; i < 2; i++)
		decisions_free(&world->guests[i].decisions);
	hang_up(b);
}

static int forget(void **state)
{
	for (unsigned i = 0; i < 2; i++)
		events_free(&world->guests[i].events);
	events_free(&world->supervisor.events);
	return teardown(state);
}

int main(void)
{
#define STORY(f) cmocka_unit_test_setup_teardown(f, setup, forget)
	const struct CMUnitTest tests[] = {
		STORY(the_kept_ones),
		STORY(each_as_it_happens),
		STORY(decisions),
	};

	log_set_sink(take_line);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
