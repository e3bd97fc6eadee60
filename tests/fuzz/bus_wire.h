/* SPDX-License-Identifier: Apache-2.0 */
/* D-Bus messages from a fuzzer's bytes. Few mutations of a whole message leave one that is well
 * formed, so besides raw bytes there is a second form, of which every byte means something: rows of
 * ten bytes that choose the header's fields from lists, and a body. */
#ifndef MEDIAKIT_FUZZ_BUS_WIRE_H
#define MEDIAKIT_FUZZ_BUS_WIRE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "bus/names.h"

#define WIRE_MAX (64u * 1024u)

struct wire {
	uint8_t bytes[WIRE_MAX];
	size_t len;
};

static const char *const wire_paths[] = {
	BUS_PATH,
	"/",
	BUS_PATH_GUESTS,
	BUS_PATH_GUESTS "/vm_2dmediakit",
	BUS_PATH_GUESTS "/b_2e2",
	BUS_PATH_GUESTS "/vm_2dmediakit/service/service_2dfs",
	BUS_PATH_GUESTS "/b_2e2/service/local_2dbim",
	BUS_PATH_GUESTS "/nobody",
	BUS_PATH_GUESTS "/_0a_1b/service/_",
	"/org/freedesktop/DBus/Local",
};

static const char *const wire_interfaces[] = {
	"org.freedesktop.DBus.Properties",
	"org.freedesktop.DBus.ObjectManager",
	"org.freedesktop.DBus.Introspectable",
	"org.freedesktop.DBus.Peer",
	BUS_IFACE_MANAGER,
	BUS_IFACE_GUEST,
	BUS_IFACE_SERVICE,
	"org.freedesktop.DBus.Local",
	BUS_ERROR_BUSY,
};

static const char *const wire_members[] = { "GetManagedObjects", "GetAll", "Get", "Set",
	"Introspect", "Ping", "Reload", "Start", "Stop", "Restart", "Kill", "SetBalloon",
	"ResetFailed", "OpenConsole", "ConsoleTail", "PropertiesChanged", "InterfacesAdded",
	"InterfacesRemoved", "Disconnected", "Events", "Why", "Snapshot", "Deploy", "ListEvents",
	"Event", "SetBalloonFor", "DryRunBalloon", "BalloonInputs", "Counters", "History" };

static const char *const wire_signatures[] = { "", "s", "t", "u", "b", "ss", "ssv", "a{sv}",
	"sa{sv}as", "oa{sa{sv}}", "oas", "a{oa{sa{sv}}}", "ay", "assb", "h", "o", "as", "x", "ttu",
	"tttusssss", "tt", "a(tttusssss)", "a(ttussss)", "a(stta{st}a(sta{st}))",
	"ttauauaua(sauay)" };

static inline void wire_put(struct wire *w, const void *data, size_t len)
{
	if (len > WIRE_MAX - w->len)
		len = WIRE_MAX - w->len;
	memcpy(w->bytes + w->len, data, len);
	w->len += len;
}

static inline void wire_align(struct wire *w, size_t start, size_t to)
{
	while ((w->len - start) % to != 0 && w->len < WIRE_MAX)
		wire_put(w, "", 1);
}

static inline void wire_u32(struct wire *w, uint32_t v)
{
	wire_put(w, &v, sizeof(v));
}

static inline void wire_field(
	struct wire *w, size_t start, uint8_t code, const char *type, const char *text)
{
	const uint8_t head[] = { code, 1, (uint8_t)type[0], 0 };

	wire_align(w, start, 8);
	wire_put(w, head, sizeof(head));
	if (type[0] == 'g')
		wire_put(w, &(uint8_t){ (uint8_t)strlen(text) }, 1);
	else
		wire_u32(w, (uint32_t)strlen(text));
	wire_put(w, text, strlen(text) + 1);
}

#define WIRE_PICK(list, byte) ((list)[(byte) % (sizeof(list) / sizeof((list)[0]))])

/* One message from a row of ten bytes: type, flags, path, interface, member, signature, serial,
 * reply serial, and the body's length in two. Gives how much of the input was used, 0 at its end.
 */
static inline size_t wire_message(struct wire *w, const uint8_t *row, size_t size)
{
	const size_t start = w->len;

	if (size < 10)
		return 0;
	size_t body = (size_t)(row[8] | row[9] << 8) % 4096;
	if (body > size - 10)
		body = size - 10;
	const uint8_t head[] = { 'l', (uint8_t)(1 + row[0] % 4), row[1], 1 };
	wire_put(w, head, sizeof(head));
	wire_u32(w, (uint32_t)body);
	wire_u32(w, row[6]);
	const size_t length_at = w->len;
	wire_u32(w, 0);
	const size_t fields_at = w->len;
	if (row[2] != 255)
		wire_field(w, start, 1, "o", WIRE_PICK(wire_paths, row[2]));
	if (row[3] != 255)
		wire_field(w, start, 2, "s", WIRE_PICK(wire_interfaces, row[3]));
	if (row[4] != 255)
		wire_field(w, start, 3, "s", WIRE_PICK(wire_members, row[4]));
	if (row[0] % 4 == 2)
		wire_field(w, start, 4, "s", WIRE_PICK(wire_interfaces, row[3]));
	if (row[7] != 0) {
		const uint8_t reply[] = { 5, 1, 'u', 0 };
		wire_align(w, start, 8);
		wire_put(w, reply, sizeof(reply));
		wire_u32(w, row[7]);
	}
	if (body > 0)
		wire_field(w, start, 8, "g", WIRE_PICK(wire_signatures, row[5]));
	const uint32_t fields = (uint32_t)(w->len - fields_at);
	if (length_at + sizeof(fields) <= w->len)
		memcpy(w->bytes + length_at, &fields, sizeof(fields));
	wire_align(w, start, 8);
	wire_put(w, row + 10, body);
	return 10 + body;
}

/* The first byte chooses: even, the rest is what goes over the wire; odd, it is rows. */
static inline void wire_fill(struct wire *w, const uint8_t *data, size_t size)
{
	size_t used;

	w->len = 0;
	if (size == 0)
		return;
	if (data[0] % 2 == 0) {
		wire_put(w, data + 1, size - 1);
		return;
	}
	for (data++, size--; w->len < WIRE_MAX && (used = wire_message(w, data, size)) > 0;
		data += used)
		size -= used;
}

#endif
