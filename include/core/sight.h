/* SPDX-License-Identifier: Apache-2.0 */
/* What can be seen of a service, and what of it counts. */
#ifndef MEDIAKIT_CORE_SIGHT_H
#define MEDIAKIT_CORE_SIGHT_H

#include "core/guest.h"

/* For its guest's health: it is active, and asked; a unit that no agent told anything of since it
 * began to start is not. */
bool sight_counts(const struct service *s);
/* How many services count, and how many of them are up or degraded. */
void sight_count(const struct guest *g, unsigned *ret_active, unsigned *ret_up);
/* The first dependency that is not up, or NULL. Of one that is not asked nobody knows: it blocks
 * nothing. */
const char *sight_blocked_by(const struct service *s);
/* Not asked at all: Probe=none, or a port that is forwarded from the next start on. */
bool sight_unasked(const struct service *s);
/* Nobody can watch it: not asked, or a unit without an agent. */
bool sight_unwatched(const struct service *s);

#endif
