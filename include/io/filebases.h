/* SPDX-License-Identifier: Apache-2.0 */
/* io/bases on files: provision.json and the base, read by one worker queue of its own. */
#ifndef MEDIAKIT_IO_FILEBASES_H
#define MEDIAKIT_IO_FILEBASES_H

#include "io/bases.h"
#include "io/worker.h"

/* 2 GiB at 10 MB/s take 200 s. */
#define FILEBASES_TIMEOUT (300 * USEC_PER_SEC)

/* 0 or -errno. The pool must outlive it. */
int filebases_new(struct worker_pool *pool, const char *state_dir, struct bases **ret);

#endif
