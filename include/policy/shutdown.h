/* SPDX-License-Identifier: Apache-2.0 */
/* The ladder of a shutdown: ask the agent, press the power button every few seconds, cut the power
 * at the budget's end. An ACPI press before logind runs in the guest is lost, hence the repetition
 * (KubeVirt re-sends every 5 s too). */
#ifndef MEDIAKIT_POLICY_SHUTDOWN_H
#define MEDIAKIT_POLICY_SHUTDOWN_H

#include "base/nametable.h"
#include "base/time.h"

#include <stdbool.h>

#define SHUTDOWN_PRESS_EVERY (5 * USEC_PER_SEC)
/* A destroy that did not end QEMU is repeated after this long. */
#define SHUTDOWN_DESTROY_EVERY (30 * USEC_PER_SEC)

enum shutdown_rung { RUNG_NONE, RUNG_AGENT, RUNG_ACPI, RUNG_DESTROY, RUNG_NUM };
NAME_TABLE_DECLARE(rung, enum shutdown_rung); /* none agent ACPI forced */

struct shutdown {
	usec_t began; /* 0: no ladder runs */
	usec_t budget;
	usec_t next;             /* when to look again */
	enum shutdown_rung rung; /* the last one used */
	unsigned presses;
};

void shutdown_begin(struct shutdown *s, usec_t budget, usec_t now);
/* The next rung to climb at `now`, or RUNG_NONE; s->next is when to ask again. */
enum shutdown_rung shutdown_step(struct shutdown *s, bool agent_connected, usec_t now);
/* Straight to the last rung. */
void shutdown_force(struct shutdown *s, usec_t now);

#endif
