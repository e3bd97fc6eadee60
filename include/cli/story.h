/* SPDX-License-Identifier: Apache-2.0 */
/* Events and decisions as the daemon told them: plain values, and the client's calls that fetch
 * them. */
#ifndef MEDIAKIT_CLI_STORY_H
#define MEDIAKIT_CLI_STORY_H

#include "cli/client.h"

#include <systemd/sd-bus.h>

/* Every text is utf8_printable(), whatever the daemon sent; longer ones are cut. */
struct view_event {
	uint64_t seq;
	usec_t at, boottime; /* CLOCK_REALTIME, CLOCK_BOOTTIME */
	uint32_t level;      /* as syslog's */
	char guest[64];      /* "" the daemon itself */
	char kind[24], service[64], cause[40], text[320];
};

struct view_decision {
	usec_t first, last;
	uint32_t count;
	char topic[16], rule[80], inputs[320], action[160];
};

typedef void (*story_event_t)(void *userdata, const struct view_event *e);
typedef void (*story_decision_t)(void *userdata, const struct view_decision *d);

/* The daemon gives at most so many events in one answer. */
#define STORY_MAX 1000u

/* Fetches the kept events with a number over `after`, not before `since`: the last `max` of them,
 * oldest first. `guest` NULL: all. 0, or -errno with *reply saying why. */
int client_events(struct client *c, const char *guest, uint64_t after, usec_t since, unsigned max,
	story_event_t each, void *userdata, struct client_reply *reply);
/* The decisions about a topic ("" all), newest first in each. 0 or -errno as above. */
int client_why(struct client *c, const char *guest, const char *topic, story_decision_t each,
	void *userdata, struct client_reply *reply);

/* One event from where the message stands. 0 or more, or -errno. */
int story_read_event(sd_bus_message *m, struct view_event *ret);

#endif
