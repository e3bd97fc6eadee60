/* SPDX-License-Identifier: Apache-2.0 */
/* The three kinds of object: their vtables, their paths, and who finds them. */
#ifndef MEDIAKIT_BUS_OBJECT_H
#define MEDIAKIT_BUS_OBJECT_H

#include "bus/server.h"

extern const sd_bus_vtable manager_vtable[]; /* userdata: struct bus */
extern const sd_bus_vtable guest_vtable[];   /* userdata: struct bus_target */
extern const sd_bus_vtable service_vtable[]; /* userdata: struct bus_target */

/* Paths, the caller's to free; NULL with no memory. */
char *guest_path(const struct guest *g);
char *service_path(const struct service *sv);

/* For sd_bus_add_fallback_vtable(): 1 and the target, 0 no such object. */
int guest_find(sd_bus *connection, const char *path, const char *interface, void *userdata,
	void **ret_found, sd_bus_error *error);
int service_find(sd_bus *connection, const char *path, const char *interface, void *userdata,
	void **ret_found, sd_bus_error *error);
/* For sd_bus_add_node_enumerator(): every guest and service. */
int objects_enumerate(sd_bus *connection, const char *prefix, void *userdata, char ***ret_nodes,
	sd_bus_error *error);
void paths_free(char **paths);

/* A monotonic point in time as CLOCK_REALTIME, for the property of something core keeps on
 * BOOTTIME; 0 stays 0. */
usec_t realtime_of(usec_t boottime);

/* Getters by value, so that a property is one line of a file. `expr` sees `t`, the target. */
#define PROPERTY_GETTER(name, dbus_type, c_type, expr)                                             \
	static int get_##name(sd_bus *connection, const char *path, const char *interface,         \
		const char *property, sd_bus_message *reply, void *userdata, sd_bus_error *error)  \
	{                                                                                          \
		const struct bus_target *t = userdata;                                             \
		const c_type value = (expr);                                                       \
		(void)connection, (void)path, (void)interface, (void)property, (void)error;        \
		return sd_bus_message_append(reply, dbus_type, value);                             \
	}
#define GETTER_TEXT(name, expr) PROPERTY_GETTER(name, "s", char *, expr)
#define GETTER_U64(name, expr)  PROPERTY_GETTER(name, "t", uint64_t, expr)
#define GETTER_U32(name, expr)  PROPERTY_GETTER(name, "u", uint32_t, expr)
#define GETTER_PORT(name, expr) PROPERTY_GETTER(name, "q", int, expr)
#define GETTER_BOOL(name, expr) PROPERTY_GETTER(name, "b", int, expr)

#endif
