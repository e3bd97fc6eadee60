/* SPDX-License-Identifier: Apache-2.0 */
/* Is a guest's base still the file whose digest was recorded? It is read whole only where its
 * inode, size or time changed since. */
#ifndef MEDIAKIT_IO_BASECHECK_H
#define MEDIAKIT_IO_BASECHECK_H

#include "io/record.h"
#include "model/reason.h"

#include <sys/stat.h>

/* Does the record's last digest hold for a file that looks so? */
bool basecheck_unchanged(const struct record *record, const struct stat *st);
/* It was hashed, and is what the record says. */
void basecheck_hashed(struct record *record, const struct stat *st);

/* Reads the guest's record into *ret, and holds its base against it, unless the disk stands alone:
 * whatever became of the base is then no matter to it. The guest's lock must be held where a record
 * that was brought up to date is to be kept. Blocks, for as long as reading the base takes.
 *
 * 0: nothing changed, or it has no record or no base (*ret is then empty, or says so), or needs
 * none; 1: it was hashed, and is the same; -EBADMSG: another content; -ENOENT: it is missing;
 * -errno, or what the tick returned. With the reason; *ret is written in every case. */
int basecheck_guest(const char *state_dir, const char *guest, const struct tick *tick,
	struct record *ret, struct reason *reason);

#endif
