/* SPDX-License-Identifier: Apache-2.0 */
/* The table of the wire protocol, row by row, with the words an operator reads. */
/* LINK: base/time model/report model/cborscan model/utf8 policy/verdict */
/* LIBS: libcbor */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/macro.h"
#include "model/utf8.h"
#include "policy/verdict.h"

#define NONCE  "0123456789abcdef"
#define BOOT   "11111111-2222-4333-8444-555555555555"
#define OTHER  "99999999-2222-4333-8444-555555555555"
#define PROVEN 1u
#define FLAG   2u

/* A report as bytes. Only short forms; the decoder has tests of its own. */
struct bytes {
	uint8_t at[ANSWER_BODY_MAX];
	size_t len;
};

static void put_head(struct bytes *b, unsigned major, size_t n)
{
	if (n < 24) {
		b->at[b->len++] = (uint8_t)(major << 5 | n);
		return;
	}
	b->at[b->len++] = (uint8_t)(major << 5 | 25);
	b->at[b->len++] = (uint8_t)(n >> 8);
	b->at[b->len++] = (uint8_t)n;
}

static void put_text(struct bytes *b, const char *s)
{
	put_head(b, 3, strlen(s));
	memcpy(b->at + b->len, s, strlen(s));
	b->len += strlen(s);
}

/* NULL leaves a key out. `checks` is up to 8 names and statuses in turn. */
struct says {
	const char *status, *service, *nonce, *boot_id, *version, *message;
	const char *checks[16];
};

static void put_report(struct bytes *b, const struct says *r)
{
	const char *pairs[][2] = {
		{ "status",  r->status  },
		{ "service", r->service },
		{ "nonce",   r->nonce   },
		{ "boot_id", r->boot_id },
		{ "version", r->version },
		{ "message", r->message },
	};
	size_t n = 0, checks = 0;

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		n += pairs[i][1] != NULL;
	while (checks < ARRAY_SIZE(r->checks) && r->checks[checks])
		checks++;
	put_head(b, 5, n + (checks > 0));
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		if (!pairs[i][1])
			continue;
		put_text(b, pairs[i][0]);
		put_text(b, pairs[i][1]);
	}
	if (checks == 0)
		return;
	put_text(b, "checks");
	put_head(b, 5, checks / 2);
	for (size_t i = 0; i < checks; i++)
		put_text(b, r->checks[i]);
}

static struct service_spec a_service(enum spec_probe probe)
{
	static char name[] = "local-proofreader", unit[] = "local-proofreader.service";

	return (struct service_spec){
		.name = name,
		.unit = unit,
		.port = 9092,
		.probe = probe,
		.timeout = 2 * USEC_PER_SEC,
	};
}

static void check(const char *row, const struct judgement *j, enum verdict verdict,
	const char *reason, unsigned flags)
{
	if (j->verdict != verdict || strcmp(j->reason, reason) != 0)
		print_error("row: %s\n", row);
	assert_string_equal(j->reason, reason);
	assert_string_equal(verdict_to_string(j->verdict), verdict_to_string(verdict));
	assert_int_equal(j->proven, (flags & PROVEN) != 0);
	assert_int_equal(j->flagged, (flags & FLAG) != 0);
	assert_true(utf8_printable(j->reason, strlen(j->reason)));
}

#define OURS .service = "local-proofreader", .nonce = NONCE, .boot_id = BOOT

static const struct report_row {
	const char *row;
	int status;
	struct says says;
	bool boot_unknown;
	enum verdict verdict;
	const char *reason;
	unsigned flags;
} report_rows[] = {
	{ "ok", 200, { "ok", OURS }, false, VERDICT_OK, "", PROVEN },
	{ "ok, a bad check is the service's own business", 200,
		{ "ok", OURS, .checks = { "disk", "degraded" } }, false, VERDICT_OK, "", PROVEN },
	{ "another 2xx", 201, { "ok", OURS }, false, VERDICT_OK, "", PROVEN },
	{ "no nonce", 200, { "ok", .service = "local-proofreader", .boot_id = BOOT }, false,
		VERDICT_OK, "", 0 },
	{ "no name", 200, { "ok", .nonce = NONCE, .boot_id = BOOT }, false, VERDICT_OK, "", 0 },
	{ "no boot_id", 200, { "ok", .service = "local-proofreader", .nonce = NONCE }, false,
		VERDICT_OK, "", 0 },
	{ "boot_id not known to us", 200, { "ok", OURS }, true, VERDICT_OK, "", 0 },
	{ "only a status", 200, { .status = "ok" }, false, VERDICT_OK, "", 0 },
	{ "degraded", 200, { "degraded", OURS, .message = "index is 3 h old" }, false,
		VERDICT_DEGRADED, "index is 3 h old", PROVEN | FLAG },
	{ "degraded without words", 200, { "degraded", OURS }, false, VERDICT_DEGRADED,
		"the service says so and gives no message", PROVEN | FLAG },
	{ "checks only", 200,
		{ "degraded", OURS, .checks = { "disk", "degraded", "net", "ok" } }, false,
		VERDICT_DEGRADED, "(disk degraded)", PROVEN | FLAG },
	{ "failing with checks", 200,
		{ "failing", OURS, .message = "no ledger",
			.checks = { "a", "failing", "b", "degraded", "c", "ok", "d", "failing", "e",
				"failing", "f", "failing" } },
		false, VERDICT_FAILING, "no ledger (a failing, b degraded, d failing and 2 more)",
		PROVEN },
	{ "starting", 200, { "starting", OURS, .message = "loading" }, false, VERDICT_STARTING,
		"loading", PROVEN },
	{ "503 starting", 503, { "starting", OURS, .message = "loading" }, false,
		VERDICT_STARTING, "loading", PROVEN },
	{ "503 failing", 503, { "failing", OURS, .message = "no disk" }, false, VERDICT_FAILING,
		"no disk", PROVEN },
	{ "503 ok", 503, { "ok", OURS }, false, VERDICT_FAILING,
		"HTTP 503, although the report says ok", PROVEN },
	{ "503 degraded", 503, { "degraded", OURS }, false, VERDICT_FAILING,
		"HTTP 503, although the report says degraded", PROVEN },
	{ "a report with another status is not looked at", 500, { "ok", OURS }, false,
		VERDICT_HTTP_STATUS, "HTTP 500 from the service", 0 },
	{ "another's nonce", 200,
		{ "ok", .nonce = "fedcba9876543210", .service = "service-fs", .boot_id = OTHER },
		false, VERDICT_WRONG_SERVICE,
		"echoes nonce fedcba9876543210, the question had " NONCE
		": not an answer to this question",
		0 },
	{ "another's name comes before its boot and its status", 200,
		{ "failing", .nonce = NONCE, .service = "service-fs", .boot_id = OTHER }, false,
		VERDICT_WRONG_SERVICE, "says it is service-fs, not local-proofreader", 0 },
	{ "503 and another's name", 503, { "starting", .service = "service-fs" }, false,
		VERDICT_WRONG_SERVICE, "says it is service-fs, not local-proofreader", 0 },
	{ "an old boot comes before its status", 200,
		{ "failing", .service = "local-proofreader", .nonce = NONCE, .boot_id = OTHER },
		false, VERDICT_STALE_BOOT, "answers from boot " OTHER ", the guest's is " BOOT, 0 },
	{ "an old boot, ours unknown", 200, { "ok", .boot_id = OTHER }, true, VERDICT_OK, "", 0 },
};

static void judge_row(const struct report_row *row, struct judgement *ret)
{
	struct service_spec service = a_service(PROBE_CBOR);
	struct bytes b = { .len = 0 };

	put_report(&b, &row->says);
	struct answer answer = { .kind = ANSWER_WHOLE,
		.status = row->status,
		.says_cbor = true,
		.body = b.at,
		.body_len = b.len,
		.latency = 1234 };
	struct expectation expect = { .nonce = NONCE, .boot_id = row->boot_unknown ? "" : BOOT };
	verdict_judge(&service, &answer, &expect, ret);
}

static void reports(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(report_rows); i++) {
		const struct report_row *row = &report_rows[i];
		struct judgement j;

		judge_row(row, &j);
		check(row->row, &j, row->verdict, row->reason, row->flags);
		assert_int_equal(j.latency, 1234);
	}
}

static const struct answer_row {
	const char *row;
	enum spec_probe probe;
	struct answer answer;
	enum verdict verdict;
	const char *reason;
	unsigned flags;
} answer_rows[] = {
	{ "plain text", PROBE_CBOR, { .kind = ANSWER_WHOLE, .status = 200, .body_len = 6 },
		VERDICT_NOT_CBOR, "HTTP 200 without a CBOR report: up, but unproven", FLAG },
	{ "no content", PROBE_CBOR, { .kind = ANSWER_WHOLE, .status = 204 }, VERDICT_NOT_CBOR,
		"HTTP 204 without a CBOR report: up, but unproven", FLAG },
	{ "CBOR that is empty", PROBE_CBOR,
		{ .kind = ANSWER_WHOLE, .status = 200, .says_cbor = true,
			.body = (const uint8_t *)"" },
		VERDICT_MALFORMED, NULL, 0 },
	{ "CBOR with bytes left over", PROBE_CBOR,
		{ .kind = ANSWER_WHOLE, .status = 200, .says_cbor = true,
			.body = (const uint8_t *)"\xa1\x66status\x62okX", .body_len = 12 },
		VERDICT_MALFORMED, NULL, 0 },
	{ "a 1 GiB array in five bytes", PROBE_CBOR,
		{ .kind = ANSWER_WHOLE, .status = 503, .says_cbor = true,
			.body = (const uint8_t *)"\x9a\x07\xff\xff\xff", .body_len = 5 },
		VERDICT_MALFORMED, NULL, 0 },
	{ "503 without a report", PROBE_CBOR,
		{ .kind = ANSWER_WHOLE, .status = 503, .body_len = 4 }, VERDICT_HTTP_STATUS,
		"HTTP 503 from the service", 0 },
	{ "502", PROBE_CBOR, { .kind = ANSWER_WHOLE, .status = 502 }, VERDICT_HTTP_STATUS,
		"HTTP 502 from the service", 0 },
	{ "redirect", PROBE_CBOR, { .kind = ANSWER_WHOLE, .status = 302 }, VERDICT_HTTP_STATUS,
		"HTTP 302 from the service (redirects are not followed)", 0 },
	{ "http 200", PROBE_HTTP, { .kind = ANSWER_WHOLE, .status = 200 }, VERDICT_OK, "", 0 },
	{ "http takes a report for what its status is", PROBE_HTTP,
		{ .kind = ANSWER_WHOLE, .status = 200, .says_cbor = true, .body_len = 1,
			.body = (const uint8_t *)"\xff" },
		VERDICT_OK, "", 0 },
	{ "http 299", PROBE_HTTP, { .kind = ANSWER_WHOLE, .status = 299 }, VERDICT_OK, "", 0 },
	{ "http 199", PROBE_HTTP, { .kind = ANSWER_WHOLE, .status = 199 }, VERDICT_HTTP_STATUS,
		"HTTP 199 from the service", 0 },
	{ "http 404", PROBE_HTTP, { .kind = ANSWER_WHOLE, .status = 404 }, VERDICT_HTTP_STATUS,
		"HTTP 404 from the service", 0 },
	{ "forward closed", PROBE_CBOR, { .kind = ANSWER_UNREACHABLE }, VERDICT_UNREACHABLE,
		"the forward is closed: QEMU is not listening on 127.0.0.1:19092", 0 },
	{ "reset", PROBE_CBOR, { .kind = ANSWER_CLOSED }, VERDICT_REFUSED,
		"connection reset at once: the guest is up, nobody listens on port 9092", 0 },
	{ "reset, http", PROBE_HTTP, { .kind = ANSWER_CLOSED }, VERDICT_REFUSED,
		"connection reset at once: the guest is up, nobody listens on port 9092", 0 },
	{ "silent", PROBE_CBOR, { .kind = ANSWER_TIMEOUT, .latency = 2003000 }, VERDICT_TIMEOUT,
		"no whole answer within 2.0s", 0 },
	{ "endless headers", PROBE_CBOR, { .kind = ANSWER_TOO_LARGE, .status = 200 },
		VERDICT_MALFORMED, "headers over 8192 bytes", 0 },
	{ "endless headers, http", PROBE_HTTP,
		{ .kind = ANSWER_TOO_LARGE, .status = 200, .detail = "8193 bytes" },
		VERDICT_MALFORMED, "headers over 8192 bytes: 8193 bytes", 0 },
	{ "endless report", PROBE_CBOR,
		{ .kind = ANSWER_TOO_LARGE, .status = 200, .says_cbor = true, .body_len = 4096 },
		VERDICT_MALFORMED, "HTTP 200 with a report over 4096 bytes", 0 },
	{ "a large page", PROBE_CBOR,
		{ .kind = ANSWER_TOO_LARGE, .status = 200, .body_len = 4096 }, VERDICT_NOT_CBOR,
		"HTTP 200 without a CBOR report, and a body over the limit: up, but unproven",
		FLAG },
	{ "a large page, http", PROBE_HTTP,
		{ .kind = ANSWER_TOO_LARGE, .status = 200, .body_len = 4096 }, VERDICT_OK, "", 0 },
	{ "a large error page", PROBE_HTTP,
		{ .kind = ANSWER_TOO_LARGE, .status = 500, .body_len = 4096 },
		VERDICT_HTTP_STATUS, "HTTP 500 from the service", 0 },
	{ "HTTP/0.9", PROBE_CBOR,
		{ .kind = ANSWER_NOT_HTTP, .detail = "Received HTTP/0.9 when not allowed" },
		VERDICT_MALFORMED, "no whole HTTP answer: Received HTTP/0.9 when not allowed", 0 },
	{ "we could not", PROBE_CBOR,
		{ .kind = ANSWER_LOCAL_ERROR, .detail = "Too many open files" },
		VERDICT_INCONCLUSIVE, "could not ask: Too many open files", 0 },
	{ "tcp", PROBE_TCP, { .protocol = ANSWER_TCP, .kind = ANSWER_WHOLE }, VERDICT_OK,
		"port 9092 took the connection: a TCP probe proves little", 0 },
	{ "tcp reset", PROBE_TCP, { .protocol = ANSWER_TCP, .kind = ANSWER_CLOSED },
		VERDICT_REFUSED,
		"connection reset at once: the guest is up, nobody listens on port 9092", 0 },
	{ "tcp closed", PROBE_TCP, { .protocol = ANSWER_TCP, .kind = ANSWER_UNREACHABLE },
		VERDICT_UNREACHABLE,
		"the forward is closed: QEMU is not listening on 127.0.0.1:19092", 0 },
	{ "unit", PROBE_UNIT, { .protocol = ANSWER_UNIT, .unit_state = "active" }, VERDICT_OK, "",
		0 },
	{ "unit activating", PROBE_UNIT, { .protocol = ANSWER_UNIT, .unit_state = "activating" },
		VERDICT_STARTING,
		"local-proofreader.service is activating, says systemd in the guest", 0 },
	{ "unit reloading", PROBE_UNIT, { .protocol = ANSWER_UNIT, .unit_state = "reloading" },
		VERDICT_STARTING,
		"local-proofreader.service is reloading, says systemd in the guest", 0 },
	{ "unit failed", PROBE_UNIT, { .protocol = ANSWER_UNIT, .unit_state = "failed" },
		VERDICT_FAILING, "local-proofreader.service is failed, says systemd in the guest",
		0 },
	{ "unit inactive", PROBE_UNIT, { .protocol = ANSWER_UNIT, .unit_state = "inactive" },
		VERDICT_FAILING,
		"local-proofreader.service is inactive, says systemd in the guest", 0 },
	{ "unit deactivating", PROBE_UNIT,
		{ .protocol = ANSWER_UNIT, .unit_state = "deactivating" }, VERDICT_FAILING,
		"local-proofreader.service is deactivating, says systemd in the guest", 0 },
	{ "unit in no state", PROBE_UNIT, { .protocol = ANSWER_UNIT, .unit_state = "act" },
		VERDICT_MALFORMED,
		"the guest agent says local-proofreader.service is \"act\", which is no state of a "
		"unit",
		0 },
	{ "no agent", PROBE_UNIT,
		{ .protocol = ANSWER_UNIT, .kind = ANSWER_UNREACHABLE, .detail = "not connected" },
		VERDICT_INCONCLUSIVE, "the guest agent could not be asked: not connected", 0 },
	{ "silent agent", PROBE_UNIT,
		{ .protocol = ANSWER_UNIT, .kind = ANSWER_TIMEOUT, .latency = 6 * USEC_PER_SEC },
		VERDICT_TIMEOUT, "no whole answer within 6.0s", 0 },
	{ "the configuration changed", PROBE_TCP, { .kind = ANSWER_WHOLE, .status = 200 },
		VERDICT_INCONCLUSIVE, "the question was of another kind than Probe= is now", 0 },
	{ "unwatched", PROBE_NONE, { .kind = ANSWER_WHOLE, .status = 200 }, VERDICT_NONE,
		"not watched", 0 },
};

static void answers(void **state)
{
	struct expectation expect = { .nonce = NONCE, .boot_id = BOOT, .host_port = 19092 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(answer_rows); i++) {
		const struct answer_row *row = &answer_rows[i];
		struct service_spec service = a_service(row->probe);
		struct judgement j;

		verdict_judge(&service, &row->answer, &expect, &j);
		check(row->row, &j, row->verdict, row->reason ? row->reason : j.reason, row->flags);
		if (!row->reason)
			assert_non_null(strstr(j.reason, "but the report is refused: "));
	}
}

/* The same rows with a guest that could not run: what counts as up stands, all else says nothing.
 */
static void excused(void **state)
{
	struct expectation expect = { .nonce = NONCE,
		.boot_id = BOOT,
		.inconclusive = true,
		.why_inconclusive = "the guest was paused" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(answer_rows); i++) {
		const struct answer_row *row = &answer_rows[i];
		struct service_spec service = a_service(row->probe);
		struct judgement j;

		verdict_judge(&service, &row->answer, &expect, &j);
		enum verdict_effect effect = verdict_effect(row->verdict);
		if (effect == EFFECT_UP || effect == EFFECT_NOTHING) {
			assert_int_equal(j.verdict, row->verdict);
			continue;
		}
		assert_int_equal(j.verdict, VERDICT_INCONCLUSIVE);
		assert_int_equal(strncmp(j.reason, "the guest was paused (", 22), 0);
		assert_false(j.proven || j.flagged);
	}
}

/* The same rows with a guest that the host starved: what was missed says nothing, all else stands.
 */
static void starved(void **state)
{
	static const char why[] = "the host starved the guest: vCPUs waited 83% of the last 5.0s";
	struct expectation expect = {
		.nonce = NONCE, .boot_id = BOOT, .starved = true, .why_starved = why
	};
	unsigned missed = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(answer_rows); i++) {
		const struct answer_row *row = &answer_rows[i];
		struct service_spec service = a_service(row->probe);
		struct judgement j;

		verdict_judge(&service, &row->answer, &expect, &j);
		assert_int_equal(j.excused, row->verdict == VERDICT_TIMEOUT);
		if (!j.excused) {
			assert_int_equal(j.verdict, row->verdict);
			continue;
		}
		missed++;
		assert_int_equal(j.verdict, VERDICT_INCONCLUSIVE);
		assert_int_equal(strncmp(j.reason, why, sizeof(why) - 1), 0);
		assert_non_null(strstr(j.reason, "no whole answer within"));
	}
	assert_true(missed >= 2);
	/* A guest that is paused, too, is not counted towards the cap of the starved. */
	const struct answer missed_one = { .kind = ANSWER_TIMEOUT };
	struct service_spec service = a_service(PROBE_CBOR);
	struct judgement j;
	expect.inconclusive = true;
	verdict_judge(&service, &missed_one, &expect, &j);
	assert_int_equal(j.verdict, VERDICT_INCONCLUSIVE);
	assert_false(j.excused);
}

static void what_is_learned(void **state)
{
	struct report_row row = { "learn", 200,
		{ "ok", OURS, .version = "1.4.2" },
		false, VERDICT_OK, "", PROVEN };
	struct judgement j;

	(void)state;
	judge_row(&row, &j);
	assert_string_equal(j.boot_id, BOOT);
	assert_string_equal(j.version, "1.4.2");

	row.says.boot_id = OTHER;
	judge_row(&row, &j);
	assert_int_equal(j.verdict, VERDICT_STALE_BOOT);
	assert_string_equal(j.boot_id, OTHER);

	/* Ours is not known yet, but the one before is known to be over. */
	struct service_spec service = a_service(PROBE_CBOR);
	struct bytes b = { .len = 0 };
	struct expectation expect = { .nonce = NONCE, .past_boot_id = OTHER };
	put_report(&b, &row.says);
	struct answer answer = { .status = 200, .says_cbor = true };
	answer.body = b.at;
	answer.body_len = b.len;
	verdict_judge(&service, &answer, &expect, &j);
	assert_int_equal(j.verdict, VERDICT_STALE_BOOT);
	assert_string_equal(j.reason, "answers from boot " OTHER ", which is over");

	row.says.service = "service-fs";
	judge_row(&row, &j);
	assert_int_equal(j.verdict, VERDICT_WRONG_SERVICE);
	assert_string_equal(j.boot_id, "");
	assert_string_equal(j.version, "");
}

/* Reasons fit their field whole characters at a time, and nothing steers the terminal. */
static void reasons_are_bounded(void **state)
{
	char message[257] = "";
	struct report_row row = { "long", 200, { "failing", OURS, .message = message }, false,
		VERDICT_FAILING, "", PROVEN };
	struct service_spec service = a_service(PROBE_CBOR);
	struct answer answer = { .kind = ANSWER_LOCAL_ERROR, .detail = "a\033[2Jb\xff" };
	struct expectation expect = { .nonce = NONCE };
	struct judgement j;

	(void)state;
	for (size_t i = 0; i < 128; i++)
		memcpy(message + 2 * i, "é", 3);
	judge_row(&row, &j);
	assert_int_equal(strlen(j.reason), 255);
	assert_string_equal(j.reason + 250, "é…");
	assert_true(utf8_printable(j.reason, strlen(j.reason)));
	memmove(message + 1, message, 255);
	message[0] = 'x';
	message[255] = '\0';
	judge_row(&row, &j);
	assert_string_equal(j.reason, message);
	message[255] = '!';
	judge_row(&row, &j);
	assert_int_equal(strlen(j.reason), 254);
	assert_string_equal(j.reason + 249, "é…");

	verdict_judge(&service, &answer, &expect, &j);
	assert_string_equal(j.reason, "could not ask: a\\x1b[2Jb\\xff");
}

static void words_of_the_timeout(void **state)
{
	struct service_spec service = a_service(PROBE_CBOR);
	struct answer answer = { .kind = ANSWER_TIMEOUT, .latency = 2090000 };
	struct expectation expect = { .timeout = 6 * USEC_PER_SEC };
	struct judgement j;

	(void)state;
	verdict_judge(&service, &answer, &expect, &j);
	assert_string_equal(j.reason, "no whole answer within 6.0s");
}

static void names_and_effects(void **state)
{
	(void)state;
	for (int v = 0; v < VERDICT_NUM; v++)
		assert_int_equal(verdict_from_string(verdict_to_string((enum verdict)v)), v);
	assert_int_equal(verdict_effect(VERDICT_NONE), EFFECT_NOTHING);
	assert_int_equal(verdict_effect(VERDICT_STARTING), EFFECT_NEITHER);
	assert_int_equal(verdict_effect(VERDICT_NOT_CBOR), EFFECT_UP);
	assert_int_equal(verdict_effect(VERDICT_INCONCLUSIVE), EFFECT_NOTHING);
	assert_int_equal(verdict_effect((enum verdict)99), EFFECT_NOTHING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reports),
		cmocka_unit_test(answers),
		cmocka_unit_test(excused),
		cmocka_unit_test(starved),
		cmocka_unit_test(what_is_learned),
		cmocka_unit_test(reasons_are_bounded),
		cmocka_unit_test(words_of_the_timeout),
		cmocka_unit_test(names_and_effects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
