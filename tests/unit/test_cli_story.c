/* SPDX-License-Identifier: Apache-2.0 */
/* What `events` and `why` print, and what --since= understands. */
/* LINK: base model/utf8 cli/view cli/words cli/term cli/since cli/storyline cli/whyscreen */
/* LIBS: jansson libsystemd */
#include "unit/cli_view.h"

#include "cli/since.h"
#include "cli/storyline.h"
#include "cli/whyscreen.h"

#include <errno.h>
#include <jansson.h>
#include <time.h>

static void moments(void **state)
{
	/* NOW is 2027-01-15 08:00:00 UTC. */
	static const struct {
		const char *text;
		usec_t ago;
	} rows[] = {
		{ "now", 0 },
		{ "today", 8 * USEC_PER_HOUR },
		{ "yesterday", 32 * USEC_PER_HOUR },
		{ "2027-01-15", 8 * USEC_PER_HOUR },
		{ "2027-01-15 04:00", 4 * USEC_PER_HOUR },
		{ "2027-01-14 07:59:59", USEC_PER_DAY + USEC_PER_SEC },
		{ "07:30", 30 * USEC_PER_MINUTE },
		{ "07:59:30", 30 * USEC_PER_SEC },
		{ "2h", 2 * USEC_PER_HOUR },
		{ "-2h", 2 * USEC_PER_HOUR },
		{ "2h ago", 2 * USEC_PER_HOUR },
		{ "1h 30min ago", 90 * USEC_PER_MINUTE },
	};
	static const char *const bad[] = { "", "@", "@-1", "@x", "@1 ", " @1", "17", "-17",
		"2h agoo", "2027-02-30", "2027-13-01", "2027-1-1", "2027-01-15 4:00", "25:00",
		"07:60", "07:30 ", "infinity", "boot", "tomorrow", "ago", " ago", "--2h",
		"2027-01-15T04:00", "@18446744073709551615" };
	usec_t since = 1;
	uint64_t after = 1;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(since_parse(rows[i].text, NOW, &since, &after), 0);
		if (since != NOW - rows[i].ago)
			fail_msg("%s", rows[i].text);
		assert_int_equal(after, 0);
	}
	assert_int_equal(since_parse("@417", NOW, &since, &after), 0);
	assert_int_equal(after, 417);
	assert_int_equal(since, 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (since_parse(bad[i], NOW, &since, &after) != -EINVAL)
			fail_msg("'%s' was taken", bad[i]);
	assert_int_equal(after, 417);
}

static const struct view_event an_event = {
	.seq = 417,
	.at = AGO(60),
	.boottime = 5,
	.level = 4,
	.guest = "vm-mediakit",
	.kind = "service",
	.service = "local-proofreader",
	.text = "up -> down (refused: nobody listens)",
};

static char *drawn(const struct storyline *l, const struct view_event *e)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	assert_int_equal(storyline_print(f, l, e), 0);
	fclose(f);
	return text;
}

static void an_event_is_a_line(void **state)
{
	struct storyline l = { .style = { .utf8 = true }, .guest_width = 11 };
	struct view_event own = { .at = AGO(0), .level = 6, .kind = "daemon", .text = "began" };
	char *text = drawn(&l, &an_event);

	(void)state;
	assert_string_equal(text,
		"2027-01-15 07:59:00  vm-mediakit  service     local-proofreader: "
		"up -> down (refused: nobody listens)\n");
	free(text);
	text = drawn(&l, &own);
	assert_string_equal(text, "2027-01-15 08:00:00  mediakitd    daemon      began\n");
	free(text);
	l.guest_width = 0;
	text = drawn(&l, &own);
	assert_string_equal(text, "2027-01-15 08:00:00  daemon      began\n");
	free(text);
	/* On a terminal in colour, and wrapped under itself. */
	l.style.terminal = l.style.color = true;
	l.style.width = 60;
	text = drawn(&l, &an_event);
	assert_string_equal(text,
		"\033[2m2027-01-15 07:59:00\033[0m  service     \033[33mlocal-proofreader: up ->\n"
		"                                 down (refused: nobody\n"
		"                                 listens)\033[0m\n");
	free(text);
}

static void an_event_is_json(void **state)
{
	const struct storyline l = { .json = true };
	struct view_event own = { .seq = 9,
		.at = 7,
		.level = 3,
		.kind = "exit",
		.text = "a \"b\"",
		.cause = "qemu-crashed" };
	char *text = drawn(&l, &own);

	(void)state;
	assert_string_equal(text,
		"{\"version\":1,\"seq\":9,\"at_usec\":7,\"boottime_usec\":0,\"guest\":null,"
		"\"kind\":\"exit\",\"level\":\"err\",\"service\":null,\"cause\":\"qemu-crashed\","
		"\"text\":\"a \\\"b\\\"\"}\n");
	free(text);
}

static const struct why_list some = {
	.rows = { { .topic = "health",
			  .action = "not healthy",
			  .rule = "an active service is not up",
			  .inputs = "state=ready up=1/3 local-proofreader=down(refused)",
			  .first = AGO(65),
			  .last = AGO(3),
			  .count = 4 },
		{ .topic = "health",
			.action = "healthy",
			.rule = "all active services are up",
			.inputs = "state=ready up=3/3",
			.first = AGO(90),
			.last = AGO(70),
			.count = 2 },
		{ .topic = "restart",
			.action = "start again in 1s",
			.rule = "back-off",
			.inputs = "cause=qemu-crashed restarts=1/3",
			.first = AGO(8000),
			.last = AGO(8000),
			.count = 1 } },
	.n = 3,
};

static char *why_drawn(const struct why_list *list, const char *topic)
{
	const struct style style = { .utf8 = true, .now_realtime = NOW };
	struct view v = canned_view();
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	v.guests[0].services[0].failures = 5;
	v.guests[0].services[0].fall = 3;
	v.guests[0].services[1].successes = 812;
	v.guests[0].services[1].rise = 2;
	why_print(f, &v.guests[0], list, topic, &style);
	fclose(f);
	return text;
}

static void why_fits_one_screen(void **state)
{
	static const struct why_list none;
	char *text = why_drawn(&some, NULL);

	(void)state;
	assert_string_equal(text,
		"    health  not healthy\n"
		"   because  an active service is not up\n"
		"    inputs  state=ready up=1/3 local-proofreader=down(refused)\n"
		"      when  3s ago, 4 times in a row since 2027-01-15 07:58:55\n"
		"            local-proofreader         down for 1min 5s: refused 3s ago, failed 5 "
		"in "
		"a row (Fall=3); nobody listens: the connection was reset\n"
		"            local-knowledge-projects  up for 2h 4min: ok 4s ago, good 812 in a "
		"row "
		"(Rise=2)\n"
		"            system-core               unwatched: no guest agent\n"
		"\n"
		"   restart  start again in 1s\n"
		"   because  back-off\n"
		"    inputs  cause=qemu-crashed restarts=1/3\n"
		"      when  2h 13min ago, once, 2027-01-15 05:46:40\n");
	free(text);
	text = why_drawn(&some, "health");
	assert_non_null(
		strstr(text, "    before  2027-01-15 07:58:50  healthy: all active services "
			     "are up (state=ready up=3/3), 2 times\n"));
	free(text);
	text = why_drawn(&none, "shutdown");
	assert_string_equal(
		text, "vm-mediakit: nothing was decided about shutdown since the daemon began\n");
	free(text);
}

static void why_is_json(void **state)
{
	struct view v = canned_view();
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	(void)state;
	assert_int_equal(why_json(f, &v.guests[0], &some, NULL), 0);
	fclose(f);
	json_t *root = json_loads(text, 0, NULL);
	const json_t *all = json_object_get(root, "decisions");
	assert_int_equal(json_array_size(all), 3);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(all, 0), "count")), 4);
	assert_int_equal(json_array_size(json_object_get(root, "services")), 5);
	json_decref(root);
	free(text);
}

static int in_utc(void **state)
{
	(void)state;
	setenv("TZ", "UTC", 1);
	tzset();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(moments),
		cmocka_unit_test(an_event_is_a_line),
		cmocka_unit_test(an_event_is_json),
		cmocka_unit_test(why_fits_one_screen),
		cmocka_unit_test(why_is_json),
	};

	return cmocka_run_group_tests(tests, in_utc, NULL);
}
