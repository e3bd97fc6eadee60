/* SPDX-License-Identifier: Apache-2.0 */
/* From D-Bus messages to the view; cli/client's other half. */
#ifndef MEDIAKIT_CLI_CLIENT_READ_H
#define MEDIAKIT_CLI_CLIENT_READ_H

#include "cli/client.h"

#include <systemd/sd-bus.h>

/* Each reads from where the message stands. 0 or more, or -errno for a message of another shape. */
/* oa{sa{sv}}: InterfacesAdded, or a row of GetManagedObjects */
int object_read(sd_bus_message *m, struct view *v);
int manager_read(sd_bus_message *m, struct view *v); /* a{sv}: the Manager's properties */
int removed_read(sd_bus_message *m, struct view *v); /* InterfacesRemoved */
int changed_read(sd_bus_message *m, struct view *v); /* PropertiesChanged */

/* Text that may be printed is taken as it is, so that a backslash stays one; any other is escaped.
 * Cut to `size`. */
void text_take(char *dst, size_t size, const char *src);

/* For the modules that read messages of their own. */
sd_bus *client_bus(struct client *c);
/* Whom a message there is addressed to: NULL on a private socket. */
const char *client_destination(const struct client *c);
/* Sends `m` and waits, unless `error` (of making it) is below zero; takes `m` over. 0 and
 * *ret_answer, the caller's to unref; or -errno and *reply saying why. */
int client_ask(struct client *c, int error, sd_bus_message *m, struct client_reply *reply,
	sd_bus_message **ret_answer);
/* Gets every signal Event of the Manager. */
void client_on_event(
	struct client *c, void (*each)(void *userdata, sd_bus_message *m), void *userdata);

#endif
