/* SPDX-License-Identifier: Apache-2.0 */
/* Asked by the daemon for its health, its remedies and its words, and by the bus. */
#include "core/sight.h"

#include <string.h>

static bool is_up(const struct service *s)
{
	return s->probe.state == SERVICE_UP || s->probe.state == SERVICE_DEGRADED;
}

bool sight_unasked(const struct service *s)
{
	return s->spec->probe == PROBE_NONE || (s->spec->probe != PROBE_UNIT && !s->host_port);
}

bool sight_unwatched(const struct service *s)
{
	return sight_unasked(s) ||
	       (s->spec->probe == PROBE_UNIT && !s->guest->facts.agent_connected);
}

bool sight_counts(const struct service *s)
{
	bool learned = s->probe.state != SERVICE_UNKNOWN && s->probe.state != SERVICE_STARTING;

	return s->spec->expect == EXPECT_ACTIVE && !sight_unasked(s) &&
	       (learned || !sight_unwatched(s));
}

void sight_count(const struct guest *g, unsigned *ret_active, unsigned *ret_up)
{
	unsigned active = 0, up = 0;

	for (unsigned i = 0; i < g->n_services; i++) {
		const struct service *s = &g->services[i];
		if (!sight_counts(s))
			continue;
		active++;
		up += is_up(s);
	}
	*ret_active = active;
	*ret_up = up;
}

const char *sight_blocked_by(const struct service *s)
{
	for (unsigned d = 0; d < s->spec->n_depends; d++) {
		for (unsigned i = 0; i < s->guest->n_services; i++) {
			const struct service *other = &s->guest->services[i];
			if (strcmp(other->spec->name, s->spec->depends_on[d]) == 0 &&
				!sight_unasked(other) && !is_up(other))
				return other->spec->name;
		}
	}
	return NULL;
}
