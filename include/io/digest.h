/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256, of buffers and of whole files, as lowercase hex. */
#ifndef MEDIAKIT_IO_DIGEST_H
#define MEDIAKIT_IO_DIGEST_H

#include "io/tick.h"

#include <stddef.h>

#define DIGEST_TEXT 65u /* 64 digits and the NUL */

struct digest_part {
	const void *data;
	size_t len;
};

/* One digest over several buffers. Each is preceded by its length (64 bit, big endian), so that
 * moving a byte from one to the next changes the result; it is therefore not the digest of their
 * concatenation. */
void digest_parts(const struct digest_part *parts, size_t n, char ret[static DIGEST_TEXT]);

void digest_buffer(const void *data, size_t len, char ret[static DIGEST_TEXT]);

/* Reads the file from its beginning to its end. 0, -errno, or what the tick returned. */
int digest_file(const char *path, const struct tick *tick, char ret[static DIGEST_TEXT]);

#endif
