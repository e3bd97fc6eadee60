/* SPDX-License-Identifier: Apache-2.0 */
/* The server when an allocation fails, each in turn, while a caller speaks: the caller is answered,
 * or refused, or dropped; nothing is lost or done twice, and the next caller is served. The
 * caller's bytes are made by hand, because a library of its own would fail too. */
/* clang-format off */
/* LINK: base bus core/console core/cputune_names core/operation core/event core/eventring core/decision core/sight core/tally model policy cli/client_read cli/fields cli/view */
/* clang-format on */
/* LIBS: libsystemd libcbor inih jansson */
#include "alloc_fail.h"
#include "open_files.h"
#include "unit/bus_world.h"

#include "fuzz/bus_wire.h"

#include <sys/resource.h>

static const char hello[] = "\0AUTH ANONYMOUS\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n";

/* What a caller says, and what happens in the daemon after it. */
struct scene {
	enum bus_door door;
	const char *path, *interface, *member, *types;
	const void *body;
	size_t body_len;
	void (*then)(void);
};

static void call_put(struct wire *w, const struct scene *s)
{
	const uint8_t head[] = { 'l', 1, 0, 1 };
	const size_t start = w->len;

	wire_put(w, head, sizeof(head));
	wire_u32(w, (uint32_t)s->body_len);
	wire_u32(w, 7); /* the serial number */
	const size_t length_at = w->len;
	wire_u32(w, 0);
	const size_t fields_at = w->len;
	wire_field(w, start, 1, "o", s->path);
	wire_field(w, start, 2, "s", s->interface);
	wire_field(w, start, 3, "s", s->member);
	if (s->body_len > 0)
		wire_field(w, start, 8, "g", s->types);
	const uint32_t fields = (uint32_t)(w->len - fields_at);
	memcpy(w->bytes + length_at, &fields, sizeof(fields));
	wire_align(w, start, 8);
	if (s->body_len > 0)
		wire_put(w, s->body, s->body_len);
}

/* The loop opens its timers when they are first set. */
static void check_files(unsigned before)
{
	if (alloc.next >= 0)
		assert_int_equal(open_files(), before);
}

/* Throws away what the daemon said; a descriptor in it is closed. */
static size_t hear(int fd)
{
	uint8_t bytes[16384];
	size_t heard = 0;

	for (;;) {
		char control[CMSG_SPACE(4 * sizeof(int))];
		struct iovec iov = { bytes, sizeof(bytes) };
		struct msghdr m = { .msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof(control) };
		ssize_t n = recvmsg(fd, &m, MSG_DONTWAIT);

		if (n <= 0)
			return heard;
		heard += (size_t)n;
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
			if (c->cmsg_type == SCM_RIGHTS)
				(void)close(*(int *)(void *)CMSG_DATA(c));
	}
}

static int arrive(enum bus_door door)
{
	int pair[2];

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	peer_accept(world->bus, door, pair[1]);
	return pair[0];
}

/* The loop may run into the shortage itself, and a connection that ends tries for ever to make the
 * message that says so. */
static void turn(void)
{
	for (int i = 0; i < 100; i++)
		if (sd_event_run(world->event, 0) <= 0)
			return;
}

static void say(int fd, const void *bytes, size_t len)
{
	(void)send(fd, bytes, len, MSG_NOSIGNAL);
	turn();
}

/* What happened is remembered, which is no loss. */
static void forget(struct events *e)
{
	events_free(e);
	*e = (struct events){ 0 };
}

static void bury(int fd)
{
	(void)alloc_disarm();
	turn();
	(void)hear(fd);
	turn();
	(void)close(fd);
	turn();
	forget(&world->supervisor.events);
	assert_null(world->bus->peers);
	assert_int_equal(
		world->bus->n_peers[BUS_DOOR_STATUS] + world->bus->n_peers[BUS_DOOR_CONTROL], 0);
	/* Nobody is left who could be limited: the next one's requests are counted from none. */
	world->bus->users = (struct users){ 0 };
	assert_null(world->bus->relays);
	assert_null(world->bus->paths);
	for (unsigned i = 0; i < 2; i++) {
		forget(&world->guests[i].events);
		assert_int_equal(world->guests[i].operations.n, 0);
	}
}

static void attempt(void *userdata)
{
	const struct scene *s = userdata;
	static struct wire w;
	unsigned files = open_files();
	const unsigned requests = core.requests;

	w.len = 0;
	call_put(&w, s);
	int fd = arrive(s->door);
	say(fd, hello, sizeof(hello) - 1);
	assert_true(hear(fd) > 0);
	alloc_arm();
	say(fd, w.bytes, w.len);
	if (s->then)
		s->then();
	turn();
	bool failed = alloc_disarm();
	turn();
	if (!failed)
		assert_true(hear(fd) > 0 || world->guests[0].operations.n == 1);
	assert_true(core.requests - requests <= 1);
	bury(fd);
	check_files(files);
}

static void answer_it(void)
{
	operations_answer(&world->guests[0].operations, ~0u, -ETIMEDOUT, "too slow");
}

static void forget_it(void)
{
	operations_answer(&world->guests[0].operations, ~0u, 0, NULL);
}

static void write_console(void)
{
	console_write(&world->guests[0].console, "login: ", 7, 0);
}

/* All that is announced at once: changes, an event, and guests that come and go. */
static void announce_all(void)
{
	static const struct event an_event = { .seq = 1, .kind = EVENT_STATE };
	const struct supervisor_observer *o = &world->supervisor.observer;

	world->supervisor.dirty = world->guests[0].dirty = true;
	world->guests[0].services[0].dirty = true;
	o->changed(o->userdata, &world->supervisor);
	o->event(o->userdata, &world->supervisor, &world->guests[0], &an_event);
	turn();
	o->guests_changing(o->userdata, &world->supervisor, false);
	world->supervisor.n_guests = 1;
	o->guests_changing(o->userdata, &world->supervisor, true);
	o->guests_changing(o->userdata, &world->supervisor, false);
	world->supervisor.n_guests = 2;
	o->guests_changing(o->userdata, &world->supervisor, true);
}

#define OBJECT BUS_PATH_GUESTS "/vm_2dmediakit"

static const struct scene scenes[] = {
	{ BUS_DOOR_STATUS, BUS_PATH, BUS_IFACE_MANAGER, "Ping", "", NULL, 0, announce_all },
	{ BUS_DOOR_STATUS, BUS_PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", "",
		NULL, 0, NULL },
	{ BUS_DOOR_STATUS, BUS_PATH, "org.freedesktop.DBus.Introspectable", "Introspect", "", NULL,
		0, NULL },
	{ BUS_DOOR_STATUS, BUS_PATH, BUS_IFACE_MANAGER, "BalloonInputs", "", NULL, 0, NULL },
	{ BUS_DOOR_STATUS, OBJECT, BUS_IFACE_GUEST, "DryRunBalloon", "", NULL, 0, NULL },
	{ BUS_DOOR_STATUS, BUS_PATH, BUS_IFACE_MANAGER, "Reload", "", NULL, 0, NULL },
	{ BUS_DOOR_STATUS, OBJECT, BUS_IFACE_GUEST, "Why", "s", "\0\0\0\0", 5, NULL },
	{ BUS_DOOR_STATUS, BUS_PATH, BUS_IFACE_MANAGER, "ListEvents", "ttu",
		"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x7f\0\0", 20, NULL },
	{ BUS_DOOR_CONTROL, BUS_PATH, BUS_IFACE_MANAGER, "Reload", "", NULL, 0, NULL },
	{ BUS_DOOR_CONTROL, OBJECT, BUS_IFACE_GUEST, "Stop", "", NULL, 0, NULL },
	{ BUS_DOOR_CONTROL, OBJECT, BUS_IFACE_GUEST, "Start", "", NULL, 0, answer_it },
	{ BUS_DOOR_CONTROL, OBJECT, BUS_IFACE_GUEST, "Start", "", NULL, 0, forget_it },
	{ BUS_DOOR_CONTROL, OBJECT, BUS_IFACE_GUEST, "SetBalloon", "t", "\0\0\x40\0\0\0\0", 8,
		answer_it },
	{ BUS_DOOR_CONTROL, OBJECT, BUS_IFACE_GUEST, "ConsoleTail", "", NULL, 0, NULL },
	{ BUS_DOOR_CONTROL, OBJECT, BUS_IFACE_GUEST, "OpenConsole", "u", "\5\0\0", 4,
		write_console },
};

static void every_scene_without_memory(void **state)
{
	(void)state;
	core.result = 1;
	for (size_t i = 0; i < ARRAY_SIZE(scenes); i++) {
		struct view v = { 0 };

		write_console();
		alloc_sweep(attempt, (void *)(uintptr_t)&scenes[i], 2);
		/* And a caller with a library of its own is told everything. */
		sd_bus *good = caller("status");
		load(good, &v);
		assert_int_equal(v.n_guests, 2);
		assert_int_equal(view_guest(&v, "vm-mediakit")->n_services, 2);
		view_free(&v);
		hang_up(good);
	}
}

/* Not swept: libsystemd 252 aborts (bus_free(), "hashmap_isempty(b->nodes)") where memory runs out
 * while objects are registered. Before that a caller is let in or not, and its descriptor is closed
 * in any case. */
static void arriving_without_memory(void **state)
{
	const unsigned files = open_files();
	char byte;

	(void)state;
	for (alloc.next = 0; alloc.next < 2; alloc.next++) {
		alloc_arm();
		int fd = arrive(BUS_DOOR_STATUS);
		assert_true(alloc_disarm());
		assert_null(world->bus->peers);
		assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), 0);
		bury(fd);
		assert_int_equal(open_files(), files);
	}
	int fd = arrive(BUS_DOOR_STATUS);
	assert_non_null(world->bus->peers);
	bury(fd);
}

static bool never_ready(void *userdata)
{
	(void)userdata;
	return false;
}

static void never_dropped(void *userdata, const char *why)
{
	(void)userdata;
	fail_msg("%s", why);
}

/* What carries a caller's bytes, alone: its socket stays the caller's where it does not begin. */
static void attempt_pump(void *userdata)
{
	struct ratelimit rate = { 0 };
	const struct pump_owner owner = {
		.ready = never_ready, .dropped = never_dropped, .rate = &rate
	};
	struct pump *pump = NULL;
	int pair[2], in = -1;

	(void)userdata;
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	alloc_arm();
	int r = pump_new(world->event, pair[1], &owner, now_boottime(), &pump, &in);
	bool failed = alloc_disarm();
	assert_int_equal(r, failed ? -ENOMEM : 0);
	if (r == 0)
		assert_int_equal(close(in), 0);
	else
		assert_int_equal(close(pair[1]), 0);
	pump_free(pump);
	assert_int_equal(close(pair[0]), 0);
}

static void pumps_without_memory(void **state)
{
	(void)state;
	alloc_sweep(attempt_pump, NULL, 3);
}

static void attempt_beginning(void *userdata)
{
	struct bus *b = NULL;

	(void)userdata;
	alloc_arm();
	int r = bus_new(world->event, &world->supervisor, world->dir, &b);
	bool failed = alloc_disarm();
	assert_true(r == 0 || (failed && r == -ENOMEM));
	assert_true((b != NULL) == (r == 0));
	assert_ptr_equal(world->supervisor.observer.userdata, b);
	bus_free(b);
	assert_null(world->supervisor.observer.userdata);
}

static void beginning_without_memory(void **state)
{
	(void)state;
	bus_free(world->bus);
	world->bus = NULL;
	alloc_sweep(attempt_beginning, NULL, 5);
	assert_int_equal(bus_new(world->event, &world->supervisor, world->dir, &world->bus), 0);
}

/* No directory to be in, no name that fits a socket's, no descriptor for whoever comes. */
static void no_room_for_a_door(void **state)
{
	char file[128], longest[256];
	struct bus *b = NULL;
	struct rlimit before, none;

	(void)state;
	snprintf(file, sizeof(file), "%s/status/below", world->dir);
	assert_int_equal(bus_new(world->event, &world->supervisor, file, &b), -ENOTDIR);
	memset(longest, 'x', sizeof(longest));
	snprintf(longest, 64, "%s", world->dir);
	longest[strlen(longest)] = '/';
	longest[200] = '\0';
	assert_int_equal(bus_new(world->event, &world->supervisor, longest, &b), -ENAMETOOLONG);
	assert_int_equal(rmdir(longest), 0);
	assert_null(b);

	int fd = dial("status");
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){ (rlim_t)fd, before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	/* It stays in the queue: the loop must not spin on it for ever here. */
	for (int i = 0; i < 3; i++)
		(void)sd_event_run(world->event, 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_null(world->bus->peers);
	turn();
	assert_int_equal(world->bus->n_peers[BUS_DOOR_STATUS], 1);
	bury(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_scene_without_memory),
		TEST(arriving_without_memory),
		TEST(pumps_without_memory),
		TEST(beginning_without_memory),
		TEST(no_room_for_a_door),
	};

	log_set_sink(take_line);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
