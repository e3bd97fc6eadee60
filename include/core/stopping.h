/* SPDX-License-Identifier: Apache-2.0 */
/* A guest's shutdown: climbs the ladder of policy/shutdown, tells of each rung, and puts the
 * outcome into words. */
#ifndef MEDIAKIT_CORE_STOPPING_H
#define MEDIAKIT_CORE_STOPPING_H

#include "core/guest.h"

void stopping_begin(struct guest *g, usec_t now);
/* Straight to the end of QEMU. */
void stopping_force(struct guest *g, usec_t now);
/* What it was to end is gone, or is another run by now. */
void stopping_over(struct guest *g);
/* When g->ladder_due is reached. */
void stopping_climb(struct guest *g, usec_t now);
/* The agent said no, or did not answer. */
void stopping_refused(struct guest *g, usec_t now);
/* How long a stop of this guest may take in all, by its configuration. */
usec_t stopping_total(const struct guest *g);
/* "clean, ACPI, 4.1s": the outcome of the ladder that led to g->last_exit. */
void stopping_words(const struct guest *g, char *buf, size_t size);

#endif
