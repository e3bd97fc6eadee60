/* SPDX-License-Identifier: Apache-2.0 */
/* The world of the tests of the bus: a supervisor filled by hand, its server on real sockets, and
 * callers. They share one event loop, so nothing waits for a clock but for the loop to run dry. */
#ifndef MEDIAKIT_TESTS_BUS_WORLD_H
#define MEDIAKIT_TESTS_BUS_WORLD_H

#include "base/log.h"
#include "base/macro.h"
#include "bus/bus.h"
#include "bus/names.h"
#include "bus/pump.h"
#include "bus/relay.h"
#include "bus/server.h"
#include "cli/client_read.h"
#include "core/request.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

/* The supervisor, by hand ---- */

static struct {
	int result; /* of guest_request() */
	const char *message;
	unsigned requests; /* how many came */
	enum operation_kind kind;
	uint64_t kib;
	usec_t span, id;
	char who[64];
	unsigned resets;
	const struct service *restarted;
	int reload;
	unsigned reloads;
	bool removes;  /* a reload takes the second guest away */
	char keys[64]; /* typed into the console */
	size_t n_keys;
} core;

int guest_request(struct guest *g, const struct request *request, usec_t now,
	char message[static REQUEST_MESSAGE_MAX], struct operation **ret_op)
{
	core.requests++;
	core.kind = request->kind;
	core.kib = request->kib;
	core.span = request->span;
	core.id = request->id;
	snprintf(core.who, sizeof(core.who), "%s", request->who);
	if (core.message)
		snprintf(message, REQUEST_MESSAGE_MAX, "%s", core.message);
	if (core.result <= 0)
		return core.result;
	*ret_op = operation_add(&g->operations, request->kind, request->done, request->userdata,
		now, USEC_INFINITY);
	return *ret_op ? 1 : -EBUSY;
}

int ballooning_dry_run(
	const struct guest *g, struct balloon_decision *ret, struct balloon_outcome *ret_outcome)
{
	*ret = g->ballooning.last;
	*ret_outcome = g->supervisor->pool.outcome;
	return g->supervisor->pool.decided ? 0 : -ENODATA;
}

void guest_reset_failed(struct guest *g, const char *who, usec_t now)
{
	(void)g, (void)who, (void)now;
	core.resets++;
}

int guest_cancel_snapshot(struct guest *g, const char *who, usec_t now,
	char message[static REQUEST_MESSAGE_MAX])
{
	(void)g, (void)who, (void)now;
	(void)snprintf(message, REQUEST_MESSAGE_MAX, "no snapshot is being made");
	return -ESRCH;
}

int service_restarted(struct service *s, const char *who, usec_t now,
	char message[static REQUEST_MESSAGE_MAX])
{
	(void)who, (void)now;
	core.restarted = s;
	if (core.result < 0)
		(void)snprintf(message, REQUEST_MESSAGE_MAX, "%s", core.message);
	return MIN(core.result, 0);
}

void supervisor_observe(struct supervisor *s, const struct supervisor_observer *observer)
{
	s->observer = *observer;
}

struct guest *supervisor_find(struct supervisor *s, const char *name)
{
	for (unsigned i = 0; i < s->n_guests; i++)
		if (strcmp(s->guests[i]->spec->name, name) == 0)
			return s->guests[i];
	return NULL;
}

int supervisor_reload(
	struct supervisor *s, usec_t now, struct conf_faults *faults, char **ret_report)
{
	(void)now;
	core.reloads++;
	conf_faults_add(faults, true, "guests.d/a.conf:3: Egress: opens the host's loopback");
	if (core.reload < 0) {
		conf_faults_add(faults, false, "guests.d/a.conf:4: Memroy: no such key");
		return core.reload;
	}
	s->observer.guests_changing(s->observer.userdata, s, false);
	if (core.removes) {
		/* As core does: what waits on the guest is answered before it goes. */
		operations_answer(&s->guests[1]->operations, ~0u, -ECANCELED,
			"removed from the configuration");
		s->n_guests--;
	}
	s->observer.guests_changing(s->observer.userdata, s, true);
	*ret_report = strdup("guest b: removed\n");
	return 0;
}

static inline int console_write_keys(struct hv *hv, const char *uuid, const void *data, size_t len)
{
	(void)hv, (void)uuid;
	memcpy(core.keys + core.n_keys, data, len);
	core.n_keys += len;
	return 0;
}

static inline bool not_wedged(struct hv *hv, const char *uuid)
{
	(void)hv, (void)uuid;
	return false;
}

static const struct hv_vtable hv_vtable = { .console_write = console_write_keys,
	.wedged = not_wedged };

struct world {
	sd_event *event;
	struct hv hv;
	struct spec spec;
	struct guest_spec guest_specs[2];
	struct guest guests[2];
	struct guest *list[2];
	struct supervisor supervisor;
	struct bus *bus;
	char dir[32];
};

static struct world *world;

static inline void make_guest(struct world *w, unsigned i, const char *name)
{
	struct guest_spec *gs = &w->guest_specs[i];
	struct guest *g = &w->guests[i];

	*gs = (struct guest_spec){ .name = (char *)name,
		.hostname = (char *)name,
		.user = "foundry",
		.bind = "127.0.0.1",
		.ssh_port = 10022,
		.cpus = 2,
		.memory_kib = 6 << 20,
		.n_services = 2 };
	snprintf(gs->uuid, sizeof(gs->uuid), "00000000-0000-8000-8000-00000000000%u", i);
	gs->services[0] = (struct service_spec){ .name = "service-fs",
		.port = 9100,
		.host_port = 19100,
		.unit = "service-fs.service",
		.expect = EXPECT_PENDING };
	gs->services[1] = (struct service_spec){ .name = "local-bim",
		.port = 9096,
		.host_port = 19096,
		.unit = "local-bim.service",
		.depends_on = { "service-fs" },
		.n_depends = 1 };
	g->supervisor = &w->supervisor;
	g->spec = gs;
	g->state = GUEST_READY;
	g->state_since_realtime = 1700000000 * USEC_PER_SEC;
	g->want = WANT_UP;
	g->seen = true;
	g->facts.tcg = true;
	g->facts.pid = 4242;
	g->stats_at = now_boottime();
	g->stats = (struct hv_stats){ .balloon_kib = 3 << 20, .usable_kib = HV_STAT_ABSENT };
	g->retry_due = USEC_INFINITY;
	g->n_services = 2;
	for (unsigned j = 0; j < 2; j++) {
		g->services[j].guest = g;
		g->services[j].spec = &gs->services[j];
		g->services[j].host_port = gs->services[j].host_port;
		g->services[j].probe.state = j == 0 ? SERVICE_DOWN : SERVICE_UP;
		g->services[j].probe.last.verdict = j == 0 ? VERDICT_REFUSED : VERDICT_OK;
		g->services[j].probe.last.latency = 12000;
	}
	strcpy(g->services[0].probe.last.reason, "nobody listens: connection reset");
	w->list[i] = g;
}

static inline int setup(void **state)
{
	(void)state;
	memset(&core, 0, sizeof(core));
	world = calloc(1, sizeof(*world));
	world->hv.vtable = &hv_vtable;
	world->spec = (struct spec){
		.connection = "test:///default", .state_dir = "/s", .runtime_dir = "/r"
	};
	world->supervisor = (struct supervisor){ .spec = &world->spec,
		.guests = world->list,
		.n_guests = 2,
		.config.hv = &world->hv,
		.hv_health.connected = true };
	world->supervisor.pool = (struct pool){ .decided = true,
		.in = { .now = 77 * USEC_PER_SEC,
			.total_kib = 8 << 20,
			.available_kib = 1 << 20,
			.psi_some_avg10 = 123,
			.reserve_kib = 2 << 20,
			.critical_kib = 1 << 19 },
		.outcome = { .pressed = true, .need_kib = 1 << 20 } };
	make_guest(world, 0, "vm-mediakit");
	world->guests[0].ballooning.decided = true;
	world->guests[0].ballooning.in = (struct balloon_guest){ .phase = BALLOON_UP,
		.tcg = true,
		.max_kib = 6 << 20,
		.min_kib = 2 << 20,
		.weight = 100,
		.actual_kib = 3 << 20,
		.rss_kib = 3 << 20,
		.usable_kib = 1 << 20,
		.unused_kib = 1 << 19,
		.caches_kib = BALLOON_ABSENT,
		.last_update_sec = 1700000000,
		.latency = 12 * USEC_PER_MSEC };
	world->guests[0].ballooning.last = (struct balloon_decision){ .action = BALLOON_SHRINK,
		.reason = BALLOON_HOST_NEED,
		.from_kib = 3 << 20,
		.target_kib = 2950 << 10,
		.floor_kib = 2 << 20,
		.slack_kib = 512 << 10 };
	make_guest(world, 1, "b.2");
	strcpy(world->dir, "/tmp/test-bus-XXXXXX");
	assert_non_null(mkdtemp(world->dir));
	assert_true(sd_event_new(&world->event) >= 0);
	assert_int_equal(bus_new(world->event, &world->supervisor, world->dir, &world->bus), 0);
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	bus_free(world->bus);
	for (unsigned i = 0; i < 2; i++) {
		operations_answer(&world->guests[i].operations, ~0u, -ECANCELED, "");
		console_free(&world->guests[i].console);
		events_free(&world->guests[i].events);
		decisions_free(&world->guests[i].decisions);
	}
	events_free(&world->supervisor.events);
	sd_event_unref(world->event);
	assert_int_equal(rmdir(world->dir), 0); /* no socket is left */
	free(world);
	return 0;
}

/* The loop until nothing is left to do. */
static inline void run_dry(void)
{
	while (sd_event_run(world->event, 0) > 0)
		;
}

/* Callers ---- */

static inline int dial(const char *door)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", world->dir, door);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static inline sd_bus *caller(const char *door)
{
	sd_bus *b = NULL;
	int fd = dial(door);

	assert_true(sd_bus_new(&b) >= 0 && sd_bus_set_fd(b, fd, fd) >= 0 &&
		    sd_bus_set_anonymous(b, 1) >= 0 && sd_bus_negotiate_fds(b, 1) >= 0 &&
		    sd_bus_start(b) >= 0 && sd_bus_attach_event(b, world->event, 0) >= 0);
	run_dry();
	return b;
}

static inline void hang_up(sd_bus *b)
{
	sd_bus_close_unref(b);
	run_dry();
}

struct answer_box {
	unsigned n;
	sd_bus_message *m;
};

static inline int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct answer_box *box = userdata;

	(void)error;
	box->n++;
	sd_bus_message_unref(box->m);
	box->m = sd_bus_message_ref(m);
	return 0;
}

static const char *const guest_object = "/com/pointsav/MediaKit1/guest/vm_2dmediakit";

static inline void ask(sd_bus *b, struct answer_box *box, const char *path, const char *interface,
	const char *method, const char *types, uint64_t argument)
{
	sd_bus_message *m = NULL;

	*box = (struct answer_box){ 0 };
	assert_true(sd_bus_message_new_method_call(b, &m, NULL, path, interface, method) >= 0);
	if (strcmp(types, "t") == 0)
		assert_true(sd_bus_message_append(m, "t", argument) >= 0);
	if (strcmp(types, "u") == 0)
		assert_true(sd_bus_message_append(m, "u", (uint32_t)argument) >= 0);
	assert_true(sd_bus_call_async(b, NULL, m, on_answer, box, UINT64_MAX) >= 0);
	sd_bus_message_unref(m);
	run_dry();
}

/* A call that wants no answer: the message says so. */
static inline void tell(sd_bus *b, const char *path, const char *interface, const char *method)
{
	sd_bus_message *m = NULL;

	assert_true(sd_bus_message_new_method_call(b, &m, NULL, path, interface, method) >= 0);
	assert_true(sd_bus_message_set_expect_reply(m, 0) >= 0);
	assert_true(sd_bus_send(b, m, NULL) >= 0);
	sd_bus_message_unref(m);
	run_dry();
}

static inline void assert_error(struct answer_box *box, const char *name, const char *message)
{
	assert_int_equal(box->n, 1);
	const sd_bus_error *e = sd_bus_message_get_error(box->m);
	assert_non_null(e);
	assert_string_equal(e->name, name);
	if (message)
		assert_string_equal(e->message, message);
	sd_bus_message_unref(box->m);
}

static inline void assert_text(struct answer_box *box, const char *text)
{
	const char *got = NULL;

	assert_int_equal(box->n, 1);
	assert_null(sd_bus_message_get_error(box->m));
	assert_true(sd_bus_message_read(box->m, "s", &got) > 0);
	assert_string_equal(got, text);
	sd_bus_message_unref(box->m);
}

static inline void load(sd_bus *b, struct view *v)
{
	struct answer_box box;
	int r;

	ask(b, &box, BUS_PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", "", 0);
	assert_int_equal(box.n, 1);
	assert_null(sd_bus_message_get_error(box.m));
	assert_true(sd_bus_message_enter_container(box.m, 'a', "{oa{sa{sv}}}") >= 0);
	while ((r = sd_bus_message_enter_container(box.m, 'e', "oa{sa{sv}}")) > 0) {
		assert_true(object_read(box.m, v) >= 0);
		assert_true(sd_bus_message_exit_container(box.m) >= 0);
	}
	assert_int_equal(r, 0);
	sd_bus_message_unref(box.m);
	view_sort(v);
}

static inline void load_manager(sd_bus *b, struct view *v)
{
	struct answer_box box = { 0 };

	assert_true(
		sd_bus_call_method_async(b, NULL, NULL, BUS_PATH, "org.freedesktop.DBus.Properties",
			"GetAll", on_answer, &box, "s", BUS_IFACE_MANAGER) >= 0);
	run_dry();
	assert_int_equal(box.n, 1);
	assert_true(manager_read(box.m, v) >= 0);
	sd_bus_message_unref(box.m);
}

/* The log of these tests is not looked at; it would only hide the results. */

static inline void take_line(int level, const char *guest, const char *service, const char *line)
{
	(void)level, (void)guest, (void)service, (void)line;
}

struct heard {
	unsigned changed, added, removed;
	char last[128];
};

static inline int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct heard *h = userdata;

	(void)error;
	if (sd_bus_message_is_signal(m, NULL, "PropertiesChanged"))
		h->changed++;
	if (sd_bus_message_is_signal(m, NULL, "InterfacesAdded"))
		h->added++;
	if (sd_bus_message_is_signal(m, NULL, "InterfacesRemoved"))
		h->removed++;
	snprintf(h->last, sizeof(h->last), "%s", sd_bus_message_get_path(m));
	return 0;
}

static inline void changed(void)
{
	world->supervisor.observer.changed(world->supervisor.observer.userdata, &world->supervisor);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
