/* SPDX-License-Identifier: Apache-2.0 */
/* The meter of D-Bus bytes: rows, both byte orders, and the same verdict however the stream is
 * cut. */
/* LINK: model/dbusmeter */
#include "base/macro.h"
#include "model/dbusmeter.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define STREAM_MAX (512u * 1024u)
#define UNITS_MAX  64u

/* What the meter said of a stream: where units ended, and how it stopped. */
struct verdict {
	size_t ends[UNITS_MAX];
	unsigned n;
	int error;
	size_t passed; /* bytes that were let through */
	bool inside;
};

static uint32_t seed = 1;

static uint32_t roll(uint32_t below)
{
	seed = seed * 1664525u + 1013904223u;
	return (uint32_t)((uint64_t)seed * below >> 32);
}

/* Hands over pieces of `piece` bytes; 0: of any length. */
static struct verdict measure(const uint8_t *bytes, size_t len, size_t piece)
{
	struct dbusmeter m = { 0 };
	struct verdict v = { 0 };

	for (size_t at = 0; at < len;) {
		size_t n = MIN(piece ? piece : 1 + roll(5000), len - at), used = SIZE_MAX;
		/* An allocation of the very size, so that a sanitizer sees a read behind it. */
		uint8_t *copy = malloc(n);

		memcpy(copy, bytes + at, n);
		v.error = dbusmeter_take(&m, copy, n, &used);
		free(copy);
		if (v.error < 0)
			return v;
		assert_in_range(used, 1, n);
		assert_true(v.error > 0 || used == n);
		at += used;
		v.passed = at;
		if (v.error > 0 && v.n < UNITS_MAX)
			v.ends[v.n++] = at;
	}
	v.error = 0;
	v.inside = dbusmeter_inside(&m);
	return v;
}

static void put_u32(uint8_t *at, uint32_t value, bool big)
{
	for (unsigned i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> 8 * (big ? 3 - i : i));
}

static size_t put_header(uint8_t *at, bool big, uint32_t fields, uint32_t body)
{
	const uint8_t head[] = { big ? 'B' : 'l', 1, 0, 1 };

	memcpy(at, head, sizeof(head));
	put_u32(at + 4, body, big);
	put_u32(at + 8, 1, big);
	put_u32(at + 12, fields, big);
	return DBUSMETER_HEADER;
}

static const char hello[] = "\0AUTH ANONYMOUS\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n";

static size_t put_hello(uint8_t *at)
{
	memcpy(at, hello, sizeof(hello) - 1);
	return sizeof(hello) - 1;
}

static void handshakes(void **state)
{
	static const struct {
		const char *bytes;
		size_t len, end; /* 0: it goes on */
		int error;
	} rows[] = {
#define ROW(text, end, error) { text, sizeof(text) - 1, end, error }
		ROW("\0BEGIN\r\n", 8, 0),
		ROW("\0AUTH EXTERNAL 30\r\nBEGIN\r\nl", 26, 0),
		ROW("\0AUTH\r\n\r\nBEGIN\r\n", 16, 0),
		/* Only a whole line that is nothing else. */
		ROW("\0BEGIN\n", 0, 0),
		ROW("\0BEGIN\r", 0, 0),
		ROW("\0BEGIN \r\n", 0, 0),
		ROW("\0 BEGIN\r\n", 0, 0),
		ROW("\0xBEGIN\r\n", 0, 0),
		ROW("\0begin\r\n", 0, 0),
		ROW("\0AUTH BEGIN\r\n", 0, 0),
		ROW("\0\nBEGIN\r\n", 0, 0),
		ROW("\0\rBEGIN\r\n", 0, 0),
		ROW("\0BEGIN\r\r\n", 0, 0),
		ROW("\0\r\r\nBEGIN\r\n", 11, 0),
		ROW("\0\0BEGIN\r\n", 0, 0),
		ROW("BEGIN\r\n", 0, -EBADMSG),
		ROW("GET / HTTP/1.1\r\n", 0, -EBADMSG),
#undef ROW
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (size_t piece = 1; piece <= rows[i].len; piece++) {
			struct verdict v =
				measure((const uint8_t *)rows[i].bytes, rows[i].len, piece);

			if (v.error != rows[i].error || v.n != (rows[i].end > 0) ||
				v.ends[0] != rows[i].end)
				fail_msg("row %zu in pieces of %zu: error %d, %u ends, at %zu", i,
					piece, v.error, v.n, v.ends[0]);
		}
}

static void a_handshake_is_bounded(void **state)
{
	static uint8_t bytes[DBUSMETER_HANDSHAKE_MAX + 1];

	(void)state;
	memset(bytes + 1, 'x', sizeof(bytes) - 1);
	for (size_t piece = 1; piece < 5000; piece += 499) {
		assert_int_equal(measure(bytes, DBUSMETER_HANDSHAKE_MAX, piece).error, 0);
		assert_int_equal(measure(bytes, sizeof(bytes), piece).error, -EMSGSIZE);
	}
	/* The last byte may be that of BEGIN. */
	memcpy(bytes + DBUSMETER_HANDSHAKE_MAX - 9, "\r\nBEGIN\r\n", 9);
	assert_int_equal(
		measure(bytes, DBUSMETER_HANDSHAKE_MAX, 0).ends[0], DBUSMETER_HANDSHAKE_MAX);
	memcpy(bytes + DBUSMETER_HANDSHAKE_MAX - 9, "x\r\nBEGIN\r\n", 10);
	assert_int_equal(measure(bytes, sizeof(bytes), 0).error, -EMSGSIZE);
	assert_int_equal(measure(bytes, sizeof(bytes), 0).n, 0);
}

static void messages(void **state)
{
	static const struct {
		uint32_t fields, body;
		size_t length; /* 0: too large */
	} rows[] = {
		{ 0, 0, 16 },
		{ 1, 0, 24 },
		{ 7, 1, 25 },
		{ 8, 0, 24 },
		{ 9, 3, 35 },
		{ 0, DBUSMETER_MESSAGE_MAX - 16, DBUSMETER_MESSAGE_MAX },
		{ 0, DBUSMETER_MESSAGE_MAX - 15, 0 },
		{ DBUSMETER_MESSAGE_MAX - 16, 0, DBUSMETER_MESSAGE_MAX },
		{ DBUSMETER_MESSAGE_MAX - 23, 0, DBUSMETER_MESSAGE_MAX },
		{ DBUSMETER_MESSAGE_MAX - 15, 0, 0 },
		{ 32768, 32768, 0 },
		{ 0, 0x07ffffff, 0 }, /* 128 MiB: sd-bus would wait for it */
		{ 0x07ffffff, 0, 0 },
		{ 0, UINT32_MAX, 0 },
		{ UINT32_MAX, 0, 0 },
		{ UINT32_MAX, UINT32_MAX, 0 },
		{ UINT32_MAX - 6, 24, 0 },
		{ UINT32_MAX - 15, 16, 0 },
		{ 0, 0x00010000, 0 },
		{ 0, 0x01000000, 0 },
	};
	static uint8_t bytes[STREAM_MAX];

	(void)state;
	for (unsigned i = 0; i < 2 * ARRAY_SIZE(rows); i++) {
		bool big = i & 1;
		size_t start = put_hello(bytes), len = rows[i / 2].length;

		(void)put_header(bytes + start, big, rows[i / 2].fields, rows[i / 2].body);
		/* One more behind it shows that the end was found. */
		size_t all = start + (len ? len : DBUSMETER_HEADER);
		all += put_header(bytes + all, !big, 0, 0);
		for (size_t piece = 0; piece < 40; piece++) {
			struct verdict v = measure(bytes, all, piece);

			assert_int_equal(v.ends[0], start);
			assert_int_equal(v.error, len ? 0 : -EMSGSIZE);
			assert_int_equal(v.n, len ? 3 : 1);
			if (len) {
				assert_int_equal(v.ends[1], start + len);
				assert_int_equal(v.ends[2], all);
				assert_false(v.inside);
			} else {
				/* Not even a header whole is let through. */
				assert_in_range(v.passed, start, start + DBUSMETER_HEADER - 1);
			}
		}
		if (len)
			assert_true(measure(bytes, all - 1, 0).inside);
	}
}

static void what_is_no_message(void **state)
{
	static const struct {
		unsigned at;
		uint8_t byte;
	} rows[] = { { 0, 'L' }, { 0, 'b' }, { 0, 0 }, { 0, 'G' }, { 1, 0 }, { 3, 0 }, { 3, 2 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t bytes[128];
		size_t start = put_hello(bytes), all = start + put_header(bytes + start, 0, 0, 0);

		bytes[start + rows[i].at] = rows[i].byte;
		for (size_t piece = 0; piece < 20; piece++)
			assert_int_equal(measure(bytes, all, piece).error, -EBADMSG);
	}
}

/* Streams of anything; whole, byte by byte and in random pieces they mean the same. */
static void cuts_change_nothing(void **state)
{
	static uint8_t bytes[STREAM_MAX];
	unsigned good = 0, bad = 0;

	(void)state;
	for (unsigned round = 0; round < 400; round++) {
		size_t ends[UNITS_MAX], len = put_hello(bytes), expected = 1;
		unsigned messages_wanted = roll(8);

		ends[0] = len;
		while (messages_wanted--) {
			uint32_t fields = roll(300), body = roll(8) ? roll(500) : roll(20000);

			put_header(bytes + len, roll(2), fields, body);
			len += DBUSMETER_HEADER + (fields + 7) / 8 * 8 + body;
			ends[expected++] = len;
		}
		bool spoilt = roll(3) == 0;
		if (spoilt)
			bytes[roll(MIN((uint32_t)len, 64u))] ^= (uint8_t)(1 + roll(255));
		struct verdict whole = measure(bytes, len, len), bytewise = measure(bytes, len, 1);

		for (unsigned cut = 0; cut < 4; cut++) {
			struct verdict v = cut ? measure(bytes, len, 0) : bytewise;

			assert_int_equal(v.error, whole.error);
			assert_int_equal(v.n, whole.n);
			assert_memory_equal(v.ends, whole.ends, sizeof(v.ends));
			assert_int_equal(v.inside, whole.inside);
		}
		good += whole.error == 0;
		bad += whole.error < 0;
		if (spoilt)
			continue;
		assert_int_equal(whole.error, 0);
		assert_int_equal(whole.n, expected);
		assert_memory_equal(whole.ends, ends, expected * sizeof(*ends));
	}
	/* The dice gave both kinds. */
	assert_true(good > 100 && bad > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(handshakes),
		cmocka_unit_test(a_handshake_is_bounded),
		cmocka_unit_test(messages),
		cmocka_unit_test(what_is_no_message),
		cmocka_unit_test(cuts_change_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
