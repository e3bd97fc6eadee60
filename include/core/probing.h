/* SPDX-License-Identifier: Apache-2.0 */
/* The services of one guest: puts the questions that are due, judges the answers, keeps each
 * service's state. */
#ifndef MEDIAKIT_CORE_PROBING_H
#define MEDIAKIT_CORE_PROBING_H

#include "core/guest.h"

/* An answer that the prober owes is written off this long after the question's time-out (wire.md:
 * the verdict comes within the time-out plus 100 ms). */
#define PROBING_GRACE (50 * USEC_PER_MSEC)

void probing_init(struct guest *g);
/* A start is asked for: from now on the forwards are as configured. */
void probing_forward(struct guest *g);
/* The services or the forwards are others: which of these leads to which of those. */
void probing_find_forwards(struct guest *g);
/* A boot began: all start anew. */
void probing_boot(struct guest *g, usec_t now);
/* The guest runs without our start: states stand, and are asked anew at once. */
void probing_adopt(struct guest *g, usec_t now);
/* The guest is gone: no questions, states unknown. */
void probing_disable(struct guest *g, usec_t now);
/* Drops what is in flight without judging it. */
void probing_drop(struct guest *g);
/* Its unit was just restarted: it starts as after a boot, with its whole StartBudget. */
void probing_renew(struct service *s, usec_t now);
/* The boot visibly moved. */
void probing_progress(struct guest *g, usec_t now);
/* The guest is paused, saved or stopped from now on: what is out now proves nothing. */
void probing_cast_doubt(struct guest *g);
/* Puts what is due; returns when to look again. */
usec_t probing_run(struct guest *g, usec_t now);

#endif
