/* SPDX-License-Identifier: Apache-2.0 */
/* The state file: round trip, and everything that is not one: torn, random, newer, of wrong
 * types, hostile. */
/* LINK: model/utf8 model/state model/jsontext */
/* LIBS: jansson */
#include "model/state.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/macro.h"
#include "io/store.h"
#include "model/utf8.h"

#define COPY(field, text) (void)snprintf(field, sizeof(field), "%s", text)

/* Every field different from zero and from its neighbours. */
static void fill(struct state_record *r)
{
	memset(r, 0, sizeof(*r));
	COPY(r->host_boot_id, "11111111-2222-3333-4444-555555555555");
	COPY(r->want, "up");
	COPY(r->state, "ready");
	r->since_realtime = 1700000000000001;
	r->started_realtime = 1700000000000002;
	COPY(r->boot_id, "a1111111-2222-3333-4444-555555555555");
	COPY(r->past_boot_id, "b1111111-2222-3333-4444-555555555555");
	r->boot_id_by_agent = true;
	COPY(r->boot_stage, "cloud-init");
	COPY(r->exit_cause, "boot-dead");
	COPY(r->exit_rung, "ACPI");
	/* A hint that was escaped once must not be escaped again at each restart. */
	COPY(r->exit_words, "clean, ACPI, 4.1s \"quoted\" \\x1b \xc3\xa9");
	r->exit_at_realtime = 1700000000000003;
	r->exit_uptime = 4;
	r->exit_took = 5;
	for (unsigned i = 0; i < STATE_FAULTS; i++)
		r->fault_realtime[r->n_faults++] = 1600000000000000 + i;
	COPY(r->boot_key, "1-2-3 4-5-6");
	COPY(r->glibc, "2.39");
	COPY(r->glibc_disk, "5e7 base-0123456789abcdef.qcow2");
	for (unsigned i = 0; i < STATE_BOOTS; i++)
		r->boots[r->n_boots++] = (struct state_boot){ i % 2, i % 4 < 2, 1000 + i, 2000 + i,
			3000 + i, 4000 + i, 5000 + i };
	for (unsigned i = 0; i < SPEC_SERVICES_MAX; i++) {
		struct state_service *s = &r->services[r->n_services++];

		(void)snprintf(s->name, sizeof(s->name), "service-%02u-with-a-name-of-forty-bytes",
			i % 100);
		COPY(s->state, "degraded");
		COPY(s->verdict, "wrong-service");
		memset(s->reason, 'r', sizeof(s->reason) - 1);
		s->since_realtime = 1700000000000010 + i;
		s->judged_realtime = 1700000000000020 + i;
		s->latency = 30 + i;
		s->successes = 40 + i;
		s->failures = UINT32_MAX - i;
		s->proven = i % 2;
		s->flagged = i % 3;
		r->forwards[r->n_forwards++] = (struct state_forward){ 9000 + i, 65000 + i };
	}
	r->forwards_known = true;
}

static void test_round_trip(void **state)
{
	static struct state_record in, out;

	(void)state;
	fill(&in);
	CLEANUP_FREE char *text = state_to_text(&in);
	assert_non_null(text);
	/* The largest there can be is one that the store takes back. */
	assert_true(strlen(text) < STORE_TEXT_MAX);
	assert_int_equal(state_from_text(text, strlen(text), &out), 0);
	assert_memory_equal(&in, &out, sizeof(in));
	CLEANUP_FREE char *again = state_to_text(&out);
	assert_string_equal(text, again);
}

static void test_empty_record(void **state)
{
	static struct state_record in, out;

	(void)state;
	memset(&in, 0, sizeof(in));
	fill(&out);
	CLEANUP_FREE char *text = state_to_text(&in);
	assert_int_equal(state_from_text(text, strlen(text), &out), 0);
	assert_memory_equal(&in, &out, sizeof(in));
}

/* The worst text: every byte needs six in JSON. */
static void test_largest_text(void **state)
{
	static struct state_record in;

	(void)state;
	fill(&in);
	memset(in.exit_words, 1, sizeof(in.exit_words) - 1);
	for (unsigned i = 0; i < in.n_services; i++) {
		memset(in.services[i].reason, 1, sizeof(in.services[i].reason) - 1);
		memset(in.services[i].name, 1, sizeof(in.services[i].name) - 1);
	}
	CLEANUP_FREE char *text = state_to_text(&in);
	assert_non_null(text);
	assert_true(strlen(text) < STORE_TEXT_MAX);
}

/* A field that is no UTF-8 (a reason cut in the middle of a character) must not cost the whole
 * record. */
static void test_no_utf8(void **state)
{
	static struct state_record in, out;

	(void)state;
	fill(&in);
	in.services[0].reason[STATE_REASON - 2] = '\xc3';
	COPY(in.exit_words, "\xff\xfe");
	CLEANUP_FREE char *text = state_to_text(&in);
	assert_non_null(text);
	assert_int_equal(state_from_text(text, strlen(text), &out), 0);
	assert_string_equal(out.boot_id, in.boot_id);
	assert_true(utf8_printable(out.exit_words, strlen(out.exit_words)));
}

static int parse(const char *text, size_t len, struct state_record *ret)
{
	/* An exact allocation, so that a sanitizer sees a read behind its end. */
	CLEANUP_FREE char *copy = malloc(len ? len : 1);

	memcpy(copy, text, len);
	return state_from_text(copy, len, ret);
}

static void assert_untouched(const char *text, size_t len, int error)
{
	static struct state_record out, before;

	memset(&out, 0x5a, sizeof(out));
	memset(&before, 0x5a, sizeof(before));
	assert_int_equal(parse(text, len, &out), error);
	assert_memory_equal(&out, &before, sizeof(out));
}

static void test_torn(void **state)
{
	static struct state_record in;

	(void)state;
	fill(&in);
	in.n_services = 2;
	CLEANUP_FREE char *text = state_to_text(&in);
	size_t len = strlen(text);
	for (size_t cut = 0; cut < len; cut++)
		assert_untouched(text, cut, -EBADMSG);
	/* A file system that lost the blocks but kept the size. */
	for (size_t cut = 0; cut < len; cut += 97) {
		CLEANUP_FREE char *zeros = strdup(text);

		memset(zeros + cut, 0, len - cut);
		assert_untouched(zeros, len, -EBADMSG);
	}
}

static void test_garbage(void **state)
{
	static const char *const texts[] = { "", " ", "null", "1", "\"version\"", "[]", "{}", "[1]",
		"{\"version\":null}", "{\"version\":\"1\"}", "{\"version\":1.0}", "{\"version\":0}",
		"{\"version\":-1}", "{\"version\":1}x", "{\"version\":1,\"version\":1}",
		"{\"version\":99999999999999999999}", "<html>", "\xff\xfe",
		"{\"version\":1,\"want\":\"\xff\"}" };
	uint64_t x = (uint64_t)time(NULL);
	char junk[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_untouched(texts[i], strlen(texts[i]), -EBADMSG);
	/* Nested deeper than any parser's stack should take. */
	CLEANUP_FREE char *deep = malloc(200000);
	memset(deep, '[', 200000);
	assert_untouched(deep, 200000, -EBADMSG);
	print_message("seed %llu\n", (unsigned long long)x);
	for (int round = 0; round < 1000; round++) {
		for (size_t i = 0; i < sizeof(junk); i++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			junk[i] = (char)x;
		}
		assert_untouched(junk, (size_t)(x % sizeof(junk)), -EBADMSG);
	}
}

static void test_newer(void **state)
{
	static const char *const texts[] = { "{\"version\":2}",
		"{\"version\":9223372036854775807,\"want\":7}" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_untouched(texts[i], strlen(texts[i]), -EPROTONOSUPPORT);
}

/* A member of another type, or none, leaves its field zero; the rest is taken. */
static void test_wrong_types(void **state)
{
	static const char text[] =
		"{\"version\":1,\"want\":7,\"state\":null,\"since_realtime\":\"x\",\"boot_id\":[],"
		"\"boot_id_by_agent\":1,\"exit_took\":-5,\"exit_uptime\":1.5,\"exit_words\":"
		"\"kept\","
		"\"faults\":[1,\"two\",null,-4],\"services\":[7,null,{\"name\":3},{\"name\":\"s\","
		"\"successes\":"
		"99999999999,\"failures\":-1,\"proven\":\"yes\",\"latency\":9223372036854775807}],"
		"\"forwards\":[0,{},{\"port\":-1,\"host_port\":99999999999}],\"unknown\":{}}";
	static struct state_record r;

	(void)state;
	assert_int_equal(parse(text, sizeof(text) - 1, &r), 0);
	assert_string_equal(r.want, "");
	assert_string_equal(r.state, "");
	assert_int_equal(r.since_realtime, 0);
	assert_false(r.boot_id_by_agent);
	assert_int_equal(r.exit_took, 0);
	assert_int_equal(r.exit_uptime, 0);
	assert_string_equal(r.exit_words, "kept");
	assert_int_equal(r.n_faults, 4);
	assert_int_equal(r.fault_realtime[0], 1);
	assert_int_equal(r.fault_realtime[3], 0);
	assert_int_equal(r.n_services, 4);
	assert_string_equal(r.services[2].name, "");
	assert_string_equal(r.services[3].name, "s");
	assert_int_equal(r.services[3].successes, UINT32_MAX);
	assert_int_equal(r.services[3].failures, 0);
	assert_false(r.services[3].proven);
	assert_int_equal(r.services[3].latency, INT64_MAX);
	assert_int_equal(r.n_forwards, 3);
	assert_int_equal(r.forwards[2].port, 0);
	assert_int_equal(r.forwards[2].host_port, UINT32_MAX);
	static const char odd[] =
		"{\"version\":1,\"faults\":{},\"services\":\"x\",\"forwards\":7}";
	assert_int_equal(parse(odd, sizeof(odd) - 1, &r), 0);
	assert_int_equal(r.n_faults + r.n_services + r.n_forwards, 0);
	assert_false(r.forwards_known);
}

/* More than there is room for, and texts that would steer a terminal. */
static void test_hostile(void **state)
{
	static struct state_record r;
	char *text;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	(void)state;
	fprintf(f, "{\"version\":1,\"exit_words\":\"\\u001b[2J");
	for (int i = 0; i < 1000; i++)
		fprintf(f, "\\u202e");
	fprintf(f, "\",\"faults\":[0");
	for (int i = 0; i < 1000; i++)
		fprintf(f, ",%d", i);
	fprintf(f, "],\"services\":[{}");
	for (int i = 0; i < 1000; i++)
		fprintf(f, ",{\"name\":\"%0100d\"}", i);
	fprintf(f, "],\"forwards\":[{}");
	for (int i = 0; i < 1000; i++)
		fprintf(f, ",{\"port\":%d}", i);
	fprintf(f, "]}");
	assert_int_equal(fclose(f), 0);
	assert_int_equal(parse(text, len, &r), 0);
	assert_true(utf8_printable(r.exit_words, strlen(r.exit_words)));
	assert_int_equal(r.n_faults, STATE_FAULTS);
	assert_int_equal(r.n_services, SPEC_SERVICES_MAX);
	assert_int_equal(r.n_forwards, SPEC_SERVICES_MAX);
	assert_true(strlen(r.services[1].name) <= SPEC_NAME_MAX);
	free(text);
	/* A NUL inside a text, which would end it early. */
	static const char nul[] = "{\"version\":1,\"want\":\"up\\u0000\"}";
	assert_untouched(nul, sizeof(nul) - 1, -EBADMSG);
}

#define MUTATIONS 10000u

static uint64_t random_next(uint64_t *seed)
{
	/* xorshift64, Marsaglia 2003 */
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* One to eight places: a byte changed, a piece lost, a piece doubled, or the end torn off. */
static size_t mutate(char *text, size_t len, size_t room, uint64_t *seed)
{
	for (unsigned n = 1 + random_next(seed) % 8; n > 0 && len > 0; n--) {
		size_t at = random_next(seed) % len, piece = 1 + random_next(seed) % 40;

		piece = MIN(piece, len - at);
		switch (random_next(seed) % 8) {
		case 0:
			len = at;
			break;
		case 1:
			memmove(text + at, text + at + piece, len - at - piece);
			len -= piece;
			break;
		case 2:
			piece = MIN(piece, room - len);
			memmove(text + at + piece, text + at, len - at);
			len += piece;
			break;
		case 3:
			text[at] = "0123456789\"\\{}[]:,-.eE\0\xff"[random_next(seed) % 21];
			break;
		default:
			text[at] = (char)random_next(seed);
		}
	}
	return len;
}

/* Each is refused, or is a record that is written and read again as the same. STATE_SEED=n plays
 * one again. */
static void test_mutations(void **state)
{
	static struct state_record r, again;
	const char *given = getenv("STATE_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) * 2654435761u;
	unsigned taken = 0, refused = 0;

	(void)state;
	print_message("STATE_SEED=%llu\n", (unsigned long long)seed);
	seed |= 1;
	fill(&r);
	CLEANUP_FREE char *whole = state_to_text(&r);
	size_t whole_len = strlen(whole), room = whole_len + 4096;
	CLEANUP_FREE char *text = malloc(room);
	for (unsigned i = 0; i < MUTATIONS; i++) {
		memcpy(text, whole, whole_len);
		size_t len = mutate(text, whole_len, room, &seed);
		int error = state_from_text(text, len, &r);
		if (error < 0) {
			assert_true(error == -EBADMSG || error == -EPROTONOSUPPORT);
			refused++;
			continue;
		}
		taken++;
		CLEANUP_FREE char *first = state_to_text(&r);
		assert_non_null(first);
		assert_true(strlen(first) < STORE_TEXT_MAX);
		assert_int_equal(state_from_text(first, strlen(first), &again), 0);
		CLEANUP_FREE char *second = state_to_text(&again);
		assert_string_equal(second, first);
	}
	print_message("%u taken, %u refused\n", taken, refused);
	/* Or it looks at one side only. */
	assert_true(taken > MUTATIONS / 100 && refused > MUTATIONS / 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_empty_record),
		cmocka_unit_test(test_largest_text),
		cmocka_unit_test(test_no_utf8),
		cmocka_unit_test(test_torn),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_newer),
		cmocka_unit_test(test_wrong_types),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_mutations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
