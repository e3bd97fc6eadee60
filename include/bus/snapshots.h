/* SPDX-License-Identifier: Apache-2.0 */
/* The copies of a guest's disk, on the wire. */
#ifndef MEDIAKIT_BUS_SNAPSHOTS_H
#define MEDIAKIT_BUS_SNAPSHOTS_H

#include <systemd/sd-bus.h>

/* Name, of which time its content is, consistency (crash, frozen), bytes of the file, bytes of the
 * disk, SHA-256 of the file, and of the image the guest was provisioned from. Newest last. */
#define SNAPSHOTS_ROW "ststtss"

/* Handlers of the guest's methods; bus/guest.c says what they do. */
int snapshots_method_list(sd_bus_message *m, void *userdata, sd_bus_error *error);
int snapshots_method_delete(sd_bus_message *m, void *userdata, sd_bus_error *error);
int snapshots_method_cancel(sd_bus_message *m, void *userdata, sd_bus_error *error);

#endif
