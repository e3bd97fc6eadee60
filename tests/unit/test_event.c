/* SPDX-License-Identifier: Apache-2.0 */
/* Events as lines, the ring they are kept in, the decisions beside them, and the bucket that bounds
 * them. */
/* LINK: base model/event model/jsontext model/utf8 policy/ratelimit core/eventring core/decision */
/* LIBS: jansson libsystemd */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/macro.h"
#include "core/decision.h"
#include "core/eventring.h"

#define S USEC_PER_SEC

static const struct event like = {
	.seq = 17,
	.realtime = 1767225600 * S + 5,
	.boottime = 1000 * S,
	.kind = EVENT_EXIT,
	.level = 3,
	.service = "service-fs",
	.cause = "qemu-crashed",
};

static void a_line_and_back(void **state)
{
	static const char text[] = "ended: \"Oops\" \xc3\xbc \\x1b[2J";
	struct event *e = event_new(&like, text), *back = NULL;
	CLEANUP_FREE char *line = event_to_line(e);

	(void)state;
	assert_string_equal(e->text, text);
	assert_non_null(line);
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
	assert_int_equal(event_from_line(line, strlen(line) - 1, &back), 0);
	assert_int_equal(back->seq, 17);
	assert_int_equal(back->realtime, like.realtime);
	assert_int_equal(back->boottime, like.boottime);
	assert_int_equal(back->kind, EVENT_EXIT);
	assert_int_equal(back->level, 3);
	assert_string_equal(back->service, "service-fs");
	assert_string_equal(back->cause, "qemu-crashed");
	assert_string_equal(back->text, text);
	free(e);
	free(back);
}

static void a_text_is_cut_and_printable(void **state)
{
	char text[2 * EVENT_TEXT_MAX];
	struct event *e, *back = NULL;

	(void)state;
	memset(text, '\033', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	e = event_new(&like, text);
	assert_true(strlen(e->text) < EVENT_TEXT_MAX);
	assert_null(strchr(e->text, '\033'));
	/* The longest line is one that is read again. */
	memset(text, '"', sizeof(text) - 1);
	free(e);
	e = event_new(&like, text);
	CLEANUP_FREE char *line = event_to_line(e);
	assert_true(strlen(line) <= EVENT_LINE_MAX);
	assert_int_equal(event_from_line(line, strlen(line), &back), 0);
	assert_string_equal(back->text, e->text);
	free(e);
	free(back);
}

static void what_is_no_line_of_ours(void **state)
{
#define LINE(seq, kind, level)                                                                     \
	"{\"seq\":" seq ",\"at\":5,\"boottime\":6,\"kind\":\"" kind "\",\"level\":" level          \
	",\"text\":\"t\"}"
	static const char *const bad[] = {
		"",
		"{",
		"[]",
		"null",
		"\xff\xfe",
		"{\"seq\":17,\"at\":1767225600000005,\"boo",
		LINE("0", "exit", "3"),
		LINE("-1", "exit", "3"),
		LINE("4503599627370497", "exit", "3"),
		LINE("99999999999999999999", "exit", "3"),
		LINE("1", "from-the-future", "3"),
		LINE("1", "exit", "8"),
		LINE("1", "exit", "-1"),
		"{\"seq\":1,\"at\":5,\"boottime\":6,\"kind\":\"exit\",\"level\":3}",
		"{\"seq\":1,\"seq\":2,\"at\":5,\"kind\":\"exit\",\"level\":3,\"text\":\"t\"}",
	};
	struct event *e = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(event_from_line(bad[i], strlen(bad[i]), &e), -EBADMSG);
	assert_null(e);
	/* Found good, so that the rows above fail for their own reason. */
	assert_int_equal(
		event_from_line(LINE("1", "exit", "3"), strlen(LINE("1", "exit", "3")), &e), 0);
	assert_string_equal(e->service, "");
	free(e);
}

static char *lines(unsigned from, unsigned to, size_t *ret_len)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, ret_len);

	for (unsigned i = from; i <= to; i++)
		fprintf(f, LINE("%u", "state", "5") "\n", i);
	fclose(f);
	return text;
}

static void the_ring_keeps_the_last(void **state)
{
	struct events ring = { 0 };

	(void)state;
	for (unsigned i = 1; i <= EVENTS_MAX + 10; i++) {
		struct event one = like;

		one.seq = i;
		events_add(&ring, event_new(&one, "t"));
	}
	assert_int_equal(ring.n, EVENTS_MAX);
	assert_int_equal(events_at(&ring, 0)->seq, 11);
	assert_int_equal(events_at(&ring, EVENTS_MAX - 1)->seq, EVENTS_MAX + 10);
	events_free(&ring);
	/* Of a guest that is gone. */
	events_add(&ring, event_new(&like, "t"));
	assert_int_equal(ring.n, 0);
}

static void a_file_is_loaded(void **state)
{
	struct events ring = { 0 };
	size_t len;
	char *text = lines(1, EVENTS_MAX + 50, &len);

	(void)state;
	/* The last line is torn. */
	assert_int_equal(events_load(&ring, text, len - 3), EVENTS_MAX + 49);
	assert_in_range(ring.n, EVENTS_MAX - 1, EVENTS_MAX);
	assert_int_equal(events_at(&ring, ring.n - 1)->seq, EVENTS_MAX + 49);
	events_free(&ring);
	free(text);
}

static void a_hostile_file_is_loaded(void **state)
{
	static const char text[] = "half of a line, cut by rotation\"}\n" LINE(
		"7", "state", "5") "\n"
				   "\0\0\0\n" LINE("6", "state", "5") "\n" LINE("7", "state",
					   "5") "\n"
						"\n\n{\"seq\":" LINE("8", "exit", "3") "\n" LINE(
							"9", "exit", "3");
	struct events ring = { 0 };

	(void)state;
	assert_int_equal(events_load(&ring, text, sizeof(text) - 1), 9);
	assert_int_equal(ring.n, 2);
	assert_int_equal(events_at(&ring, 0)->seq, 7);
	events_free(&ring);
	ring = (struct events){ 0 };
	assert_int_equal(events_load(&ring, "", 0), 0);
	assert_int_equal(ring.n, 0);
}

static void decisions_that_repeat_are_one(void **state)
{
	struct decisions d = { 0 };

	(void)state;
	assert_true(decisions_add(&d, WHY_HEALTH, "rule", "hold", "up=1/2", 10));
	assert_false(decisions_add(&d, WHY_HEALTH, "rule", "hold", "up=0/2", 20));
	assert_int_equal(d.n[WHY_HEALTH], 1);
	const struct decision *one = &d.lists[WHY_HEALTH][0];
	assert_int_equal(one->count, 2);
	assert_int_equal(one->first_realtime, 10);
	assert_int_equal(one->last_realtime, 20);
	assert_string_equal(one->inputs, "up=0/2");
	/* Another action, then the first again: three. */
	assert_true(decisions_add(&d, WHY_HEALTH, "rule", "healthy", "up=2/2", 30));
	assert_true(decisions_add(&d, WHY_HEALTH, "rule", "hold", "up=0/2", 40));
	assert_int_equal(d.n[WHY_HEALTH], 3);
	assert_int_equal(d.n[WHY_MEMORY], 0);
	for (unsigned i = 0; i < 2 * DECISIONS_MAX; i++)
		assert_true(decisions_add(&d, WHY_MEMORY, i % 2 ? "a" : "b", "\033[2J", "\n", i));
	assert_int_equal(d.n[WHY_MEMORY], DECISIONS_MAX);
	assert_int_equal(d.lists[WHY_MEMORY][0].last_realtime, 2 * DECISIONS_MAX - 1);
	assert_string_equal(d.lists[WHY_MEMORY][0].action, "\\x1b[2J");
	decisions_free(&d);
}

static void the_bucket(void **state)
{
	const struct ratelimit_rule rule = { 3, 10 * S };
	struct ratelimit r = { 0 };
	usec_t now = 1000 * S;

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		assert_true(ratelimit_take(&r, &rule, now));
	assert_false(ratelimit_take(&r, &rule, now));
	assert_int_equal(ratelimit_next(&r, &rule, now), now + 10 * S);
	assert_false(ratelimit_take(&r, &rule, now + 10 * S - 1));
	assert_true(ratelimit_take(&r, &rule, now + 10 * S));
	assert_false(ratelimit_take(&r, &rule, now + 15 * S));
	/* A day later it is full, and no fuller. */
	now += 86400 * S;
	for (unsigned i = 0; i < 3; i++)
		assert_true(ratelimit_take(&r, &rule, now));
	assert_false(ratelimit_take(&r, &rule, now));
	/* Owed tokens come back first; a clock that goes back gives none. */
	ratelimit_charge(&r, &rule, 2, now);
	assert_int_equal(ratelimit_next(&r, &rule, now), now + 30 * S);
	assert_false(ratelimit_take(&r, &rule, now - 500 * S));
	/* Given back, it is there at once. */
	ratelimit_refund(&r);
	assert_int_equal(ratelimit_next(&r, &rule, now), now + 20 * S);
	ratelimit_charge(&r, &rule, 1, now);
	assert_true(ratelimit_take(&r, &rule, now + 30 * S));
	ratelimit_refund(&(struct ratelimit){ 0 });
	ratelimit_charge(&r, &rule, UINT32_MAX, now);
	assert_true(ratelimit_next(&r, &rule, now) > now);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_and_back),
		cmocka_unit_test(a_text_is_cut_and_printable),
		cmocka_unit_test(what_is_no_line_of_ours),
		cmocka_unit_test(the_ring_keeps_the_last),
		cmocka_unit_test(a_file_is_loaded),
		cmocka_unit_test(a_hostile_file_is_loaded),
		cmocka_unit_test(decisions_that_repeat_are_one),
		cmocka_unit_test(the_bucket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
