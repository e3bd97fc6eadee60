/* SPDX-License-Identifier: Apache-2.0 */
/* The scanner of CBOR structure, against the tables of RFC 8949 and its pseudocode as an oracle. */
/* LINK: model/cborscan model/utf8 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../vectors/hex.h"
#include "../vectors/rfc8949_a.h"
#include "../vectors/rfc8949_f1.h"
#include "base/macro.h"
#include "model/cborscan.h"

#define ACCEPTED (-1)

/* The error as a number, or ACCEPTED. */
static int check_bytes(const uint8_t *bytes, size_t len)
{
	struct cborscan_fault fault = { .error = CBORSCAN_ERROR_NUM };
	int r = cborscan_check(bytes, len, &fault);

	if (r == 0) {
		assert_int_equal(fault.error, CBORSCAN_ERROR_NUM);
		return ACCEPTED;
	}
	assert_int_equal(r, -EBADMSG);
	assert_in_range(fault.error, 0, CBORSCAN_ERROR_NUM - 1);
	assert_in_range(fault.offset, 0, len);
	return (int)fault.error;
}

static int check_hex(const char *hex)
{
	size_t len;
	uint8_t *bytes = hex_bytes(hex, &len);
	int r = check_bytes(bytes, len);

	free(bytes);
	return r;
}

static void test_appendix_a(void **state)
{
	(void)state;
	assert_int_equal(ARRAY_SIZE(rfc8949_a), 81);
	for (size_t i = 0; i < ARRAY_SIZE(rfc8949_a); i++)
		if (check_hex(rfc8949_a[i]) != ACCEPTED)
			fail_msg("%s", rfc8949_a[i]);
}

/* No item is the beginning of another, so whatever is cut off is missed, and nothing else. */
static void test_appendix_a_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rfc8949_a); i++) {
		char hex[80];

		assert_true(strlen(rfc8949_a[i]) < sizeof(hex));
		strcpy(hex, rfc8949_a[i]);
		for (size_t n = strlen(hex) - 2; n > 0; n -= 2) {
			hex[n] = '\0';
			if (check_hex(hex) != CBORSCAN_TRUNCATED)
				fail_msg("%s of %s", hex, rfc8949_a[i]);
		}
	}
}

static void test_appendix_a_and_more(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rfc8949_a); i++) {
		char hex[80];

		(void)snprintf(hex, sizeof(hex), "%s00", rfc8949_a[i]);
		assert_int_equal(check_hex(hex), CBORSCAN_TRAILING_BYTES);
		(void)snprintf(hex, sizeof(hex), "%sff", rfc8949_a[i]);
		assert_int_equal(check_hex(hex), CBORSCAN_TRAILING_BYTES);
	}
}

static void test_appendix_f1(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rfc8949_f1); i++) {
		const char *hex = rfc8949_f1[i].hex;
		int error = check_hex(hex);

		/* A count that runs past the end is seen before the break that is wrong too. */
		if (error != CBORSCAN_TRUNCATED &&
			!(error == CBORSCAN_NOT_WELL_FORMED && rfc8949_f1[i].syntax))
			fail_msg("%s: %d", hex, error);
	}
}

static void test_appendix_f1_and_more(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rfc8949_f1); i++) {
		char hex[80];

		(void)snprintf(hex, sizeof(hex), "%s0000000000000000ff", rfc8949_f1[i].hex);
		if (rfc8949_f1[i].syntax && check_hex(hex) != CBORSCAN_NOT_WELL_FORMED)
			fail_msg("%s: %d", hex, check_hex(hex));
	}
}

/* clang-format off */
static const struct {
	const char *hex;
	int expect;
} limits[] = {
	{ "", CBORSCAN_TRUNCATED },
	/* Levels: arrays, maps, tags and chunked strings, each eight deep and nine deep. */
	{ "8181818181818180", ACCEPTED },
	{ "818181818181818180", CBORSCAN_TOO_DEEP },
	{ "81818181818181818100", CBORSCAN_TOO_DEEP },
	{ "818181818181818100", ACCEPTED },
	{ "9f9f9f9f9f9f9f9fffffffffffffffff", ACCEPTED },
	{ "9f9f9f9f9f9f9f9f9fffffffffffffffffff", CBORSCAN_TOO_DEEP },
	{ "c1c1c1c1c1c1c1c100", ACCEPTED },
	{ "c1c1c1c1c1c1c1c1c100", CBORSCAN_TOO_DEEP },
	{ "818181818181817fff", ACCEPTED },
	{ "81818181818181817fff", CBORSCAN_TOO_DEEP },
	{ "a100a100a100a100a100a100a100a10000", ACCEPTED },
	{ "a100a100a100a100a100a100a100a100a10000", CBORSCAN_TOO_DEEP },
	/* Levels are given back. */
	{ "8a818000818000818000818000818000", ACCEPTED },
	/* Lengths that run past the end, up to those that would wrap around. */
	{ "9a07ffffff", CBORSCAN_TRUNCATED },
	{ "9bffffffffffffffff", CBORSCAN_TRUNCATED },
	{ "bb8000000000000000", CBORSCAN_TRUNCATED },
	{ "bbffffffffffffffff0000", CBORSCAN_TRUNCATED },
	/* Two pairs need four bytes, so the break is not even looked at. */
	{ "a20000ff", CBORSCAN_TRUNCATED },
	{ "7bffffffffffffffff61", CBORSCAN_TRUNCATED },
	{ "5bfffffffffffffff700", CBORSCAN_TRUNCATED },
	{ "7f7bffffffffffffffffff", CBORSCAN_TRUNCATED },
	/* UTF-8, also per chunk. */
	{ "61ff", CBORSCAN_BAD_UTF8 },
	{ "62c3a4", ACCEPTED },
	{ "7f61c361a4ff", CBORSCAN_BAD_UTF8 },
	{ "7f62c3a460ff", ACCEPTED },
	{ "41ff", ACCEPTED },
	/* Simple values, and a break where an item has to be. */
	{ "e0", ACCEPTED },
	{ "f3", ACCEPTED },
	{ "f81f", CBORSCAN_NOT_WELL_FORMED },
	{ "f820", ACCEPTED },
	{ "c1ff", CBORSCAN_NOT_WELL_FORMED },
	{ "9fc1ff", CBORSCAN_NOT_WELL_FORMED },
	{ "bf00ff", CBORSCAN_NOT_WELL_FORMED },
	{ "bf0000ff", ACCEPTED },
	{ "bf009f0000ffff", ACCEPTED },
};
/* clang-format on */

static void test_limits(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		int error = check_hex(limits[i].hex);

		if (error != limits[i].expect)
			fail_msg("%s: %d, not %d", limits[i].hex, error, limits[i].expect);
	}
}

static void test_items(void **state)
{
	uint8_t bytes[3 + CBORSCAN_ITEMS_MAX] = { 0x99, 0x00, CBORSCAN_ITEMS_MAX - 1 };

	(void)state;
	assert_int_equal(check_bytes(bytes, sizeof(bytes) - 1), ACCEPTED);
	bytes[1] = 0x01;
	bytes[2] = 0x00;
	assert_int_equal(check_bytes(bytes, sizeof(bytes)), CBORSCAN_TOO_MANY_ITEMS);
	/* The break of an indefinite array is not counted. */
	bytes[0] = 0x9f;
	bytes[1] = 0;
	bytes[CBORSCAN_ITEMS_MAX] = 0xff;
	assert_int_equal(check_bytes(bytes, CBORSCAN_ITEMS_MAX + 1), ACCEPTED);
}

/* RFC 8949 appendix C, as it stands there: recursive, no limits but its own. Returns the initial
 * byte's major type, 99 for a break where one is allowed, -1 where it fails. */
struct oracle {
	const uint8_t *p, *end;
	bool failed;
};

static uint64_t oracle_take(struct oracle *o, unsigned n)
{
	uint64_t v = 0;

	if ((size_t)(o->end - o->p) < n) {
		o->failed = true;
		return 0;
	}
	while (n-- > 0)
		v = v << 8 | *o->p++;
	return v;
}

static int oracle_well_formed(struct oracle *o, bool breakable);

static int oracle_indefinite(struct oracle *o, int mt, bool breakable)
{
	int it;

	switch (mt) {
	case 2:
	case 3:
		while ((it = oracle_well_formed(o, true)) != 99 && !o->failed)
			if (it != mt)
				o->failed = true;
		return -2;
	case 4:
		while (oracle_well_formed(o, true) != 99 && !o->failed)
			;
		return -2;
	case 5:
		while (oracle_well_formed(o, true) != 99 && !o->failed)
			(void)oracle_well_formed(o, false);
		return -2;
	case 7:
		o->failed = o->failed || !breakable;
		return 99;
	default:
		o->failed = true;
		return -1;
	}
}

static int oracle_well_formed(struct oracle *o, bool breakable)
{
	unsigned ib = (unsigned)oracle_take(o, 1), ai = ib & 0x1f;
	int mt = (int)(ib >> 5);
	uint64_t val = ai;

	if (o->failed)
		return -1;
	if (ai >= 24 && ai <= 27)
		val = oracle_take(o, 1u << (ai - 24));
	else if (ai >= 28 && ai <= 30)
		o->failed = true;
	else if (ai == 31)
		return oracle_indefinite(o, mt, breakable);
	if (mt == 2 || mt == 3) {
		if (val > (uint64_t)(o->end - o->p))
			o->failed = true;
		else
			o->p += val;
	} else if (mt == 4 || mt == 5) {
		for (uint64_t i = 0; i < val && !o->failed; i++) {
			(void)oracle_well_formed(o, false);
			if (mt == 5)
				(void)oracle_well_formed(o, false);
		}
	} else if (mt == 6) {
		(void)oracle_well_formed(o, false);
	} else if (mt == 7 && ai == 24 && val < 32) {
		o->failed = true;
	}
	return o->failed ? -1 : mt;
}

static bool agree(const uint8_t *bytes, size_t len)
{
	struct oracle o = { .p = bytes, .end = bytes + len };
	int error = check_bytes(bytes, len);

	(void)oracle_well_formed(&o, false);
	switch (error) {
	case ACCEPTED:
		return !o.failed && o.p == o.end;
	case CBORSCAN_TRUNCATED:
	case CBORSCAN_NOT_WELL_FORMED:
		return o.failed;
	case CBORSCAN_TRAILING_BYTES:
		return !o.failed && o.p < o.end;
	default:
		/* Limits and UTF-8, which the pseudocode knows nothing of. */
		return error == CBORSCAN_BAD_UTF8 || error == CBORSCAN_TOO_DEEP;
	}
}

static void test_oracle_short(void **state)
{
	(void)state;
	for (unsigned pair = 0; pair < 0x10000; pair++) {
		/* Two free bytes, then what could close or complete them. */
		uint8_t bytes[] = { (uint8_t)(pair >> 8), (uint8_t)pair, 0xff, 0x00, 0xff };

		for (size_t len = 1; len <= sizeof(bytes); len++)
			if (!agree(bytes, len))
				fail_msg("%04x, %zu bytes", pair, len);
	}
}

/* A linear congruential generator: the run has to be the same everywhere. */
static uint8_t next_byte(uint32_t *seed)
{
	/* Heads that nest, and what ends them, come up often enough to meet each other. */
	static const uint8_t often[] = { 0x5f, 0x7f, 0x9f, 0xbf, 0xff, 0xff, 0x41, 0x61, 0x62, 0x81,
		0x82, 0xa1, 0xa2, 0xc1, 0xf8, 0x18, 0x00, 0x20, 0xd8, 0x78 };

	*seed = *seed * 1664525 + 1013904223;
	uint8_t pick = (uint8_t)(*seed >> 24);
	return pick < 200 ? often[pick % ARRAY_SIZE(often)] : (uint8_t)(*seed >> 16);
}

static void test_oracle_random(void **state)
{
	uint32_t seed = 1;

	(void)state;
	for (unsigned run = 0; run < 300000; run++) {
		uint8_t bytes[14];
		size_t len = 3 + run % (sizeof(bytes) - 2);

		for (size_t i = 0; i < len; i++)
			bytes[i] = next_byte(&seed);
		if (!agree(bytes, len))
			fail_msg("run %u, %zu bytes", run, len);
	}
}

/* clang-format off */
static const struct {
	const char *hex, *text;
	size_t len;
} texts[] = {
	{ "60", "", 0 },
	{ "6161", "a", 1 },
	{ "78026162", "ab", 2 },
	{ "7b00000000000000026162", "ab", 2 },
	{ "7fff", "", 0 },
	{ "7f60616160626263ff", "abc", 3 },
	{ "6568656c6c6f", "hello", 5 },
	/* No text, or none that is whole: nothing, and nothing read past the end. */
	{ "", "", 0 },
	{ "416161", "", 0 },
	{ "626161", "aa", 2 },
	{ "6261", "", 0 },
	{ "7f", "", 0 },
	{ "7f6161", "a", 1 },
	{ "7f6161416262ff", "a", 1 },
	{ "7f7f6161ffff", "", 0 },
};
/* clang-format on */

static void test_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		char dst[8] = "#######";
		size_t len;
		uint8_t *bytes = hex_bytes(texts[i].hex, &len);
		size_t n = cborscan_text(bytes, len, 0, dst, 3);

		if (n != texts[i].len || memcmp(dst, texts[i].text, MIN(n, (size_t)3)) != 0 ||
			dst[MIN(n, (size_t)3)] != '#')
			fail_msg("%s: \"%.7s\" of %zu", texts[i].hex, dst, n);
		free(bytes);
	}
}

/* n: pairs given before the end or the error. */
/* clang-format off */
static const struct {
	const char *hex;
	int n, error;
} maps[] = {
	{ "a0", 0, ACCEPTED },
	{ "bfff", 0, ACCEPTED },
	{ "a2616100616200", 2, ACCEPTED },
	{ "bf616181006162f6ff", 2, ACCEPTED },
	{ "a2616100616100", 1, CBORSCAN_DUPLICATE_KEY },
	{ "a26161007f6161ff00", 1, CBORSCAN_DUPLICATE_KEY },
	{ "a261610078016100", 1, CBORSCAN_DUPLICATE_KEY },
	{ "a260007fff00", 1, CBORSCAN_DUPLICATE_KEY },
	{ "a2626162007f61616163ff00", 2, ACCEPTED },
	{ "a261610062616100", 2, ACCEPTED },
	{ "a20000616100", 0, CBORSCAN_KEY_NOT_TEXT },
	{ "a2616100416100", 1, CBORSCAN_KEY_NOT_TEXT },
	{ "a16161ff", 0, CBORSCAN_NOT_WELL_FORMED },
	{ "bf6161", 0, CBORSCAN_TRUNCATED },
	{ "bf616100", 1, CBORSCAN_TRUNCATED },
	{ "a1ff", 0, CBORSCAN_KEY_NOT_TEXT },
};
/* clang-format on */

static void walk_map(const char *hex, int n, int error)
{
	struct cborscan_map map;
	struct cborscan_fault fault;
	size_t len, key, value, last = 0;
	uint8_t *bytes = hex_bytes(hex, &len);
	int pairs = 0, r;

	assert_int_equal(cborscan_map_open(&map, bytes, len, 0), 0);
	while ((r = cborscan_map_next(&map, &key, &value, &fault)) > 0) {
		assert_true(key > last && value > key && value < len);
		assert_int_equal(cborscan_major(bytes, len, key), CBORSCAN_TEXT);
		last = value;
		pairs++;
	}
	if (pairs != n || (r < 0 ? (int)fault.error : ACCEPTED) != error)
		fail_msg("%s: %d pairs, error %d", hex, pairs, r < 0 ? (int)fault.error : r);
	free(bytes);
}

static void test_map(void **state)
{
	struct cborscan_map map;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(maps); i++)
		walk_map(maps[i].hex, maps[i].n, maps[i].error);
	assert_int_equal(cborscan_map_open(&map, (const uint8_t *)"\x80", 1, 0), -EINVAL);
	assert_int_equal(cborscan_map_open(&map, (const uint8_t *)"\xb8", 1, 0), -EINVAL);
	assert_int_equal(cborscan_map_open(&map, (const uint8_t *)"", 0, 0), -EINVAL);
	assert_int_equal(cborscan_major((const uint8_t *)"", 0, 0), CBORSCAN_MAJOR_NUM);
}

/* A map of more keys than the walk remembers, which cborscan_check() would have refused. */
static void test_map_of_many_keys(void **state)
{
	uint8_t bytes[1 + 4 * 200 + 1] = { 0xbf };
	struct cborscan_map map;
	struct cborscan_fault fault;
	size_t key, value;
	int pairs = 0, r;

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		uint8_t pair[] = { 0x62, (uint8_t)('a' + i / 20), (uint8_t)('a' + i % 20), 0x00 };

		memcpy(bytes + 1 + i * sizeof(pair), pair, sizeof(pair));
	}
	bytes[sizeof(bytes) - 1] = 0xff;
	assert_int_equal(cborscan_map_open(&map, bytes, sizeof(bytes), 0), 0);
	while ((r = cborscan_map_next(&map, &key, &value, &fault)) > 0)
		pairs++;
	assert_int_equal(r, -EBADMSG);
	assert_int_equal(fault.error, CBORSCAN_TOO_MANY_ITEMS);
	assert_int_equal(pairs, ARRAY_SIZE(map.keys));
}

static void test_fault_numbers(void **state)
{
	struct cborscan_fault fault;

	(void)state;
	assert_int_equal(cborscan_check((const uint8_t *)"\x82\x01\x63zz", 5, &fault), -EBADMSG);
	assert_int_equal(fault.offset, 2);
	assert_int_equal(fault.wanted, 3);
	assert_int_equal(fault.left, 2);
	assert_int_equal(cborscan_check((const uint8_t *)"\x01\x02\x03", 3, &fault), -EBADMSG);
	assert_int_equal(fault.offset, 1);
	assert_int_equal(fault.left, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_appendix_a),
		cmocka_unit_test(test_appendix_a_cut),
		cmocka_unit_test(test_appendix_a_and_more),
		cmocka_unit_test(test_appendix_f1),
		cmocka_unit_test(test_appendix_f1_and_more),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_items),
		cmocka_unit_test(test_oracle_short),
		cmocka_unit_test(test_oracle_random),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_map),
		cmocka_unit_test(test_map_of_many_keys),
		cmocka_unit_test(test_fault_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
