/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8: what is valid, what may be printed, and that escaping is bounded and always printable. */
/* LINK: model/utf8 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/macro.h"
#include "model/utf8.h"

enum { INVALID, VALID, PRINTABLE };

/* A literal with its length, since some hold NUL. */
#define S(s) s, sizeof(s) - 1

/* clang-format off */
static const struct {
	const char *text;
	size_t len;
	int expect;
} rows[] = {
	{ S(""), PRINTABLE },
	{ S("plain ~"), PRINTABLE },
	{ S("\xc3\xa4\xe6\xb0\xb4\xf0\x90\x85\x91"), PRINTABLE },
	{ S("\xd7\xa9\xd7\x9c"), PRINTABLE }, /* right to left by itself is fine */
	{ S("\xc2\xa0"), PRINTABLE }, /* the first after C1 */
	{ S("\xed\x9f\xbf\xee\x80\x80"), PRINTABLE }, /* around the surrogates */
	{ S("\xf4\x8f\xbf\xbf"), PRINTABLE }, /* U+10FFFF */
	{ S("\xe2\x80\xa7\xe2\x80\xaf"), PRINTABLE }, /* U+2027, U+202F: around the separators */
	{ S("\xe2\x81\xa5\xe2\x81\xaa"), PRINTABLE }, /* U+2065, U+206A: around the isolates */
	{ S("a\0b"), VALID },
	{ S("\n"), VALID },
	{ S("\x1b[2J"), VALID },
	{ S("\x1f"), VALID },
	{ S("\x7f"), VALID },
	{ S("\xc2\x80"), VALID },
	{ S("\xc2\x9f"), VALID },
	{ S("\xe2\x80\xa8"), VALID }, /* U+2028 */
	{ S("\xe2\x80\xa9"), VALID },
	{ S("\xe2\x80\xaa"), VALID }, /* U+202A to U+202E */
	{ S("\xe2\x80\xae"), VALID },
	{ S("\xe2\x81\xa6"), VALID }, /* U+2066 to U+2069 */
	{ S("\xe2\x81\xa9"), VALID },
	{ S("\x80"), INVALID },
	{ S("\xbf"), INVALID },
	{ S("a\xc3"), INVALID },
	{ S("\xc3("), INVALID },
	{ S("\xe6\xb0"), INVALID },
	{ S("\xf0\x90\x85"), INVALID },
	{ S("\xc0\x80"), INVALID }, /* overlong NUL, slash, and the largest of each length */
	{ S("\xc1\xbf"), INVALID },
	{ S("\xe0\x9f\xbf"), INVALID },
	{ S("\xf0\x8f\xbf\xbf"), INVALID },
	{ S("\xed\xa0\x80"), INVALID }, /* the surrogates */
	{ S("\xed\xbf\xbf"), INVALID },
	{ S("\xf4\x90\x80\x80"), INVALID }, /* U+110000 */
	{ S("\xf8\x88\x80\x80\x80"), INVALID },
	{ S("\xfe"), INVALID },
	{ S("\xff"), INVALID },
};
/* clang-format on */

static void test_classes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bool valid = utf8_valid(rows[i].text, rows[i].len);
		bool printable = utf8_printable(rows[i].text, rows[i].len);

		if (valid != (rows[i].expect >= VALID) ||
			printable != (rows[i].expect == PRINTABLE))
			fail_msg("row %zu: valid %d, printable %d", i, valid, printable);
	}
}

static void test_stays_inside(void **state)
{
	(void)state;
	/* The sequence would be complete with the byte after the end. */
	assert_false(utf8_valid("\xc3\xa4", 1));
	assert_true(utf8_valid("a\xff", 1));
}

/* clang-format off */
static const struct {
	const char *text;
	size_t len, size;
	const char *expect;
} escapes[] = {
	{ S("plain"), 80, "plain" },
	{ S(""), 80, "" },
	{ S("\xc3\xa4"), 80, "\xc3\xa4" },
	{ S("a\nb"), 80, "a\\x0ab" },
	{ S("a\0b"), 80, "a\\x00b" },
	{ S("\\x0a"), 80, "\\\\x0a" },
	{ S("\x1b[31m"), 80, "\\x1b[31m" },
	{ S("\xc2\x9b"), 80, "\\xc2\\x9b" },
	{ S("\xe2\x80\xae"), 80, "\\xe2\\x80\\xae" },
	{ S("\xff\xc3\xa4\xe6\xb0"), 80, "\\xff\xc3\xa4\\xe6\\xb0" },
	{ S("\xed\xa0\x80"), 80, "\\xed\\xa0\\x80" },
	/* Exactly full, one less, and down to nothing. */
	{ S("12345"), 6, "12345" },
	{ S("12345"), 5, "1\xe2\x80\xa6" },
	{ S("12345"), 4, "\xe2\x80\xa6" },
	{ S("12345"), 3, "12" },
	{ S("12345"), 2, "1" },
	{ S("12345"), 1, "" },
	/* Neither a character nor an escape is cut. */
	{ S("12\xc3\xa4\xc3\xa4"), 6, "12\xe2\x80\xa6" },
	{ S("1\n\n"), 9, "1\\x0a\xe2\x80\xa6" },
	{ S("1\n\n"), 8, "1\xe2\x80\xa6" },
	{ S("\n"), 5, "\\x0a" },
	{ S("\n"), 4, "\xe2\x80\xa6" },
	{ S("\n"), 3, "" },
};
/* clang-format on */

static void test_escape(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(escapes); i++) {
		char dst[80];
		size_t n;

		memset(dst, '#', sizeof(dst));
		n = utf8_escape(dst, escapes[i].size, escapes[i].text, escapes[i].len);
		if (strcmp(dst, escapes[i].expect) != 0 || n != strlen(dst))
			fail_msg("row %zu: \"%s\" of %zu bytes", i, dst, n);
		if (escapes[i].size < sizeof(dst))
			assert_int_equal(dst[escapes[i].size], '#');
	}
}

static void test_escape_nothing(void **state)
{
	char dst = '#';

	(void)state;
	assert_int_equal(utf8_escape(&dst, 0, "abc", 3), 0);
	assert_int_equal(dst, '#');
}

/* Every pair of bytes, in every size of buffer: printable, terminated, inside. */
static void test_escape_always_printable(void **state)
{
	char dst[16];

	(void)state;
	for (unsigned pair = 0; pair < 0x10000; pair++) {
		char src[4] = { (char)(pair >> 8), (char)pair, (char)0xbf, 'z' };

		for (size_t size = 1; size < sizeof(dst); size++) {
			dst[size] = '#';
			size_t n = utf8_escape(dst, size, src, sizeof(src));

			if (n >= size || dst[n] != '\0' || dst[size] != '#' || strlen(dst) != n ||
				!utf8_printable(dst, n))
				fail_msg("%04x in %zu bytes", pair, size);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_classes),
		cmocka_unit_test(test_stays_inside),
		cmocka_unit_test(test_escape),
		cmocka_unit_test(test_escape_nothing),
		cmocka_unit_test(test_escape_always_printable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
