/* SPDX-License-Identifier: Apache-2.0 */
/* Who may change something over the system bus: polkit is asked, without holding anybody up. */
#ifndef MEDIAKIT_BUS_POLKIT_H
#define MEDIAKIT_BUS_POLKIT_H

#include <systemd/sd-bus.h>

/* Questions that may wait for polkit at one time; one more is refused with Busy. A person may take
 * minutes to type a password. */
#define POLKIT_PENDING_MAX 32u

struct polkit;

/* One for each connection to the system bus. NULL with no memory. */
struct polkit *polkit_new(sd_bus *connection);
/* Questions that wait are dropped: their callers see the connection go. Takes NULL. */
void polkit_free(struct polkit *p);

/* A filter's answer to a method call that changes something: 0, it is allowed, let it pass; 1, it
 * was swallowed: polkit is being asked, and the message comes again once it is allowed, or its
 * caller was told why not; -errno. Without polkit on the bus only root is allowed. */
int polkit_check(struct polkit *p, sd_bus_message *m);

#endif
