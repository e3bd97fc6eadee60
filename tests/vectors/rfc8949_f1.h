/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 8949 appendix F.1: bytes that are not well-formed, under the headings it gives them. */
#ifndef MEDIAKIT_TESTS_RFC8949_F1_H
#define MEDIAKIT_TESTS_RFC8949_F1_H

#include <stdbool.h>

/* `syntax` marks kind 3: wrong whatever follows. The others end too early, so bytes after them may
 * complete them. */
/* clang-format off */
static const struct {
	bool syntax;
	const char *hex;
} rfc8949_f1[] = {
	/* End of input in a head */
	{ false, "18" }, { false, "19" }, { false, "1a" }, { false, "1b" },
	{ false, "1901" }, { false, "1a0102" }, { false, "1b01020304050607" },
	{ false, "38" }, { false, "58" }, { false, "78" }, { false, "98" },
	{ false, "9a01ff00" }, { false, "b8" }, { false, "d8" }, { false, "f8" },
	{ false, "f900" }, { false, "fa0000" }, { false, "fb000000" },
	/* Definite-length strings with short data */
	{ false, "41" }, { false, "61" }, { false, "5affffffff00" },
	{ false, "5bffffffffffffffff010203" }, { false, "7affffffff00" },
	{ false, "7b7fffffffffffffff010203" },
	/* Definite-length maps and arrays not closed with enough items */
	{ false, "81" }, { false, "818181818181818181" }, { false, "8200" }, { false, "a1" },
	{ false, "a20102" }, { false, "a100" }, { false, "a2000000" },
	/* Tag number not followed by tag content */
	{ false, "c0" },
	/* Indefinite-length strings not closed by a break */
	{ false, "5f4100" }, { false, "7f6100" },
	/* Indefinite-length maps and arrays not closed by a break */
	{ false, "9f" }, { false, "9f0102" }, { false, "bf" }, { false, "bf01020102" },
	{ false, "819f" }, { false, "9f8000" }, { false, "9f9f9f9f9fffffffff" },
	{ false, "9f819f819f9fffffff" },
	/* Subkind 1: reserved additional information values */
	{ true, "1c" }, { true, "1d" }, { true, "1e" }, { true, "3c" }, { true, "3d" },
	{ true, "3e" }, { true, "5c" }, { true, "5d" }, { true, "5e" }, { true, "7c" },
	{ true, "7d" }, { true, "7e" }, { true, "9c" }, { true, "9d" }, { true, "9e" },
	{ true, "bc" }, { true, "bd" }, { true, "be" }, { true, "dc" }, { true, "dd" },
	{ true, "de" }, { true, "fc" }, { true, "fd" }, { true, "fe" },
	/* Subkind 2: reserved two-byte encodings of simple values */
	{ true, "f800" }, { true, "f801" }, { true, "f818" }, { true, "f81f" },
	/* Subkind 3: string chunks not of the correct type */
	{ true, "5f00ff" }, { true, "5f21ff" }, { true, "5f6100ff" }, { true, "5f80ff" },
	{ true, "5fa0ff" }, { true, "5fc000ff" }, { true, "5fe0ff" }, { true, "7f4100ff" },
	/* Subkind 3: string chunks not definite length */
	{ true, "5f5f4100ffff" }, { true, "7f7f6100ffff" },
	/* Subkind 4: break on its own */
	{ true, "ff" },
	/* Subkind 4: break in a definite-length array, map or a tag */
	{ true, "81ff" }, { true, "8200ff" }, { true, "a1ff" }, { true, "a1ff00" },
	{ true, "a100ff" }, { true, "a20000ff" }, { true, "9f81ff" },
	{ true, "9f829f819f9fffffffff" },
	/* Subkind 4: break in a value position */
	{ true, "bf00ff" }, { true, "bf000000ff" },
	/* Subkind 5: major type 0, 1, 6 with additional information 31 */
	{ true, "1f" }, { true, "3f" }, { true, "df" },
};
/* clang-format on */

#endif
