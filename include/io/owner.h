/* SPDX-License-Identifier: Apache-2.0 */
/* Whose the state directory is. The daemon runs as a user of its own; a command run as root must
 * leave nothing there that this user cannot read. */
#ifndef MEDIAKIT_IO_OWNER_H
#define MEDIAKIT_IO_OWNER_H

#include "model/reason.h"

#include <sys/types.h>

/* All do nothing but where the caller is root and the owner of `state_dir` is not. 0 or -errno,
 * with the reason. */

/* Gives `dir`, and the files in it that are root's, to the owner: root made them just now, or
 * libvirt gave them back to root when it no longer knew whose they were. What is another user's,
 * such as the disk of a guest that runs, stays so; nothing below is entered or followed. */
int owner_give(const char *state_dir, const char *dir, struct reason *reason);

/* Who the owner is. 1 and *ret_uid, *ret_gid; 0 where there is nothing to do, as above. */
int owner_find(
	const char *state_dir, uid_t *ret_uid, gid_t *ret_gid, struct reason *reason);

/* Becomes the owner, for good and with that user's groups. */
int owner_become(const char *state_dir, struct reason *reason);

#endif
