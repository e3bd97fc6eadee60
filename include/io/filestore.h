/* SPDX-License-Identifier: Apache-2.0 */
/* io/store on files: STATE/private/GUEST/state.json, console.log and events.jsonl, written by one
 * worker queue of its own. */
#ifndef MEDIAKIT_IO_FILESTORE_H
#define MEDIAKIT_IO_FILESTORE_H

#include "base/time.h"
#include "io/store.h"
#include "io/worker.h"

/* Console bytes of one guest that wait for the disk. What comes beyond is dropped, and a line in
 * the log says how many bytes went missing. */
#define FILESTORE_CONSOLE_WAITING (256u * 1024u)

/* Likewise lines of events. */
#define FILESTORE_EVENTS_WAITING (64u * 1024u)

/* A write that takes longer is told by trouble(); it goes on, and nothing else is written
 * meanwhile. */
#define FILESTORE_WRITE_TIMEOUT (30 * USEC_PER_SEC)

/* destroy() waits this long for what is still to be written, then gives it up. The one call here
 * that blocks. */
#define FILESTORE_FLUSH_TIMEOUT (2 * USEC_PER_SEC)

/* 0 or -errno. The pool must outlive the store. Nothing is made on disk before the first write,
 * which makes the guest's private directory (0700) where it is missing. load() refuses, beside what
 * io/store says: -ELOOP a symbolic link, -EPERM a file that is another user's, -EINVAL no regular
 * file or an impossible guest's name, -EFBIG over STORE_TEXT_MAX. A text that could not be written
 * waits, and is tried again with the next save() or console() of any guest; while there is
 * trouble() core/life saves now and then. */
int filestore_new(struct worker_pool *pool, const char *state_dir, struct store **ret);

/* Nothing is on its way to the disk: all is written, or waits because it failed. */
bool filestore_idle(const struct store *store);

#endif
