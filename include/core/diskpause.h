/* SPDX-License-Identifier: Apache-2.0 */
/* A guest that QEMU paused for its disk: what the operator is told, and the resume. */
#ifndef MEDIAKIT_CORE_DISKPAUSE_H
#define MEDIAKIT_CORE_DISKPAUSE_H

#include "policy/diskpause.h"

struct guest;

struct guest_diskpause {
	struct diskpause policy;
	enum diskpause_step step; /* the last */
	usec_t due;
	char text[256]; /* told as the guest's reason; "" none */
};

/* Looks for room when it is due and resumes where policy/diskpause says so; returns when to look
 * again. */
usec_t diskpause_run(struct guest *g, usec_t now);
/* QEMU handed an error of the disk to the guest, which runs on. */
void diskpause_reported(struct guest *g);

#endif
