/* SPDX-License-Identifier: Apache-2.0 */
/* How a run ended: the cause from libvirt's reason and our own doing, and its one line for people.
 */
#ifndef MEDIAKIT_CORE_EXIT_H
#define MEDIAKIT_CORE_EXIT_H

#include "core/guest.h"

/* The cause of an end just seen in g->facts. */
enum exit_cause exit_cause_of(const struct guest *g);
/* Fills g->last_exit and logs it. `why` (may be NULL) is added to the words. */
void exit_record(struct guest *g, enum exit_cause cause, const char *why, usec_t now);

#endif
