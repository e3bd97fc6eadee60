/* SPDX-License-Identifier: Apache-2.0 */
/* The bases of all guests' disks, and a worker that takes its time to look at them. */
#ifndef MEDIAKIT_TESTS_FAKE_BASES_H
#define MEDIAKIT_TESTS_FAKE_BASES_H

#include "io/bases.h"
#include "timeline.h"

struct fake_bases {
	struct bases bases;
	struct timeline *timeline;
	struct base_news says; /* to each look that checks */
	const char *glibc;     /* to every look; NULL: nothing is recorded */
	const char *disk;      /* which one every look finds; NULL: "" */
	usec_t takes;          /* a look that checks */
	int refuses;           /* what look() returns, below 0 */
	unsigned checks;
	unsigned generation; /* of the daemon: looks of a dead one are answered to nobody */
};

struct fake_bases *fake_bases_new(struct timeline *timeline);
void fake_bases_free(struct fake_bases *b);
/* The daemon is gone. */
void fake_bases_orphan(struct fake_bases *b);

#endif
