/* SPDX-License-Identifier: Apache-2.0 */
/* Appends the memory pool's inputs and what it would decide to messages. */
#include "bus/memory.h"

#include "bus/call.h"

#include <errno.h>

static int append_guest(sd_bus_message *m, const struct guest *g)
{
	const struct balloon_guest *in = &g->ballooning.in;

	return sd_bus_message_append(m, "(" MEMORY_GUEST ")", g->spec->name,
		balloon_phase_to_string(in->phase), (int)in->tcg, in->max_kib, in->limit_kib,
		in->min_kib, in->idle_kib, (uint32_t)in->weight, in->actual_kib, in->rss_kib,
		in->usable_kib, in->unused_kib, in->caches_kib, in->swap_in_kib, in->swap_out_kib,
		in->major_faults, in->last_update_sec, in->latency, in->override_kib);
}

int memory_reply_inputs(sd_bus_message *m, const struct supervisor *s, sd_bus_error *error)
{
	const struct balloon_pool *pool = &s->pool.in;
	sd_bus_message *reply = NULL;

	if (!s->pool.decided)
		return bus_error_set(error, -EBUSY, "nothing was decided yet; try again");
	int r = sd_bus_message_new_method_return(m, &reply);
	if (r >= 0)
		r = sd_bus_message_append(reply, MEMORY_POOL, pool->now, pool->total_kib,
			pool->available_kib, pool->psi_some_avg10, pool->reserve_kib,
			pool->critical_kib);
	if (r >= 0)
		r = sd_bus_message_open_container(reply, 'a', "(" MEMORY_GUEST ")");
	for (unsigned i = 0; r >= 0 && i < s->n_guests; i++)
		if (s->guests[i]->ballooning.decided)
			r = append_guest(reply, s->guests[i]);
	if (r >= 0 && (r = sd_bus_message_close_container(reply)) >= 0)
		r = sd_bus_send(NULL, reply, NULL);
	sd_bus_message_unref(reply);
	return r;
}

int memory_reply_dry_run(sd_bus_message *m, const struct guest *g, sd_bus_error *error)
{
	struct balloon_outcome outcome;
	struct balloon_decision d;
	int r = ballooning_dry_run(g, &d, &outcome);

	if (r == -ENODATA)
		return bus_error_set(error, -EBUSY, "nothing was decided yet; try again");
	if (r < 0)
		return r;
	return sd_bus_reply_method_return(m, MEMORY_DECISION, balloon_action_to_string(d.action),
		balloon_reason_to_string(d.reason), d.from_kib, d.target_kib, d.floor_kib,
		d.slack_kib, outcome.need_kib);
}
