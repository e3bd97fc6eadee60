/* SPDX-License-Identifier: Apache-2.0 */
/* Events and decisions on D-Bus: what the Manager's and the Guest's objects tell of the past.
 *
 * An event is (tttusssss): seq t (grows over all guests; see include/model/event.h), at t
 * (CLOCK_REALTIME), boottime t, level u (as syslog's), guest s ("" the daemon itself), kind s,
 * service s, cause s (of an exit), text s. The signal Event has the same nine arguments.
 * A decision is (ttussss): first t and last t (CLOCK_REALTIME), count u (how often in a row),
 * topic s, rule s, inputs s, action s. */
#ifndef MEDIAKIT_BUS_STORY_H
#define MEDIAKIT_BUS_STORY_H

#include "bus/server.h"

#define STORY_EVENT    "tttusssss"
#define STORY_DECISION "ttussss"

#define STORY_LIST_MAX 1000u /* events in one answer */

#define STORY_EVENT_NAMES                                                                          \
	SD_BUS_PARAM(seq)                                                                          \
	SD_BUS_PARAM(at) SD_BUS_PARAM(boottime) SD_BUS_PARAM(level) SD_BUS_PARAM(guest)            \
		SD_BUS_PARAM(kind) SD_BUS_PARAM(service) SD_BUS_PARAM(cause) SD_BUS_PARAM(text)

/* The handlers of ListEvents and Why. `g` NULL: of all guests and the daemon. */
int story_list_events(sd_bus_message *m, const struct supervisor *s, const struct guest *g);
int story_why(sd_bus_message *m, const struct guest *g, sd_bus_error *error);

/* Sends the Manager's signal Event. 0 or more, or -errno. */
int story_emit(sd_bus *connection, const char *guest, const struct event *event);

#endif
