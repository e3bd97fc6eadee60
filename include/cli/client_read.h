/* SPDX-License-Identifier: Apache-2.0 */
/* From D-Bus messages to the view; cli/client's other half. */
#ifndef MEDIAKIT_CLI_CLIENT_READ_H
#define MEDIAKIT_CLI_CLIENT_READ_H

#include "cli/view.h"

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

#endif
