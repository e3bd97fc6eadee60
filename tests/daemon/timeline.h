/* SPDX-License-Identifier: Apache-2.0 */
/* What will happen in the simulated world, in the order in which it does. */
#ifndef MEDIAKIT_TESTS_TIMELINE_H
#define MEDIAKIT_TESTS_TIMELINE_H

#include "base/time.h"

struct timeline {
	struct happening *first, *last;
	usec_t now;
};

typedef void (*happening_t)(void *userdata, usec_t now);

/* What is put for the same moment happens in the order in which it was put. The handle is valid
 * until it happened. */
struct happening *timeline_at(struct timeline *t, usec_t at, happening_t fn, void *userdata);
/* As above; `userdata` was allocated, and is freed after it happened or was dropped. */
struct happening *timeline_at_owned(struct timeline *t, usec_t at, happening_t fn, void *userdata);
/* Takes NULL. */
void timeline_cancel(struct timeline *t, struct happening *h);
usec_t timeline_next(const struct timeline *t);
/* All that is due at `now`, also what is put meanwhile. */
void timeline_run(struct timeline *t, usec_t now);
/* The world stood still for so long. */
void timeline_shift(struct timeline *t, usec_t by);
void timeline_clear(struct timeline *t);

#endif
