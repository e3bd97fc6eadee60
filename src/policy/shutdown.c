/* SPDX-License-Identifier: Apache-2.0 */
/* The ladder's rungs, climbed by time alone. */
#include "policy/shutdown.h"

#include "base/macro.h"

static const char *const rung_names[] = {
	[RUNG_NONE] = "none",
	[RUNG_AGENT] = "agent",
	[RUNG_ACPI] = "ACPI",
	[RUNG_DESTROY] = "forced",
};
NAME_TABLE_DEFINE(rung, enum shutdown_rung, RUNG_NUM);

void shutdown_begin(struct shutdown *s, usec_t budget, usec_t now)
{
	*s = (struct shutdown){ .began = now, .budget = budget, .next = now };
}

void shutdown_force(struct shutdown *s, usec_t now)
{
	if (s->began == 0)
		s->began = now;
	s->budget = 0;
	s->next = now;
}

enum shutdown_rung shutdown_step(struct shutdown *s, bool agent_connected, usec_t now)
{
	if (s->began == 0 || now < s->next)
		return RUNG_NONE;
	/* Looked at so late only because the host slept, and the guest with it: that is no time it
	 * had. */
	if (s->budget > 0 && now - s->next > SHUTDOWN_PRESS_EVERY)
		s->budget = usec_add(s->budget, now - s->next);
	usec_t end = usec_add(s->began, s->budget);
	if (now >= end) {
		s->next = usec_add(now, SHUTDOWN_DESTROY_EVERY);
		return s->rung = RUNG_DESTROY;
	}
	s->next = MIN(usec_add(now, SHUTDOWN_PRESS_EVERY), end);
	/* The agent is asked once, first: it says at once whether it heard. The button is pressed
	 * from the second look on, because an agent that took the order needs no second voice for
	 * the first seconds. */
	if (agent_connected && s->rung == RUNG_NONE)
		return s->rung = RUNG_AGENT;
	s->presses++;
	return s->rung = RUNG_ACPI;
}
