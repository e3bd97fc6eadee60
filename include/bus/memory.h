/* SPDX-License-Identifier: Apache-2.0 */
/* The memory pool on D-Bus: what its last decision rested on, for a trace, and what it would decide
 * by itself. */
#ifndef MEDIAKIT_BUS_MEMORY_H
#define MEDIAKIT_BUS_MEMORY_H

#include "bus/server.h"

/* boottime, total, available, PSI some avg10 (hundredths of a percent, UINT32_MAX unknown),
 * reserve, critical */
#define MEMORY_POOL "tttutt"
/* name, phase, tcg; max, limit, min, idle; weight; actual, rss, usable, unused, caches, swap_in,
 * swap_out, major_faults, last_update, latency (usec), override. UINT64_MAX: absent */
#define MEMORY_GUEST "ssbttttuttttttttttt"
/* action, reason, from, target, floor, slack, and what the host needs */
#define MEMORY_DECISION "ssttttt"

/* The handlers of the Manager's BalloonInputs and a Guest's DryRunBalloon. */
int memory_reply_inputs(sd_bus_message *m, const struct supervisor *s, sd_bus_error *error);
int memory_reply_dry_run(sd_bus_message *m, const struct guest *g, sd_bus_error *error);

#endif
