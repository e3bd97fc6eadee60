/* SPDX-License-Identifier: Apache-2.0 */
/* What a guest's services and its memory did since the daemon began: counters that only grow, for
 * who watches from outside, and the last hour in a ring of fixed size, for who opens a page at
 * night and wants to see how it came to this. The daemon keeps them because it alone is always
 * there: what serves them to others is started when somebody asks. Nothing decides on them, and the
 * daemon's restart begins them anew. */
#ifndef MEDIAKIT_CORE_TALLY_H
#define MEDIAKIT_CORE_TALLY_H

#include "base/time.h"
#include "policy/restart.h"
#include "policy/verdict.h"

#include <stdint.h>

/* An hour in half minutes: a plot on a phone has no room for more points. 2 KiB for each guest and
 * 600 bytes for each service. */
#define TALLY_POINTS 120u
#define TALLY_STEP   (30 * USEC_PER_SEC)

#define TALLY_ABSENT UINT32_MAX /* a number nobody knows */

struct service_tally {
	uint64_t verdicts[VERDICT_NUM]; /* questions that got this one */
	usec_t spent;                   /* on all their answers */
	/* Of each point the slowest answer (USEC, held below TALLY_ABSENT) and the worst enum
	 * verdict_effect. Where that is EFFECT_NOTHING nothing was judged, and the latency is
	 * meaningless. */
	uint32_t latency[TALLY_POINTS];
	uint8_t effect[TALLY_POINTS];
};

struct guest_tally {
	uint64_t boots;    /* begun, the guest's own reboots among them */
	uint64_t restarts; /* scheduled after an end, or begun to heal it */
	uint64_t exits[CAUSE_NUM];
	/* The last statistics of each point, MiB so that 32 bits do for any host. */
	uint32_t actual_mib[TALLY_POINTS], usable_mib[TALLY_POINTS], rss_mib[TALLY_POINTS];
	uint64_t
		point; /* the number of the newest one, which is at point % TALLY_POINTS; 0: none */
};

struct guest;
struct service;

/* Forgets what is older than an hour. Called by all below; to be called before the rings are
 * read. */
void tally_advance(struct guest *g, usec_t now);
void tally_judged(struct service *s, const struct judgement *j, usec_t now);
void tally_stats(struct guest *g, usec_t now);

#endif
