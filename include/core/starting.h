/* SPDX-License-Identifier: Apache-2.0 */
/* What must hold before QEMU is asked to run, and the asking. */
#ifndef MEDIAKIT_CORE_STARTING_H
#define MEDIAKIT_CORE_STARTING_H

#include "core/guest.h"
#include "model/reason.h"

/* Is there a disk, does nobody else work on it, are the ports free? 0 with the guest's lock held,
 * or -errno with what is wrong and what to do: -ENOENT not provisioned, -EBUSY being provisioned,
 * -EADDRINUSE. */
int starting_preflight(struct guest *g, struct reason *reason);
/* Builds the domain and asks for it. 0: NEWS_START will come. */
int starting_submit(struct guest *g, struct reason *reason);
/* A daemon that dies, or a libvirtd, between the creation of QEMU and its first instruction leaves
 * it paused, and nobody else would ever resume it. True where the facts say so and it is being
 * resumed: a read follows. A guest that was seen to run, or that is not wanted up, is let be. */
bool starting_resume(struct guest *g);
/* Somebody paused it, or a start that was cut short did: resuming it harms nobody. Not so where
 * QEMU paused it itself, for want of space, say. */
bool starting_resumable(const struct guest *g);
/* Such a thing is possible from here on. */
void starting_may_be_cut_short(struct guest *g);
/* The lock that keeps provisioning away while QEMU may run; best effort where it was adopted. */
void starting_hold_lock(struct guest *g);
void starting_release_lock(struct guest *g); /* at once, or when its ticket is back in its place */

#endif
