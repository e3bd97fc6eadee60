/* SPDX-License-Identifier: Apache-2.0 */
/* How much more a file could grow. */
#ifndef MEDIAKIT_IO_ROOM_H
#define MEDIAKIT_IO_ROOM_H

#include <stdint.h>

/* Free space of the file system that `path` lies on, without what is kept for root. 0 or -errno.
 * Says nothing of quotas, and of a thin volume below it. */
int room_free(const char *path, uint64_t *ret_free_kib);

#endif
