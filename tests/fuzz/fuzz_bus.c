/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the daemon's private sockets: a caller that says anything, on either door, after a
 * handshake or in place of one, to a real server over a supervisor made by hand. */
/* clang-format off */
/* LINK: base bus core/console core/cputune_names core/operation core/event core/eventring core/decision core/sight core/tally model policy cli/client_read cli/fields cli/view */
/* clang-format on */
/* LIBS: libsystemd libcbor inih jansson */
#include "bus_wire.h"
#include "replay.h"
#include "unit/bus_world.h"

static const char hello[] = "\0AUTH ANONYMOUS\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n";

static void world_end(void)
{
	(void)teardown(NULL);
}

/* Once, because it listens on real sockets; each caller comes over a pair of its own. */
static void world_once(void)
{
	if (world)
		return;
	log_set_sink(take_line);
	(void)setup(NULL);
	(void)atexit(world_end);
}

/* As much as the daemon takes without being waited for, in pieces; what it answers is thrown away.
 */
static void converse(int fd, const uint8_t *bytes, size_t len, size_t piece)
{
	uint8_t answers[4096];

	for (size_t sent = 0; sent < len;) {
		ssize_t n =
			send(fd, bytes + sent, MIN(len - sent, piece), MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN)
			return;
		sent += n > 0 ? (size_t)n : 0;
		run_dry();
		while (recv(fd, answers, sizeof(answers), MSG_DONTWAIT) > 0)
			;
		run_dry();
		/* It neither takes nor drops: nobody may be able to stop it like that, but a
		 * limit on what it reads at a time is its own business. */
		if (n < 0)
			return;
	}
}

static void check_empty(void)
{
	require(world->bus->peers == NULL, "the peer is gone with its caller");
	require(world->bus->n_peers[BUS_DOOR_STATUS] == 0, "and counted so");
	require(world->bus->n_peers[BUS_DOOR_CONTROL] == 0, "on each door");
	require(world->bus->relays == NULL, "no console is open");
	for (unsigned i = 0; i < 2; i++)
		require(world->guests[i].operations.n == 0, "nothing waits for an operation");
}

/* The first byte: 1 status door, 2 no handshake of ours, 4 requests wait for an operation, 8 they
 * fail, 16 a reload is refused, 32 all comes in pieces that end inside of headers and bodies. The
 * rest: bus_wire.h. As in the daemon, sd-bus gets no byte but from the pump (peer_accept()). */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct wire wire;
	int pair[2];

	if (size < 2)
		return 0;
	world_once();
	core.result = data[0] & 4 ? 1 : data[0] & 8 ? -EPERM : 0;
	core.message = data[0] & 8 ? "given up" : NULL;
	core.reload = data[0] & 16 ? -EINVAL : 0;
	enum bus_door door = data[0] & 1 ? BUS_DOOR_STATUS : BUS_DOOR_CONTROL;
	unsigned requests = core.requests, resets = core.resets, reloads = core.reloads;

	require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0,
		"there are sockets");
	/* Each input has the whole of a user's requests. */
	memset(&world->bus->users, 0, sizeof(world->bus->users));
	peer_accept(world->bus, door, pair[1]);
	wire_fill(&wire, data + 1, size - 1);
	size_t piece = data[0] & 32 ? 61 : SIZE_MAX;
	if (!(data[0] & 2))
		converse(pair[0], (const uint8_t *)hello, sizeof(hello) - 1, piece);
	converse(pair[0], wire.bytes, wire.len, piece);
	require(door == BUS_DOOR_CONTROL || (core.requests == requests && core.resets == resets &&
						    core.reloads == reloads),
		"the status door only reads");
	(void)close(pair[0]);
	run_dry();
	check_empty();
	return 0;
}
