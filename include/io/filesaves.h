/* SPDX-License-Identifier: Apache-2.0 */
/* io/saves on files: STATE/private/GUEST/saved.json, by one worker queue of its own. */
#ifndef MEDIAKIT_IO_FILESAVES_H
#define MEDIAKIT_IO_FILESAVES_H

#include "io/saves.h"
#include "io/worker.h"

/* A few small files and two syncs, on a disk that has just taken gigabytes. */
#define FILESAVES_TIMEOUT (60 * USEC_PER_SEC)

/* 0 or -errno. The pool must outlive it. */
int filesaves_new(struct worker_pool *pool, const char *state_dir, struct saves **ret);

/* What the worker does; all may block. */
void ticket_keep(const char *state_dir, const char *guest, const struct save_made *made,
	struct save_news *ret);
void ticket_take(const char *state_dir, const char *guest, struct save_news *ret);
/* One that nobody believes in: gone, where it can be. */
void ticket_drop(const char *state_dir, const char *guest);

#endif
