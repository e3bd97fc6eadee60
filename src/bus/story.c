/* SPDX-License-Identifier: Apache-2.0 */
/* Appends events and decisions to messages. */
#include "bus/story.h"

#include "bus/call.h"

#include <errno.h>
#include <string.h>

static int append_event(sd_bus_message *m, const char *guest, const struct event *e)
{
	return sd_bus_message_append(m, STORY_EVENT, e->seq, e->realtime, e->boottime,
		(uint32_t)e->level, guest, event_kind_to_string(e->kind), e->service, e->cause,
		e->text);
}

static int append_rows(sd_bus_message *reply, const struct event_row *rows, int n)
{
	int r = sd_bus_message_open_container(reply, 'a', "(" STORY_EVENT ")");

	for (int i = 0; r >= 0 && i < n; i++)
		if ((r = sd_bus_message_open_container(reply, 'r', STORY_EVENT)) >= 0 &&
			(r = append_event(reply, rows[i].guest, rows[i].event)) >= 0)
			r = sd_bus_message_close_container(reply);
	return r < 0 ? r : sd_bus_message_close_container(reply);
}

int story_list_events(sd_bus_message *m, const struct supervisor *s, const struct guest *g)
{
	CLEANUP_FREE struct event_row *rows = NULL;
	sd_bus_message *reply = NULL;
	uint64_t after, since;
	uint32_t max;

	int r = sd_bus_message_read(m, "ttu", &after, &since, &max);
	if (r < 0)
		return r;
	int n = event_list(s, g, after, since, MIN(max, STORY_LIST_MAX), &rows);
	if (n < 0)
		return n;
	r = sd_bus_message_new_method_return(m, &reply);
	if (r >= 0)
		r = append_rows(reply, rows, n);
	if (r >= 0)
		r = sd_bus_send(NULL, reply, NULL);
	sd_bus_message_unref(reply);
	return r;
}

static int append_topic(sd_bus_message *reply, const struct decisions *d, enum why_topic topic)
{
	int r = 0;

	for (unsigned i = 0; r >= 0 && i < d->n[topic]; i++) {
		const struct decision *one = &d->lists[topic][i];
		r = sd_bus_message_append(reply, "(" STORY_DECISION ")", one->first_realtime,
			one->last_realtime, (uint32_t)one->count, why_topic_to_string(topic),
			one->rule, one->inputs, one->action);
	}
	return r;
}

int story_why(sd_bus_message *m, const struct guest *g, sd_bus_error *error)
{
	sd_bus_message *reply = NULL;
	const char *word;
	int topic = WHY_TOPIC_NUM;

	int r = sd_bus_message_read(m, "s", &word);
	if (r < 0)
		return r;
	if (*word && (topic = why_topic_from_string(word)) < 0)
		return bus_error_set(error, -EINVAL,
			"no such topic; there are health, memory, restart and shutdown");
	if ((r = sd_bus_message_new_method_return(m, &reply)) >= 0)
		r = sd_bus_message_open_container(reply, 'a', "(" STORY_DECISION ")");
	for (int t = 0; r >= 0 && t < WHY_TOPIC_NUM; t++)
		if (topic == WHY_TOPIC_NUM || topic == t)
			r = append_topic(reply, &g->decisions, (enum why_topic)t);
	if (r >= 0 && (r = sd_bus_message_close_container(reply)) >= 0)
		r = sd_bus_send(NULL, reply, NULL);
	sd_bus_message_unref(reply);
	return r;
}

int story_emit(sd_bus *connection, const char *guest, const struct event *event)
{
	sd_bus_message *m = NULL;
	int r = sd_bus_message_new_signal(connection, &m, BUS_PATH, BUS_IFACE_MANAGER, "Event");

	if (r >= 0)
		r = append_event(m, guest, event);
	if (r >= 0)
		r = sd_bus_send(connection, m, NULL);
	sd_bus_message_unref(m);
	return r;
}
