/* SPDX-License-Identifier: Apache-2.0 */
/* The clock of a guest that was restored. */
#ifndef MEDIAKIT_CORE_SETCLOCK_H
#define MEDIAKIT_CORE_SETCLOCK_H

#include "base/time.h"

struct guest;

/* It runs: ask its agent for its time as soon as that answers, and put it right. */
void setclock_begin(struct guest *g, usec_t now);
/* Returns when to be called next. */
usec_t setclock_run(struct guest *g, usec_t now);

#endif
