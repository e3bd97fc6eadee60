/* SPDX-License-Identifier: Apache-2.0 */
/* The server: two doors, what is announced at the end of a loop turn, and a changing set of
 * objects. */
#include "bus/bus.h"

#include "base/file.h"
#include "base/log.h"
#include "bus/object.h"
#include "bus/relay.h"
#include "bus/story.h"
#include "bus/system.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

static void announce(struct bus *b, const char *path, const char *interface)
{
	for (struct peer *p = peer_next_live(b->peers); p; p = peer_next_live(p->next)) {
		uint64_t queued = 0;
		int r = sd_bus_emit_properties_changed_strv(p->connection, path, interface, NULL);

		/* Only memory or the connection itself can fail here; either way this peer missed a
		 * change, and a peer that believes an old state is worse off than one that has to
		 * come back. */
		if (r < 0)
			peer_kill(p, strerror(-r));
		else if (sd_bus_get_n_queued_write(p->connection, &queued) >= 0 &&
			 queued > BUS_BACKLOG_SIGNAL)
			peer_kill(p, "reads too slowly");
	}
}

static void announce_object(struct bus *b, bool *dirty, char *path, const char *interface)
{
	if (path)
		announce(b, path, interface);
	free(path);
	*dirty = false;
}

static void announce_dirty(struct bus *b)
{
	struct supervisor *s = b->supervisor;
	bool heard = peer_next_live(b->peers) != NULL;

	if (s->dirty && heard)
		announce(b, BUS_PATH, BUS_IFACE_MANAGER);
	s->dirty = false;
	for (unsigned i = 0; i < s->n_guests; i++) {
		struct guest *g = s->guests[i];

		if (g->dirty)
			announce_object(
				b, &g->dirty, heard ? guest_path(g) : NULL, BUS_IFACE_GUEST);
		for (unsigned j = 0; j < g->n_services; j++)
			if (g->services[j].dirty)
				announce_object(b, &g->services[j].dirty,
					heard ? service_path(&g->services[j]) : NULL,
					BUS_IFACE_SERVICE);
	}
}

static int on_turn(sd_event_source *source, void *userdata)
{
	struct bus *b = userdata;

	(void)source;
	announce_dirty(b);
	peers_sweep(b);
	return 0;
}

static void on_changed(void *userdata, struct supervisor *s)
{
	(void)s;
	bus_schedule(userdata);
}

/* At once and not at the end of the turn: the order of events is their meaning. */
static void on_event(
	void *userdata, struct supervisor *s, const struct guest *g, const struct event *event)
{
	struct bus *b = userdata;

	(void)s;
	for (struct peer *p = peer_next_live(b->peers); p; p = peer_next_live(p->next)) {
		int r = story_emit(p->connection, g ? g->spec->name : "", event);
		if (r < 0)
			peer_kill(p, strerror(-r));
	}
}

static bool path_in(char **paths, const char *path)
{
	for (; paths && *paths; paths++)
		if (strcmp(*paths, path) == 0)
			return true;
	return false;
}

/* Tells of every path of `these` that is not among `those`, as come or gone. */
static void announce_set(struct bus *b, char **these, char **those, bool come)
{
	for (; these && *these; these++) {
		const char *interface =
			strstr(*these, "/service/") ? BUS_IFACE_SERVICE : BUS_IFACE_GUEST;
		char *interfaces[] = { (char *)interface, NULL };

		if (path_in(those, *these))
			continue;
		for (struct peer *p = peer_next_live(b->peers); p; p = peer_next_live(p->next)) {
			int r = come ? sd_bus_emit_interfaces_added_strv(
					       p->connection, *these, interfaces)
				     : sd_bus_emit_interfaces_removed_strv(
					       p->connection, *these, interfaces);
			if (r < 0)
				peer_kill(p, strerror(-r));
		}
	}
}

/* Objects that go cannot be asked any more, so the paths of before are kept and compared. */
static void on_guests_changing(void *userdata, struct supervisor *s, bool after)
{
	struct bus *b = userdata;
	char **paths = NULL;

	(void)s;
	if (!after)
		announce_dirty(b);
	(void)objects_enumerate(NULL, NULL, b, &paths, NULL);
	if (after) {
		announce_set(b, b->paths, paths, false);
		announce_set(b, paths, b->paths, true);
		relays_check(b);
	}
	paths_free(b->paths);
	b->paths = NULL;
	if (after)
		paths_free(paths);
	else
		b->paths = paths;
}

static int on_connection(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct bus *b = userdata;
	int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (peer >= 0)
		peer_accept(b,
			source == b->doors[BUS_DOOR_CONTROL].source ? BUS_DOOR_CONTROL
								    : BUS_DOOR_STATUS,
			peer);
	else if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
		log_warning("cannot accept a connection: %m");
	return 0;
}

static int door_open(struct bus *b, enum bus_door door, const char *dir)
{
	static const struct {
		const char *name;
		mode_t mode;
		const char *group;
	} doors[BUS_SOCKET_NUM] = {
		[BUS_DOOR_STATUS] = { BUS_SOCKET_STATUS, 0666, NULL },
		[BUS_DOOR_CONTROL] = { BUS_SOCKET_CONTROL, 0660, BUS_CONTROL_GROUP },
	};
	char *path = path_join(dir, doors[door].name);
	if (!path)
		return -ENOMEM;

	int fd = bus_listen(path, doors[door].mode, doors[door].group);
	if (fd < 0) {
		log_error("cannot listen on %s: %s", path, strerror(-fd));
		free(path);
		return fd;
	}
	b->doors[door].path = path;
	b->doors[door].fd = fd;

	int r = sd_event_add_io(b->event, &b->doors[door].source, fd, EPOLLIN, on_connection, b);
	return r < 0 ? r
		     : sd_event_source_set_ratelimit(
			       b->doors[door].source, USEC_PER_SEC, BUS_ACCEPTS_PER_SEC);
}

static int bus_start(struct bus *b, const char *dir)
{
	int r = dir_make(dir, 0755);
	if (r < 0) {
		log_error("cannot make the directory %s: %s", dir, strerror(-r));
		return r;
	}
	if ((r = sd_event_add_defer(b->event, &b->turn, on_turn, b)) < 0 ||
		(r = sd_event_source_set_enabled(b->turn, SD_EVENT_OFF)) < 0 ||
		(r = sd_event_source_set_priority(b->turn, BUS_PRIORITY_FLUSH)) < 0)
		return r;
	for (int door = 0; door < BUS_SOCKET_NUM; door++)
		if ((r = door_open(b, door, dir)) < 0)
			return r;
	return 0;
}

int bus_new(sd_event *event, struct supervisor *s, const char *runtime_dir, struct bus **ret)
{
	struct bus *b = calloc(1, sizeof(*b));
	if (!b)
		return -ENOMEM;
	b->event = sd_event_ref(event);
	b->supervisor = s;
	for (int door = 0; door < BUS_SOCKET_NUM; door++)
		b->doors[door].fd = -1;

	int r = bus_start(b, runtime_dir);
	if (r < 0) {
		bus_free(b);
		return r;
	}
	const struct supervisor_observer observer = { .changed = on_changed,
		.guests_changing = on_guests_changing,
		.event = on_event,
		.userdata = b };
	supervisor_observe(s, &observer);
	*ret = b;
	return 0;
}

void bus_leave_loop(struct bus *b)
{
	for (struct peer *p = b ? b->peers : NULL; p; p = p->next)
		(void)sd_bus_detach_event(p->connection);
}

void bus_free(struct bus *b)
{
	if (!b)
		return;
	if (b->supervisor->observer.userdata == b)
		supervisor_observe(b->supervisor, &(const struct supervisor_observer){ 0 });
	relays_free(b);
	system_close(b);
	peers_free(b);
	for (int door = 0; door < BUS_SOCKET_NUM; door++) {
		sd_event_source_disable_unref(b->doors[door].source);
		if (b->doors[door].fd >= 0)
			(void)close(b->doors[door].fd);
		if (b->doors[door].path)
			(void)unlink(b->doors[door].path);
		free(b->doors[door].path);
	}
	sd_event_source_disable_unref(b->turn);
	paths_free(b->paths);
	sd_event_unref(b->event);
	free(b);
}
