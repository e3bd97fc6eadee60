/* SPDX-License-Identifier: Apache-2.0 */
/* Copies of guests' disks as files, STATE/images/GUEST/snapshots/TIME.*. All of it may block. */
#ifndef MEDIAKIT_IO_SNAPSHOTFILE_H
#define MEDIAKIT_IO_SNAPSHOTFILE_H

#include "io/snapshots.h"

/* Does what is ordered; *ret is written in every case. */
void snapshot_carry_out(const char *state_dir, const struct snapshot_order *order,
	struct snapshot_news *ret);

/* The record beside an image: 0; -ENOENT: there is none; -EBADMSG: it is none of ours; -errno. */
int snapshot_record_read(const char *path, struct snapshot_info *ret);
int snapshot_record_write(const char *path, const struct snapshot_info *info);

#endif
