/* SPDX-License-Identifier: Apache-2.0 */
/* What drives a guest: its news, its timers, its serial line. */
#ifndef MEDIAKIT_CORE_LIFE_H
#define MEDIAKIT_CORE_LIFE_H

#include "core/guest.h"

/* The guest's whole life: turns news and timers into events and events into requests. Returns when
 * to be called next. */
usec_t life_run(struct guest *g, usec_t now);

/* Serial bytes, as they came. */
void life_console(struct guest *g, const void *data, size_t len, uint64_t lost, usec_t now);

#endif
