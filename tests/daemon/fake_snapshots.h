/* SPDX-License-Identifier: Apache-2.0 */
/* One guest's copies in memory; orders are answered by the timeline, one after another. */
#ifndef MEDIAKIT_TESTS_FAKE_SNAPSHOTS_H
#define MEDIAKIT_TESTS_FAKE_SNAPSHOTS_H

#include "io/snapshots.h"
#include "timeline.h"

struct fake_snapshots {
	struct snapshots snapshots;
	struct timeline *timeline;
	unsigned generation; /* of the daemon */
	bool part;           /* a half-made one is there */
	unsigned n;
	struct snapshot_info list[SPEC_SNAPSHOTS_MAX];
	usec_t takes, next_id, busy_until;
	int errors[SNAPSHOT_ORDER_NUM]; /* orders of a kind fail so */
	unsigned orders[SNAPSHOT_ORDER_NUM];
};

struct fake_snapshots *fake_snapshots_new(struct timeline *timeline);
void fake_snapshots_free(struct fake_snapshots *s);
/* The daemon died: what was ordered is done, and nobody hears of it. */
void fake_snapshots_orphan(struct fake_snapshots *s);

#endif
