/* SPDX-License-Identifier: Apache-2.0 */
/* Copies a large file as cheaply as the file system allows: shared extents, else a copy in the
 * kernel, holes kept. */
#ifndef MEDIAKIT_IO_COPY_H
#define MEDIAKIT_IO_COPY_H

#include "io/tick.h"

#include <sys/types.h>

/* Copies the file behind src_fd to `path`, which must not exist, with `mode`, and syncs it. The
 * copy has the size the source had at the call; a source that shrinks meanwhile is -ESTALE. On
 * failure nothing is left at `path`. 0, -errno, or what the tick returned. */
int copy_file(int src_fd, const char *path, mode_t mode, const struct tick *tick);

#endif
