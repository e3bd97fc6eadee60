/* SPDX-License-Identifier: Apache-2.0 */
/* One caller on a private socket: let in, held to its limits, and buried after the dispatch in
 * which it died.
 *
 * Theory of operation: the status socket is open to every user of the host, so a stranger must not
 * be able to shut others out, fill memory or steal time. Hence a count per door, where a full
 * status door drops the oldest peer of the user who holds the most; a pump that measures what
 * comes in and slows down who asks too often; a bound on what is queued towards a peer that does
 * not read. Breaking a limit costs the connection, because an error reply would be one more message
 * to queue. The kernel checks who may connect, by
 * the mode of the socket's file: credentials seen from a user namespace would lie. For the same
 * reason the D-Bus handshake is anonymous. */
#include "base/log.h"
#include "bus/bus.h"
#include "bus/pump.h"
#include "bus/server.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

static unsigned door_limit(enum bus_door door)
{
	return door == BUS_DOOR_CONTROL ? BUS_PEERS_CONTROL_MAX : BUS_PEERS_STATUS_MAX;
}

void bus_schedule(struct bus *b)
{
	/* Cannot fail on a source that exists; without one (a half-built server) there is nothing
	 * to tell. */
	if (b->turn)
		(void)sd_event_source_set_enabled(b->turn, SD_EVENT_ONESHOT);
}

static void peer_tell(const struct peer *p, const char *why)
{
	log_debug("peer of uid %u, pid %d is dropped: %s", p->uid, p->pid, why);
}

void peer_kill(struct peer *p, const char *why)
{
	if (p->dead)
		return;
	if (why)
		peer_tell(p, why);
	p->dead = true;
	p->server->n_peers[p->door]--;
	if (p->pump)
		pump_stop(p->pump);
	if (p->user)
		user_leave(p->user);
	p->user = NULL;
	bus_schedule(p->server);
}

static void peer_free(struct peer *p)
{
	/* Not flushed: whoever is buried here went away or does not read. */
	sd_bus_close(p->connection);
	sd_bus_unref(p->connection);
	pump_free(p->pump);
	free(p);
}

void peers_sweep(struct bus *b)
{
	for (struct peer **at = &b->peers; *at;) {
		struct peer *p = *at;

		if (p->dead) {
			void (*buried)(struct bus *) = p->buried;

			*at = p->next;
			peer_free(p);
			if (buried)
				buried(b);
		} else {
			at = &p->next;
		}
	}
}

void peers_free(struct bus *b)
{
	for (struct peer *p = b->peers; p; p = p->next)
		peer_kill(p, NULL);
	peers_sweep(b);
}

struct peer *peer_next_live(struct peer *p)
{
	while (p && (p->dead || sd_bus_is_ready(p->connection) <= 0))
		p = p->next;
	return p;
}

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	(void)m, (void)error;
	peer_kill(userdata, NULL);
	return 0;
}

/* Sees every message before anything else does; 1 swallows it. */
static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct peer *p = userdata;
	uint64_t queued = 0;

	(void)error;
	if (sd_bus_message_is_signal(m, "org.freedesktop.DBus.Local", NULL)) {
		/* Connected, perhaps; to be woken for nothing does no harm. */
		if (!p->dead)
			pump_run(p->pump, now_boottime());
		return 0;
	}
	if (p->dead)
		return 1;
	if (sd_bus_get_n_queued_write(p->connection, &queued) >= 0 &&
		queued > BUS_BACKLOG_REQUEST) {
		peer_kill(p, "asks without reading the answers");
		return 1;
	}
	return 0;
}

/* The user with the most connections at this door loses the oldest. The list is newest first. */
static void evict_one(struct bus *b, enum bus_door door)
{
	struct peer *victim = NULL;
	unsigned most = 0;

	for (struct peer *p = b->peers; p; p = p->next) {
		unsigned n = 0;

		if (p->dead || p->door != door)
			continue;
		for (const struct peer *q = b->peers; q; q = q->next)
			n += !q->dead && q->door == door && q->uid == p->uid;
		if (n >= most) {
			most = n;
			victim = p;
		}
	}
	if (victim)
		peer_kill(victim, "the door is full");
}

/* sd-bus gives a socket 8 MiB of kernel memory, in which a stranger who does not read could hold us
 * to that much. */
static int bound_buffer(int fd)
{
	const int bytes = BUS_SEND_BUFFER;

	return setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)) < 0 ? -errno : 0;
}

static bool peer_ready(void *userdata)
{
	const struct peer *p = userdata;

	return sd_bus_is_ready(p->connection) > 0;
}

static void peer_dropped(void *userdata, const char *why)
{
	peer_tell(userdata, why);
}

/* sd-bus reads what the pump lets through, and writes to the caller itself. */
static int peer_wire(struct peer *p, int fd)
{
	if (!p->user)
		return -EUSERS;
	const struct pump_owner owner = {
		.ready = peer_ready, .dropped = peer_dropped, .userdata = p, .rate = &p->user->rate
	};
	CLEANUP_CLOSE int in = -1, out = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (out < 0)
		return -errno;
	int r = pump_new(p->server->event, fd, &owner, now_boottime(), &p->pump, &in);
	if (r < 0 || (r = sd_bus_set_fd(p->connection, in, out)) < 0)
		return r;
	(void)TAKE_FD(in);
	(void)TAKE_FD(out);
	return 0;
}

static int peer_connect(struct peer *p, int fd)
{
	sd_id128_t id;
	int r;

	if ((r = sd_bus_new(&p->connection)) < 0 || (r = sd_id128_randomize(&id)) < 0 ||
		(r = peer_wire(p, fd)) < 0 || (r = sd_bus_set_server(p->connection, 1, id)) < 0 ||
		(r = sd_bus_set_anonymous(p->connection, 1)) < 0 ||
		(r = sd_bus_set_connected_signal(p->connection, 1)) < 0 ||
		(r = sd_bus_negotiate_fds(p->connection, p->door == BUS_DOOR_CONTROL)) < 0 ||
		(r = sd_bus_set_sender(p->connection, BUS_NAME)) < 0 ||
		(r = sd_bus_set_exit_on_disconnect(p->connection, 0)) < 0 ||
		(r = sd_bus_start(p->connection)) < 0 || (r = bound_buffer(fd)) < 0 ||
		(r = sd_bus_match_signal_async(p->connection, NULL, "org.freedesktop.DBus.Local",
			 "/org/freedesktop/DBus/Local", "org.freedesktop.DBus.Local",
			 "Disconnected", on_disconnected, NULL, p)) < 0 ||
		(r = bus_register(p->server, p->connection, p->door == BUS_DOOR_CONTROL)) < 0 ||
		/* Added last, so that it is asked first. */
		(r = sd_bus_add_filter(p->connection, NULL, on_message, p)) < 0)
		return r;
	return sd_bus_attach_event(p->connection, p->server->event, SD_EVENT_PRIORITY_NORMAL);
}

void peer_add(struct bus *b, struct peer *p)
{
	p->next = b->peers;
	b->peers = p;
	b->n_peers[p->door]++;
}

/* The kernel gives the lowest that is free, so a high one says that nearly all are in use. */
static bool is_among_last(int fd)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
	       (rlim_t)fd + BUS_DESCRIPTORS_PEER - 1 + BUS_DESCRIPTORS_KEPT >= limit.rlim_cur;
}

void peer_accept(struct bus *b, enum bus_door door, int fd)
{
	struct ucred who = { .uid = (uid_t)-1 };
	socklen_t size = sizeof(who);

	if (is_among_last(fd)) {
		log_warning(
			"a connection is refused: the last %u descriptors are kept (LimitNOFILE=)",
			BUS_DESCRIPTORS_KEPT);
		(void)close(fd);
		return;
	}
	if (b->n_peers[door] >= door_limit(door) && door == BUS_DOOR_STATUS)
		evict_one(b, door);
	struct peer *p = b->n_peers[door] < door_limit(door) ? calloc(1, sizeof(*p)) : NULL;
	if (!p) {
		log_warning(
			"a connection is refused: %u peers are there already", b->n_peers[door]);
		(void)close(fd);
		return;
	}
	(void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size);
	*p = (struct peer){ .server = b,
		.door = door,
		.uid = who.uid,
		.pid = who.pid,
		.user = user_enter(&b->users, door, who.uid) };

	int r = peer_connect(p, fd);
	if (r < 0) {
		log_warning("a connection cannot be served: %s", strerror(-r));
		if (!p->pump)
			(void)close(fd);
		if (p->user)
			user_leave(p->user);
		peer_free(p);
		return;
	}
	peer_add(b, p);
}
