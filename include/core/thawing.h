/* SPDX-License-Identifier: Apache-2.0 */
/* A guest's file systems, frozen by its agent and thawed again, whatever else happens. */
#ifndef MEDIAKIT_CORE_THAWING_H
#define MEDIAKIT_CORE_THAWING_H

#include "base/time.h"

#include <stdbool.h>

struct guest;

/* Longer than that nobody in the guest waits for us: then it is thawed, and the copy is as after a
 * power cut. QEMU's begin takes some milliseconds. */
#define THAWING_FREEZE_MAX (10 * USEC_PER_SEC)
/* A command of ours that is with the agent already gets so long to end first. */
#define THAWING_AGENT_WAIT (20 * USEC_PER_SEC)

struct thawing {
	bool wanted;     /* it may be frozen: it is thawed until it says that it is */
	bool hold;       /* the copy is about to begin: not yet, until THAWING_FREEZE_MAX */
	bool freeze_out; /* the freeze is with the agent */
	bool out;        /* the thaw is */
	bool is_frozen;  /* the agent said so, and nobody thawed it since */
	bool told;
	unsigned tries, refusals;
	usec_t since, due;
};

void thawing_init(struct guest *g);
/* Asks the agent to freeze; its answer, or that there will be none, calls snapshotting_frozen() or
 * snapshotting_not_frozen(). 0, or -errno where it could not be asked. */
int thawing_freeze(struct guest *g, usec_t now);
/* From now on it is thawed. */
void thawing_begin(struct guest *g, usec_t now);
/* It may be frozen, and that can be ended. A guest that has no agent was not frozen by one: the
 * thaw is then only asked for should one appear. */
bool thawing_owed(const struct guest *g);
void thawing_forget(struct guest *g);
/* Returns when to be called next. */
usec_t thawing_run(struct guest *g, usec_t now);

/* core/snapshotting's, to be told. */
void snapshotting_frozen(struct guest *g, usec_t now);
void snapshotting_not_frozen(struct guest *g, const char *why, usec_t now);

#endif
