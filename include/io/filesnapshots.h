/* SPDX-License-Identifier: Apache-2.0 */
/* io/snapshots on files, by one worker queue of its own: two guests' copies are not checked at the
 * same time. */
#ifndef MEDIAKIT_IO_FILESNAPSHOTS_H
#define MEDIAKIT_IO_FILESNAPSHOTS_H

#include "io/snapshots.h"
#include "io/worker.h"

/* Small files and syncs, on a disk that has just taken gigabytes. */
#define FILESNAPSHOTS_TIMEOUT (2 * USEC_PER_MINUTE)
/* Reads all of a copy twice, at 20 MB/s 20 GiB take 35 minutes. */
#define FILESNAPSHOTS_FINISH_TIMEOUT (60 * USEC_PER_MINUTE)

/* 0 or -errno. The pool must outlive it. */
int filesnapshots_new(struct worker_pool *pool, const char *state_dir, struct snapshots **ret);

#endif
