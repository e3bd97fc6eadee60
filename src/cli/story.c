/* SPDX-License-Identifier: Apache-2.0 */
/* Fetches what the daemon remembers. */
#include "cli/story.h"

#include "base/macro.h"
#include "bus/names.h"
#include "cli/client_read.h"

#include <errno.h>

int story_read_event(sd_bus_message *m, struct view_event *ret)
{
	const char *guest, *kind, *service, *cause, *text;
	struct view_event e = { 0 };
	int r = sd_bus_message_read(m, "tttusssss", &e.seq, &e.at, &e.boottime, &e.level, &guest,
		&kind, &service, &cause, &text);

	if (r < 0)
		return r;
	text_take(e.guest, sizeof(e.guest), guest);
	text_take(e.kind, sizeof(e.kind), kind);
	text_take(e.service, sizeof(e.service), service);
	text_take(e.cause, sizeof(e.cause), cause);
	text_take(e.text, sizeof(e.text), text);
	*ret = e;
	return r;
}

static int new_call(struct client *c, const char *guest, const char *method, sd_bus_message **ret)
{
	char *path = NULL;
	int r;

	if (!guest)
		return sd_bus_message_new_method_call(client_bus(c), ret, client_destination(c),
			BUS_PATH, BUS_IFACE_MANAGER, method);
	if ((r = sd_bus_path_encode_many(&path, BUS_PATTERN_GUEST, guest)) < 0)
		return r;
	r = sd_bus_message_new_method_call(
		client_bus(c), ret, client_destination(c), path, BUS_IFACE_GUEST, method);
	free(path);
	return r;
}

static int read_events(sd_bus_message *m, story_event_t each, void *userdata)
{
	int r = sd_bus_message_enter_container(m, 'a', "(tttusssss)");

	while (r >= 0 && (r = sd_bus_message_enter_container(m, 'r', "tttusssss")) > 0) {
		struct view_event e;

		if ((r = story_read_event(m, &e)) < 0 || (r = sd_bus_message_exit_container(m)) < 0)
			return r;
		each(userdata, &e);
	}
	return r;
}

int client_events(struct client *c, const char *guest, uint64_t after, usec_t since, unsigned max,
	story_event_t each, void *userdata, struct client_reply *reply)
{
	sd_bus_message *m = NULL, *answer = NULL;
	int r = new_call(c, guest, "ListEvents", &m);

	if (r >= 0)
		r = sd_bus_message_append(m, "ttu", after, since, (uint32_t)max);
	r = client_ask(c, r, m, reply, &answer);
	if (r >= 0)
		r = read_events(answer, each, userdata);
	sd_bus_message_unref(answer);
	return r < 0 ? r : 0;
}

static int read_decisions(sd_bus_message *m, story_decision_t each, void *userdata)
{
	const char *topic, *rule, *inputs, *action;
	struct view_decision d;
	int r = sd_bus_message_enter_container(m, 'a', "(ttussss)");

	while (r >= 0 && (r = sd_bus_message_read(m, "(ttussss)", &d.first, &d.last, &d.count,
				  &topic, &rule, &inputs, &action)) > 0) {
		text_take(d.topic, sizeof(d.topic), topic);
		text_take(d.rule, sizeof(d.rule), rule);
		text_take(d.inputs, sizeof(d.inputs), inputs);
		text_take(d.action, sizeof(d.action), action);
		each(userdata, &d);
	}
	return r;
}

int client_why(struct client *c, const char *guest, const char *topic, story_decision_t each,
	void *userdata, struct client_reply *reply)
{
	sd_bus_message *m = NULL, *answer = NULL;
	int r = new_call(c, guest, "Why", &m);

	if (r >= 0)
		r = sd_bus_message_append(m, "s", topic);
	r = client_ask(c, r, m, reply, &answer);
	if (r >= 0)
		r = read_decisions(answer, each, userdata);
	sd_bus_message_unref(answer);
	return r < 0 ? r : 0;
}
