/* SPDX-License-Identifier: Apache-2.0 */
/* The D-Bus door of the daemon: the supervisor's state as objects, its requests as methods. */
#ifndef MEDIAKIT_BUS_BUS_H
#define MEDIAKIT_BUS_BUS_H

#include <stdbool.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

struct bus;
struct supervisor;

/* Listens on two sockets in `runtime_dir` (made 0755 where it is missing): `status`, 0666, and
 * `control`, 0660 and of the group `mediakit` where that exists. A socket file left there is
 * replaced, so the caller must hold the daemon's lock. Becomes the supervisor's observer. After a
 * method was served the supervisor must be run again: the main loop does that once per wake-up.
 * -ENAMETOOLONG where the socket's path would not fit; -errno, logged. */
int bus_new(sd_event *event, struct supervisor *s, const char *runtime_dir, struct bus **ret);
/* Serves the system bus too, as com.pointsav.MediaKit1, from now on and whenever there is one: a
 * bus that is absent, or goes and returns, is no fault. Whoever may write there is polkit's to say.
 * 0 or -errno. */
int bus_join_system(struct bus *b);
/* Before the event loop is told to exit. sd-bus flushes every connection then, and would wait for
 * whoever does not read, or for a system bus that never answered. Takes NULL. */
void bus_leave_loop(struct bus *b);
/* Drops every peer and removes the socket files. Goes before supervisor_free(), whose answers to
 * requests that still wait then reach nobody. Takes NULL. */
void bus_free(struct bus *b);

/* register.c: puts the objects on a connection. Without `writable` every method but those that read
 * is refused. The private sockets use it for each peer; a system bus would for its one connection.
 * 0 or -errno. */
int bus_register(struct bus *b, sd_bus *connection, bool writable);

#endif
