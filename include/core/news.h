/* SPDX-License-Identifier: Apache-2.0 */
/* From what came in to events. */
#ifndef MEDIAKIT_CORE_NEWS_H
#define MEDIAKIT_CORE_NEWS_H

#include "core/guest.h"

/* Takes up all of guest->news, in this order: what was asked for, what is, what it did, what its
 * inhabitants say. Events may make news themselves, which the next call takes. */
void news_take(struct guest *g, usec_t now);

#endif
