/* SPDX-License-Identifier: Apache-2.0 */
/* Puts the objects on a connection, and says which of their methods only read. */
#include "bus/bus.h"
#include "bus/object.h"

/* The status socket answers questions and nothing else: what is not on this list is refused before
 * any handler sees it, so a method added later is closed until somebody opens it. */
bool bus_method_reads(sd_bus_message *m)
{
	static const struct {
		const char *interface, *member; /* member NULL: all of them */
	} reads[] = {
		{ "org.freedesktop.DBus.Properties", "Get" },
		{ "org.freedesktop.DBus.Properties", "GetAll" },
		{ "org.freedesktop.DBus.ObjectManager", NULL },
		{ "org.freedesktop.DBus.Introspectable", NULL },
		{ "org.freedesktop.DBus.Peer", NULL },
		{ BUS_IFACE_MANAGER, "Ping" },
		{ BUS_IFACE_MANAGER, "ListEvents" },
		{ BUS_IFACE_GUEST, "ListEvents" },
		{ BUS_IFACE_GUEST, "Why" },
		{ BUS_IFACE_GUEST, "DryRunBalloon" },
		{ BUS_IFACE_MANAGER, "BalloonInputs" },
		{ BUS_IFACE_MANAGER, "Counters" },
		{ BUS_IFACE_GUEST, "History" },
		{ BUS_IFACE_GUEST, "ListSnapshots" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(reads); i++)
		if (sd_bus_message_is_method_call(m, reads[i].interface, reads[i].member) > 0)
			return true;
	return false;
}

static int refuse_writes(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	(void)userdata, (void)error;
	if (sd_bus_message_is_method_call(m, NULL, NULL) <= 0 || bus_method_reads(m))
		return 0;
	/* 1 in any case: a caller that wants no reply gets none, for which sd-bus gives 0, and 0
	 * from a filter lets the message through. */
	(void)sd_bus_reply_method_errorf(m, BUS_ERROR_READ_ONLY,
		"this socket only reads; %s is asked on the socket '%s' beside it",
		sd_bus_message_get_member(m), BUS_SOCKET_CONTROL);
	return 1;
}

int bus_register(struct bus *b, sd_bus *connection, bool writable)
{
	int r;

	if ((r = sd_bus_add_object_manager(connection, NULL, BUS_PATH)) < 0 ||
		(r = sd_bus_add_object_vtable(
			 connection, NULL, BUS_PATH, BUS_IFACE_MANAGER, manager_vtable, b)) < 0 ||
		(r = sd_bus_add_fallback_vtable(connection, NULL, BUS_PATH_GUESTS, BUS_IFACE_GUEST,
			 guest_vtable, guest_find, b)) < 0 ||
		(r = sd_bus_add_fallback_vtable(connection, NULL, BUS_PATH_GUESTS,
			 BUS_IFACE_SERVICE, service_vtable, service_find, b)) < 0 ||
		(r = sd_bus_add_node_enumerator(
			 connection, NULL, BUS_PATH_GUESTS, objects_enumerate, b)) < 0)
		return r;
	return writable ? 0 : sd_bus_add_filter(connection, NULL, refuse_writes, b);
}
