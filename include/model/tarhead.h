/* SPDX-License-Identifier: Apache-2.0 */
/* Headers of a tar archive: regular files only (POSIX.1-2017, ustar). */
#ifndef MEDIAKIT_MODEL_TARHEAD_H
#define MEDIAKIT_MODEL_TARHEAD_H

#include <stdbool.h>
#include <stdint.h>

#define TAR_BLOCK    512u
#define TAR_SIZE_MAX ((UINT64_C(1) << 33) - 1) /* eleven octal digits */
#define TAR_PATH_MAX 255u                      /* and no part of it over 99 bytes */

/* A file's header. `mtime` in seconds. 0; -ENAMETOOLONG; -EFBIG. */
int tar_header(const char *path, uint64_t size, uint64_t mtime, bool executable,
	unsigned char ret[static TAR_BLOCK]);

#endif
