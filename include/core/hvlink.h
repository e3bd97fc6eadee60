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
int hvlink_start(struct guest *g, const char *xml, bool restore);
/* 0, or -errno with `done` not to come. Whoever puts them counts guest->hv_in_flight down. */
int hvlink_save(struct guest *g, hv_done_t done);
int hvlink_agent(struct guest *g, const char *command, hv_done_t done);
/* HV_DISK, or about a backup. */
int hvlink_backup(struct guest *g, enum hv_verb verb, const char *text, hv_done_t done);
/* HV_RESUME, HV_AGENT_SHUTDOWN, HV_ACPI, HV_QUIT or HV_SAVE_ABORT. Failure is no news: the ladder
 * asks again. 0,
 * or -errno where it could not even be asked. */
int hvlink_stop(struct guest *g, enum hv_verb verb);
/* A call is out that ends QEMU: nothing else is asked meanwhile. */
bool hvlink_is_ending(const struct guest *g);
/* Its end is seen by a read, which follows the answer. */
void hvlink_destroy(struct guest *g);
/* 0, or -errno with ballooning_answered() or cputune_answered() not to come. */
int hvlink_balloon(struct guest *g, uint64_t kib);
int hvlink_cpu_tune(struct guest *g, unsigned weight, unsigned quota_pct);

#endif
