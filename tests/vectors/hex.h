/* SPDX-License-Identifier: Apache-2.0 */
/* Test vectors are written in hex. */
#ifndef MEDIAKIT_TESTS_HEX_H
#define MEDIAKIT_TESTS_HEX_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static inline unsigned hex_digit(char c)
{
	return c <= '9' ? (unsigned)(c - '0') : (unsigned)(c - 'a' + 10);
}

/* The caller frees the result. It has exactly the size of the bytes, so that a memory checker sees
 * the first read past them. Lower-case digits only, an even number of them. */
static inline uint8_t *hex_bytes(const char *hex, size_t *ret_len)
{
	size_t len = strlen(hex) / 2;
	uint8_t *bytes = malloc(len > 0 ? len : 1);

	for (size_t i = 0; bytes && i < len; i++)
		bytes[i] = (uint8_t)(hex_digit(hex[2 * i]) << 4 | hex_digit(hex[2 * i + 1]));
	*ret_len = len;
	return bytes;
}

#endif
