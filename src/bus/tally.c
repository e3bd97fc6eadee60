/* SPDX-License-Identifier: Apache-2.0 */
/* Appends counters and the last hour to messages. */
#include "bus/tally.h"

#include "base/macro.h"
#include "bus/object.h"

#include <string.h>

static int append_verdicts(sd_bus_message *m, const struct service_tally *t)
{
	int r = sd_bus_message_open_container(m, 'a', "{st}");

	/* Without "none", which nobody gives. */
	for (unsigned v = VERDICT_NONE + 1; r >= 0 && v < VERDICT_NUM; v++)
		r = sd_bus_message_append(
			m, "{st}", verdict_to_string((enum verdict)v), t->verdicts[v]);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_exits(sd_bus_message *m, const struct guest_tally *t)
{
	int r = sd_bus_message_open_container(m, 'a', "{st}");

	for (unsigned c = CAUSE_NONE + 1; r >= 0 && c < CAUSE_NUM; c++)
		r = sd_bus_message_append(
			m, "{st}", cause_to_string((enum exit_cause)c), t->exits[c]);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_counters(sd_bus_message *m, const struct guest *g)
{
	int r = sd_bus_message_open_container(m, 'r', "stta{st}a(sta{st})");

	if (r >= 0)
		r = sd_bus_message_append(
			m, "stt", g->spec->name, g->tally.boots, g->tally.restarts);
	if (r >= 0)
		r = append_exits(m, &g->tally);
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "(sta{st})");
	for (unsigned i = 0; r >= 0 && i < g->n_services; i++) {
		const struct service *s = &g->services[i];

		if ((r = sd_bus_message_open_container(m, 'r', "sta{st}")) >= 0 &&
			(r = sd_bus_message_append(m, "st", s->spec->name, s->tally.spent)) >= 0 &&
			(r = append_verdicts(m, &s->tally)) >= 0)
			r = sd_bus_message_close_container(m);
	}
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int send_and_unref(int r, sd_bus_message *reply)
{
	if (r >= 0)
		r = sd_bus_send(NULL, reply, NULL);
	sd_bus_message_unref(reply);
	return r;
}

int tally_reply_counters(sd_bus_message *m, const struct supervisor *s)
{
	sd_bus_message *reply = NULL;
	int r = sd_bus_message_new_method_return(m, &reply);

	if (r >= 0)
		r = sd_bus_message_open_container(reply, 'a', "(stta{st}a(sta{st}))");
	for (unsigned i = 0; r >= 0 && i < s->n_guests; i++)
		r = append_counters(reply, s->guests[i]);
	if (r >= 0)
		r = sd_bus_message_close_container(reply);
	return send_and_unref(r, reply);
}

/* The ring from its oldest point. */
static int append_ring(sd_bus_message *m, char type, const void *ring, size_t width, uint64_t point)
{
	size_t oldest = (point + 1) % TALLY_POINTS, head = TALLY_POINTS - oldest;
	char rows[TALLY_POINTS * sizeof(uint32_t)];

	memcpy(rows, (const char *)ring + oldest * width, head * width);
	memcpy(rows + head * width, ring, oldest * width);
	return sd_bus_message_append_array(m, type, rows, TALLY_POINTS * width);
}

static int append_numbers(sd_bus_message *m, const uint32_t *ring, uint64_t point)
{
	return append_ring(m, 'u', ring, sizeof(*ring), point);
}

static int append_history(sd_bus_message *m, const struct guest *g)
{
	const struct guest_tally *t = &g->tally;
	int r = append_numbers(m, t->actual_mib, t->point);

	if (r >= 0)
		r = append_numbers(m, t->usable_mib, t->point);
	if (r >= 0)
		r = append_numbers(m, t->rss_mib, t->point);
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "(sauay)");
	for (unsigned i = 0; r >= 0 && i < g->n_services; i++) {
		const struct service *s = &g->services[i];

		if ((r = sd_bus_message_open_container(m, 'r', "sauay")) >= 0 &&
			(r = sd_bus_message_append(m, "s", s->spec->name)) >= 0 &&
			(r = append_numbers(m, s->tally.latency, t->point)) >= 0 &&
			(r = append_ring(m, 'y', s->tally.effect, 1, t->point)) >= 0)
			r = sd_bus_message_close_container(m);
	}
	return r < 0 ? r : sd_bus_message_close_container(m);
}

int tally_reply_history(sd_bus_message *m, struct guest *g, usec_t now)
{
	sd_bus_message *reply = NULL;
	int r = sd_bus_message_new_method_return(m, &reply);

	tally_advance(g, now);
	/* The first point of a boot begins at 0, which stands for never. */
	if (r >= 0)
		r = sd_bus_message_append(reply, "tt",
			realtime_of(MAX((g->tally.point - 1) * TALLY_STEP, (uint64_t)1)),
			(uint64_t)TALLY_STEP);
	if (r >= 0)
		r = append_history(reply, g);
	return send_and_unref(r, reply);
}
