/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this floor share: the server, its peers, its console relays. Nobody else
 * includes it. */
#ifndef MEDIAKIT_BUS_SERVER_H
#define MEDIAKIT_BUS_SERVER_H

#include "bus/bus.h"
#include "bus/names.h"
#include "bus/user.h"
#include "core/supervisor.h"

/* Limits of what strangers can make the daemon hold. */
#define BUS_PEERS_STATUS_MAX  48u /* one more: the oldest of whoever holds the most goes */
#define BUS_PEERS_CONTROL_MAX 16u /* one more: refused */
static_assert(BUS_PEERS_STATUS_MAX + BUS_PEERS_CONTROL_MAX <= USERS_MAX, "a user for each");
/* The last descriptors below RLIMIT_NOFILE are no caller's: a word to systemd's watchdog, a state
 * file, a question to a service take one each. */
#define BUS_DESCRIPTORS_KEPT 16u
/* A private peer's: its socket, once more for what sd-bus writes, and a pair. */
#define BUS_DESCRIPTORS_PEER 4u
/* per socket; then the listening socket rests for the rest of the second */
#define BUS_ACCEPTS_PER_SEC 200u
/* bytes the kernel holds towards one peer; it doubles the number */
#define BUS_SEND_BUFFER     (128 * 1024)
#define BUS_BACKLOG_REQUEST 16u /* unsent messages with which a peer may still ask */
/* unsent messages with which a peer is too slow and is dropped */
#define BUS_BACKLOG_SIGNAL 64u

/* Sources of the floor stand behind those that collect facts, so that one signal tells all of a
 * turn. */
#define BUS_PRIORITY_FLUSH (SD_EVENT_PRIORITY_NORMAL + 10)

/* Two sockets that listen, and the system bus. */
enum bus_door { BUS_DOOR_STATUS, BUS_DOOR_CONTROL, BUS_DOOR_SYSTEM, BUS_DOOR_NUM };
#define BUS_SOCKET_NUM BUS_DOOR_SYSTEM

struct pump;

/* One connection, private or to the system bus. It may be found dead in its own callback, so it is
 * marked and swept after dispatch. */
struct peer {
	struct peer *next;
	struct bus *server;
	sd_bus *connection;
	enum bus_door door;
	bool dead;
	/* Of a private one; sd-bus would take us for the caller, whose socket it does not read. */
	uid_t uid;
	pid_t pid;
	struct user *user; /* NULL once dead */
	struct pump *pump;
	/* After it is freed; or NULL. */
	void (*buried)(struct bus *b);
};

/* The object a path names, filled by the `find` callbacks and handed to the getters and methods of
 * the same dispatch. One scratch place is enough because sd-bus calls the two back to back;
 * handlers copy what they keep. */
struct bus_target {
	struct bus *server;
	struct guest *guest;
	struct service *service; /* NULL for the guest's own object */
};

struct relay;
struct polkit;

struct bus {
	sd_event *event;
	struct supervisor *supervisor;
	struct {
		int fd;
		char *path;
		sd_event_source *source;
	} doors[BUS_SOCKET_NUM];
	struct peer *peers; /* newest first */
	struct users users;
	unsigned n_peers[BUS_DOOR_NUM];
	/* runs once at the end of a loop turn: signals, then the dead are swept */
	sd_event_source *turn;
	struct bus_target target;
	struct {
		struct polkit *polkit; /* of the present connection; NULL without one */
		sd_event_source *retry;
		usec_t delay; /* before the next attempt */
	} system;
	struct relay *relays;
	/* of all objects before the set of guests changed, NULL-terminated; or NULL */
	char **paths;
};

/* register.c: does this call only read? What is not listed there is a write. */
bool bus_method_reads(sd_bus_message *m);

/* peer.c: at the end of this loop turn, announce what is dirty and sweep what is dead. */
void bus_schedule(struct bus *b);
/* Takes the descriptor over in any case. */
void peer_accept(struct bus *b, enum bus_door door, int fd);
/* A connection that is set up becomes one of those that hear signals and are buried. */
void peer_add(struct bus *b, struct peer *p);
void peer_kill(struct peer *p, const char *why);
void peers_sweep(struct bus *b);
void peers_free(struct bus *b);
/* p or the next one after it that takes signals; NULL at the end */
struct peer *peer_next_live(struct peer *p);

/* listen.c: a listening socket of that mode from its first moment, whatever the
 * umask; or -errno. */
int bus_listen(const char *path, mode_t mode, const char *group);

#endif
