/* SPDX-License-Identifier: Apache-2.0 */
/* When a guest that QEMU paused, because its disk's file could not be written, is let run again.
 *
 * Theory of operation: the write that failed is kept in QEMU and done again by the resume, so
 * nothing is lost by waiting, and nothing is gained by resuming while the file system is full: the
 * guest would stand still again at once. So room is looked for, every DISKPAUSE_LOOK_EVERY and for
 * ever, because nobody is awake; what bounds the resumes is that each needs room to be seen. Where
 * there is room and the guest does not stay up all the same (a quota, a thin volume, a device that
 * fails), each further attempt waits twice as long, up to DISKPAUSE_WAIT_MAX: six an hour at the
 * most. Rejected: giving up after some attempts, since a guest that stands still costs nothing and
 * one that is cut off has lost its write; resuming at the first free block, because a guest that
 * stutters is worse than one that stands still. */
#ifndef MEDIAKIT_POLICY_DISKPAUSE_H
#define MEDIAKIT_POLICY_DISKPAUSE_H

#include "base/nametable.h"
#include "base/time.h"

#include <stdbool.h>
#include <stdint.h>

#define DISKPAUSE_LOOK_EVERY (10 * USEC_PER_SEC)
#define DISKPAUSE_WAIT_MAX   (10 * USEC_PER_MINUTE)
/* It ran for so long after a resume: that one was good. */
#define DISKPAUSE_GOOD (10 * USEC_PER_MINUTE)
/* A thousand of qcow2's clusters of 64 KiB. */
#define DISKPAUSE_ROOM_KIB (64u * 1024u)

enum diskpause_step {
	DISKPAUSE_NONE,   /* it is not paused by its disk */
	DISKPAUSE_FULL,   /* there is too little room: look again at *ret_at */
	DISKPAUSE_WAIT,   /* there is room, or it does not matter: wait until *ret_at */
	DISKPAUSE_RESUME, /* now; it counts as an attempt */
	DISKPAUSE_STEP_NUM,
};
NAME_TABLE_DECLARE(diskpause_step, enum diskpause_step);

struct diskpause {
	usec_t since;      /* of this pause; 0: it is not paused */
	usec_t resumed_at; /* the last attempt; holds while tries > 0 */
	unsigned tries;    /* attempts since the file system was last seen full, or one was good */
};

struct diskpause_sight {
	bool paused; /* by QEMU, because of a disk */
	bool full;   /* QEMU says ENOSPC; otherwise it is another error */
	bool room_known;
	uint64_t free_kib; /* where the disk's file lies; holds where room_known */
};

/* *ret_at: when to ask again at the latest; USEC_INFINITY where only a change matters. */
enum diskpause_step diskpause_step(
	struct diskpause *d, const struct diskpause_sight *see, usec_t now, usec_t *ret_at);

#endif
