/* SPDX-License-Identifier: Apache-2.0 */
/* What a copy of a guest's disk is called, and how consistent it is. */
#ifndef MEDIAKIT_MODEL_SNAPSHOT_H
#define MEDIAKIT_MODEL_SNAPSHOT_H

#include "base/nametable.h"
#include "base/time.h"

enum snapshot_consistency {
	SNAPSHOT_CRASH,  /* as after a power cut */
	SNAPSHOT_FROZEN, /* its agent had its file systems frozen: its own word */
	SNAPSHOT_CONSISTENCY_NUM,
};
NAME_TABLE_DECLARE(snapshot_consistency, enum snapshot_consistency); /* crash frozen */

/* How far the making of one is.
 *
 * unknown:   what a former daemon left has not been looked at. Left by the answer.
 * none:      nothing is under way.
 * preparing: the disk's size is asked for, then an empty image is made.
 * freezing:  the guest's file systems are being frozen, if it can, and QEMU is told to begin.
 * copying:   QEMU copies. The guest is thawed, or about to be.
 * checking:  QEMU is done; the file is synced, checked, hashed and named. The guest's end does not
 *            matter any more.
 * ending:    it failed, was cancelled, or is a former daemon's: QEMU is told to end it until it
 *            has, and the file goes. */
enum snapshot_phase {
	SNAPSHOT_UNKNOWN,
	SNAPSHOT_NONE,
	SNAPSHOT_PREPARING,
	SNAPSHOT_FREEZING,
	SNAPSHOT_COPYING,
	SNAPSHOT_CHECKING,
	SNAPSHOT_ENDING,
	SNAPSHOT_PHASE_NUM,
};
NAME_TABLE_DECLARE(snapshot_phase, enum snapshot_phase);

/* "20261129T075501Z": an id, which is a time in whole seconds of CLOCK_REALTIME. Returns buf. */
#define SNAPSHOT_NAME_TEXT 24u
#define SNAPSHOT_NAME_LEN  16u
char *snapshot_name(usec_t id, char buf[static SNAPSHOT_NAME_TEXT]);
/* The reverse: 0, or -EINVAL. */
int snapshot_name_parse(const char *name, usec_t *ret);

#endif
