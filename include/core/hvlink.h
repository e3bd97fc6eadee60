/* SPDX-License-Identifier: Apache-2.0 */
/* A guest's line to the hypervisor: puts requests, and lands their answers in the guest's fields
 * and news. Decides nothing. */
#ifndef MEDIAKIT_CORE_HVLINK_H
#define MEDIAKIT_CORE_HVLINK_H

#include "core/guest.h"

/* One read at a time; a second wish while one is out is remembered and follows it. */
void hvlink_read(struct guest *g, usec_t now);
void hvlink_stats(struct guest *g, usec_t now);
/* 0, or -errno with NEWS_START not to come. `xml` is copied. */
int hvlink_start(struct guest *g, const char *xml);
/* Presses the button, or asks the agent; failure is no news: the ladder asks again. */
void hvlink_shutdown(struct guest *g, bool by_agent);
/* Its end is seen by a read, which follows the answer. */
void hvlink_destroy(struct guest *g);
int hvlink_balloon(struct guest *g, uint64_t kib);
void hvlink_cpu_tune(struct guest *g);

#endif
