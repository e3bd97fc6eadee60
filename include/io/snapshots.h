/* SPDX-License-Identifier: Apache-2.0 */
/* Copies of guests' disks, as core sees the files of them. io/filesnapshots implements it on a
 * worker, because making, checking and hashing a disk takes from seconds to minutes; tests
 * implement it in simulated time.
 *
 * Theory of operation: a copy that is being made is TIME.part, and becomes TIME.qcow2 only once
 * QEMU has let go of it, it was synced, `qemu-img check` found nothing, and TIME.json says of what,
 * when and how it was made. So a TIME.qcow2 with its record is whole, and nothing else is shown. A
 * TIME.part that is there when a daemon begins says that one died in the middle: the guest's file
 * systems may be frozen and QEMU may still be copying, and both end before the file goes. */
#ifndef MEDIAKIT_IO_SNAPSHOTS_H
#define MEDIAKIT_IO_SNAPSHOTS_H

#include "base/time.h"
#include "io/digest.h"
#include "model/reason.h"
#include "model/snapshot.h"
#include "model/spec.h"

#include <stdbool.h>
#include <stdint.h>

/* The copy must not be what fills the disk under the guest: QEMU pauses a guest whose disk cannot
 * grow. */
#define SNAPSHOT_RESERVE_KIB (256u * 1024u)

struct snapshot_info {
	usec_t id;          /* its name, in whole seconds of CLOCK_REALTIME; after all before it */
	usec_t at_realtime; /* of which its content is */
	enum snapshot_consistency consistency;
	uint64_t bytes, virtual_bytes; /* of the file, and of the disk in it */
	char sha256[DIGEST_TEXT];      /* of the file */
	char base_sha256[DIGEST_TEXT]; /* of the image the guest was provisioned from; "" unknown */
	char guest[SPEC_NAME_MAX + 1];
};

enum snapshot_order_kind {
	SNAPSHOT_LOOK,    /* what is there? Sweeps records whose copy is gone */
	SNAPSHOT_PREPARE, /* is there room; an empty image of `bytes` to copy into → id */
	SNAPSHOT_FINISH,  /* that of `made` is whole: sync, check, hash, record, name; then no more
			   * than `keep` stay. On failure it is removed */
	SNAPSHOT_DISCARD, /* everything half-made goes */
	SNAPSHOT_DELETE,  /* made.id; -ENOENT: there is none */
	SNAPSHOT_ORDER_NUM,
};

struct snapshot_order {
	enum snapshot_order_kind kind;
	const char *guest;
	uint64_t bytes;
	unsigned keep;
	struct snapshot_info made; /* id, at_realtime, consistency */
};

struct snapshot_news {
	int error;            /* 0 or -errno, with the reason */
	struct reason reason; /* printable where paths are */
	usec_t id;
	bool leftover;   /* something half-made is there */
	unsigned pruned; /* so many of the oldest went */
	/* Those that are there after a success, oldest first; more are not shown. */
	unsigned n;
	struct snapshot_info list[SPEC_SNAPSHOTS_MAX];
};

/* On the main loop, exactly once, never inside order(). */
typedef void (*snapshot_done_t)(void *userdata, const struct snapshot_news *news, usec_t now);

struct snapshots;
struct snapshots_vtable {
	/* Answers nothing any more. */
	void (*destroy)(struct snapshots *s);
	/* One after another, in order. 0: done() will be called; -errno: it will not. */
	int (*order)(struct snapshots *s, const struct snapshot_order *order, snapshot_done_t done,
		void *userdata);
};

struct snapshots {
	const struct snapshots_vtable *vtable;
};

#endif
