/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 of untrusted origin: one strict decoder, and the checks and the escaping built on it. */
#include <stdint.h>
#include <string.h>

#include "base/macro.h"
#include "model/utf8.h"

/* Four bytes of one character, each as \xNN. */
#define ESCAPE_MAX 16u

static const char ellipsis[] = "\xe2\x80\xa6";
#define ELLIPSIS_LENGTH (sizeof(ellipsis) - 1)

/* One row per length of a sequence. `smallest` is what rules out overlong forms. */
/* clang-format off */
static const struct sequence {
	uint8_t mask, lead;
	uint32_t smallest;
} sequences[] = {
	{ 0x80, 0x00, 0x0 },
	{ 0xe0, 0xc0, 0x80 },
	{ 0xf0, 0xe0, 0x800 },
	{ 0xf8, 0xf0, 0x10000 },
};
/* clang-format on */

/* Returns how many bytes the first character takes, 0 where they are no character. */
static size_t decode_one(const char *s, size_t len, uint32_t *ret)
{
	const uint8_t *bytes = (const uint8_t *)s;
	size_t extra = 0;

	if (len == 0)
		return 0;
	while (extra < ARRAY_SIZE(sequences) &&
		(bytes[0] & sequences[extra].mask) != sequences[extra].lead)
		extra++;
	if (extra == ARRAY_SIZE(sequences) || extra >= len)
		return 0;

	uint32_t c = bytes[0] & (uint8_t)~sequences[extra].mask;
	for (size_t i = 1; i <= extra; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (bytes[i] & 0x3f);
	}
	if (c < sequences[extra].smallest || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*ret = c;
	return extra + 1;
}

/* What moves the cursor, ends the line or reorders what was printed before. */
static bool is_steering(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x2028 || c == 0x2029 ||
	       (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

bool utf8_valid(const char *s, size_t len)
{
	uint32_t c;
	size_t n;

	for (size_t i = 0; i < len; i += n) {
		n = decode_one(s + i, len - i, &c);
		if (n == 0)
			return false;
	}
	return true;
}

bool utf8_printable(const char *s, size_t len)
{
	uint32_t c;
	size_t n;

	for (size_t i = 0; i < len; i += n) {
		n = decode_one(s + i, len - i, &c);
		if (n == 0 || is_steering(c))
			return false;
	}
	return true;
}

static size_t write_hex(char *dst, const char *src, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	char *p = dst;

	for (size_t i = 0; i < len; i++) {
		uint8_t byte = (uint8_t)src[i];

		*p++ = '\\';
		*p++ = 'x';
		*p++ = digits[byte >> 4];
		*p++ = digits[byte & 0xf];
	}
	return (size_t)(p - dst);
}

/* Writes the printable form of the first character into dst, which holds ESCAPE_MAX bytes. Returns
 * its length; *ret_used is what it took from src, at least one byte. */
static size_t write_one(char *dst, const char *src, size_t len, size_t *ret_used)
{
	uint32_t c;
	size_t n = decode_one(src, len, &c);

	/* A broken sequence is left byte by byte, so that the next valid character is found again.
	 */
	*ret_used = n ? n : 1;
	if (n == 0 || is_steering(c))
		return write_hex(dst, src, *ret_used);
	if (c == '\\') {
		dst[0] = dst[1] = '\\';
		return 2;
	}
	memcpy(dst, src, n);
	return n;
}

size_t utf8_escape(char *dst, size_t size, const char *src, size_t len)
{
	/* `mark` is the last place between two characters where the ellipsis and the NUL still fit.
	 */
	size_t out = 0, mark = 0, used;

	if (size == 0)
		return 0;
	for (size_t i = 0; i < len; i += used) {
		char one[ESCAPE_MAX];
		size_t n = write_one(one, src + i, len - i, &used);

		if (n >= size - out) {
			if (size > ELLIPSIS_LENGTH) {
				memcpy(dst + mark, ellipsis, ELLIPSIS_LENGTH);
				out = mark + ELLIPSIS_LENGTH;
			}
			break;
		}
		memcpy(dst + out, one, n);
		out += n;
		if (size - out > ELLIPSIS_LENGTH)
			mark = out;
	}
	dst[out] = '\0';
	return out;
}
