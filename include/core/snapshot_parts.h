/* SPDX-License-Identifier: Apache-2.0 */
/* What core/snapshotting and core/snapshotend share; nobody else's. */
#ifndef MEDIAKIT_CORE_SNAPSHOT_PARTS_H
#define MEDIAKIT_CORE_SNAPSHOT_PARTS_H

#include "core/guest.h"

#define SNAPSHOT_RETRY_EVERY (2 * USEC_PER_SEC)

/* NULL: this daemon makes none. */
struct snapshots *snapshot_store(const struct guest *g);
/* It can be cancelled: neither over, nor being ended. */
bool snapshot_is_made(const struct guest *g);
void snapshot_set_phase(struct guest *g, enum snapshot_phase phase, usec_t due);
/* Puts it to the files' worker, or to the hypervisor; `done` counts hv_in_flight down, and clears
 * `ordered`, or `out`. */
int snapshot_order_put(struct guest *g, enum snapshot_order_kind kind, snapshot_done_t done);
void snapshot_call(
	struct guest *g, enum hv_verb verb, const char *text, hv_done_t done, usec_t now);
void snapshot_take_list(struct guest *g, const struct snapshot_news *news);

/* The phase `ending` begins, for this reason. */
void snapshot_fail(struct guest *g, int error, const char *words, usec_t now);
/* Who waits is told how it went. */
void snapshot_conclude(struct guest *g, int error, const char *words);
/* Nothing is under way any more. */
void snapshot_rest(struct guest *g);

/* The phases `unknown` and `ending`, as snapshotting_run() does them. */
void snapshot_look_first(struct guest *g, usec_t now);
void snapshot_end(struct guest *g, usec_t now);
/* A save that waits for it; returns when to be called next. */
usec_t snapshot_save(struct guest *g, usec_t now);

#endif
