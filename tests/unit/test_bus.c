/* SPDX-License-Identifier: Apache-2.0 */
/* The D-Bus door over its real sockets: what is shown, what is refused, and that each request is
 * answered once. */
/* LINK: base bus core/console core/cputune_names core/operation core/event core/eventring core/decision core/sight core/tally model policy cli/client_read cli/fields cli/view */
/* LIBS: libsystemd libcbor inih jansson */
#include "unit/bus_world.h"

#include "bus/memory.h"
#include "bus/object.h"

static unsigned mode_of(const char *door)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", world->dir, door);
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	return st.st_mode & 07777;
}

static void sockets_have_their_modes(void **state)
{
	char path[64];
	mode_t before;

	(void)state;
	assert_int_equal(mode_of("status"), 0666);
	assert_int_equal(mode_of("control"), 0660);

	/* Under another umask, and over what a crash left: a socket, and a plain file. */
	bus_free(world->bus);
	snprintf(path, sizeof(path), "%s/status", world->dir);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	snprintf(path, sizeof(path), "%s/control", world->dir);
	int stale = bus_listen(path, 0777, NULL);
	assert_true(stale >= 0);
	close(stale);
	before = umask(0077);
	assert_int_equal(bus_new(world->event, &world->supervisor, world->dir, &world->bus), 0);
	umask(before);
	assert_int_equal(mode_of("status"), 0666);
	assert_int_equal(mode_of("control"), 0660);
}

/* Through the client's own reader, so that both ends agree on names and types. */
static void everything_is_told_at_once(void **state)
{
	struct view v = { 0 };
	sd_bus *b = caller("status");

	(void)state;
	/* One from when the host booted, which is not in the window, and one that stays in it. */
	world->guest_specs[0].restart_window = USEC_PER_SEC;
	world->guests[0].restart.faults[0] = 1;
	world->guests[0].restart.faults[1] = usec_add(now_boottime(), 60 * USEC_PER_SEC);
	world->guests[0].restart.n_faults = 2;
	load(b, &v);
	load_manager(b, &v);
	assert_int_equal(v.n_guests, 2);
	assert_true(v.connected);
	assert_string_equal(v.uri, "test:///default");
	assert_string_equal(v.guests[0].name, "b.2");
	const struct view_guest *g = view_guest(&v, "vm-mediakit");
	assert_string_equal(g->state, "ready");
	assert_true(g->state_since == 1700000000 * USEC_PER_SEC);
	assert_string_equal(g->accelerator, "tcg");
	assert_int_equal(g->pid, 4242);
	assert_int_equal(g->ssh_port, 10022);
	assert_true(g->memory_actual == 3 << 20 && g->memory_usable == VIEW_ABSENT);
	assert_string_equal(g->exit_cause, "none");
	assert_int_equal(g->n_services, 2);
	assert_string_equal(g->services[0].name, "local-bim");
	assert_string_equal(g->services[0].blocked_by, "service-fs");
	assert_string_equal(g->services[0].depends_on, "service-fs");
	assert_true(g->services[0].latency == 12000);
	assert_string_equal(g->services[1].state, "down");
	assert_string_equal(g->services[1].verdict, "refused");
	assert_string_equal(g->services[1].reason, "nobody listens: connection reset");
	assert_string_equal(g->services[1].expect, "pending");
	assert_int_equal(g->faults, 1);
	view_free(&v);
	hang_up(b);
}

/* Points in time to come too; and nothing of it once the run is over. */
static void a_boot_is_told(void **state)
{
	struct guest *guest = &world->guests[0];
	usec_t now = now_boottime();
	struct view v = { 0 };
	sd_bus *b = caller("status");

	(void)state;
	guest->state = GUEST_RUNNING;
	guest->boot.stage = BOOT_SERVICES;
	guest->boot.began = now - 30 * USEC_PER_SEC;
	guest->bootwatch.expected = 45 * USEC_PER_SEC;
	guest->bootwatch.deadline = now + 100 * USEC_PER_SEC;
	guest->bootwatch.stuck = true;
	guest->bootwatch.cloudinit = (struct cloudinit_status){ .state = CLOUDINIT_RUNNING,
		.stage = "modules-final",
		.errors = 1,
		.warnings = 2,
		.quote = "no key | old" };
	load(b, &v);
	const struct view_guest *g = view_guest(&v, "vm-mediakit");
	assert_string_equal(g->boot_stage, "services");
	assert_in_range(now_realtime() - g->boot_began, 29 * USEC_PER_SEC, 40 * USEC_PER_SEC);
	assert_true(g->boot_expected == 45 * USEC_PER_SEC);
	assert_in_range(g->boot_deadline - now_realtime(), 90 * USEC_PER_SEC, 100 * USEC_PER_SEC);
	assert_true(g->boot_stuck);
	assert_string_equal(g->cloudinit_status, "running");
	assert_string_equal(g->cloudinit_stage, "modules-final");
	assert_int_equal(g->cloudinit_errors, 1);
	assert_int_equal(g->cloudinit_warnings, 2);
	assert_string_equal(g->cloudinit_quote, "no key | old");
	view_free(&v);
	guest->state = GUEST_STOPPED;
	load(b, &v);
	g = view_guest(&v, "vm-mediakit");
	assert_true(g->boot_began == 0 && g->boot_expected == 0 && g->boot_deadline == 0);
	assert_false(g->boot_stuck);
	assert_string_equal(g->cloudinit_status, "unknown");
	assert_string_equal(g->cloudinit_quote, "");
	view_free(&v);
	hang_up(b);
}

static void nothing_is_known_of_a_guest_that_is_down(void **state)
{
	struct view v = { 0 };
	sd_bus *b = caller("status");

	(void)state;
	world->guests[0].state = GUEST_STARTING;
	load(b, &v);
	assert_string_equal(view_guest(&v, "vm-mediakit")->accelerator, "");
	view_free(&v);
	world->guests[0].state = GUEST_STOPPED;
	load(b, &v);
	const struct view_guest *g = view_guest(&v, "vm-mediakit");
	assert_string_equal(g->accelerator, "");
	assert_int_equal(g->pid, 0);
	assert_true(g->memory_actual == VIEW_ABSENT);
	view_free(&v);
	hang_up(b);
}

static void the_status_socket_only_reads(void **state)
{
	static const char *const methods[] = { "Start", "Stop", "Kill", "ResetFailed",
		"ConsoleTail" };
	struct answer_box box;
	sd_bus *b = caller("status");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		ask(b, &box, guest_object, BUS_IFACE_GUEST, methods[i], "", 0);
		assert_error(&box, BUS_ERROR_READ_ONLY, NULL);
	}
	/* No interface given: still not through. */
	ask(b, &box, guest_object, NULL, "Stop", "", 0);
	assert_error(&box, BUS_ERROR_READ_ONLY, NULL);
	ask(b, &box, BUS_PATH, BUS_IFACE_MANAGER, "Reload", "", 0);
	assert_error(&box, BUS_ERROR_READ_ONLY, NULL);
	CLEANUP_FREE char *path = service_path(&world->guests[0].services[0]);
	ask(b, &box, path, BUS_IFACE_SERVICE, "Restarted", "", 0);
	assert_error(&box, BUS_ERROR_READ_ONLY, NULL);
	assert_null(core.restarted);
	/* Nor for who does not want to hear that it was refused. */
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
		tell(b, guest_object, BUS_IFACE_GUEST, methods[i]);
	tell(b, BUS_PATH, BUS_IFACE_MANAGER, "Reload");
	assert_int_equal(core.requests, 0);
	assert_int_equal(core.resets, 0);
	assert_int_equal(core.reloads, 0);

	ask(b, &box, BUS_PATH, BUS_IFACE_MANAGER, "Ping", "", 0);
	assert_int_equal(box.n, 1);
	assert_null(sd_bus_message_get_error(box.m));
	sd_bus_message_unref(box.m);
	hang_up(b);
}

static void a_request_is_answered_when_it_is_done(void **state)
{
	struct answer_box box;
	sd_bus *b = caller("control");

	(void)state;
	core.result = 1;
	ask(b, &box, guest_object, BUS_IFACE_GUEST, "Stop", "", 0);
	assert_int_equal(box.n, 0);
	assert_int_equal(core.kind, OPERATION_STOP);
	assert_int_equal(world->guests[0].operations.n, 1);
	operations_answer(
		&world->guests[0].operations, 1u << OPERATION_STOP, 0, "clean, ACPI, 4.1s");
	run_dry();
	assert_text(&box, "clean, ACPI, 4.1s");

	/* It is so already. */
	core.result = 0;
	core.message = "it is running already";
	ask(b, &box, guest_object, BUS_IFACE_GUEST, "Start", "", 0);
	assert_text(&box, "it is running already");

	core.result = 1;
	ask(b, &box, guest_object, BUS_IFACE_GUEST, "SetBalloon", "t", 3 << 20);
	assert_int_equal(core.kind, OPERATION_BALLOON);
	assert_true(core.kib == 3 << 20);
	operations_answer(
		&world->guests[0].operations, ~0u, -ETIMEDOUT, "the guest gives nothing back");
	run_dry();
	assert_error(&box, BUS_ERROR_TIMED_OUT, "the guest gives nothing back");
	sd_bus_message *m = NULL;
	assert_true(sd_bus_message_new_method_call(
			    b, &m, NULL, guest_object, BUS_IFACE_GUEST, "SetBalloonFor") >= 0);
	assert_true(sd_bus_message_append(m, "tt", UINT64_C(3) << 20, 2 * USEC_PER_HOUR) >= 0);
	assert_true(sd_bus_send(b, m, NULL) >= 0);
	sd_bus_message_unref(m);
	run_dry();
	assert_true(core.kib == 3 << 20 && core.span == 2 * USEC_PER_HOUR);
	operations_answer(&world->guests[0].operations, ~0u, 0, "so be it");
	run_dry();

	ask(b, &box, guest_object, BUS_IFACE_GUEST, "ResetFailed", "", 0);
	assert_int_equal(box.n, 1);
	assert_int_equal(core.resets, 1);
	sd_bus_message_unref(box.m);

	const struct guest *g = &world->guests[0];
	CLEANUP_FREE char *path = service_path(&g->services[1]);
	core.result = 0;
	ask(b, &box, path, BUS_IFACE_SERVICE, "Restarted", "", 0);
	assert_int_equal(box.n, 1);
	assert_null(sd_bus_message_get_error(box.m));
	assert_ptr_equal(core.restarted, &g->services[1]);
	sd_bus_message_unref(box.m);
	core.result = -ESRCH;
	core.message = "it is stopped: its services are not asked";
	ask(b, &box, path, BUS_IFACE_SERVICE, "Restarted", "", 0);
	assert_error(&box, BUS_ERROR_NOT_RUNNING, core.message);
	hang_up(b);
}

static void errors_have_names(void **state)
{
	static const struct {
		int error;
		const char *name;
	} rows[] = {
		{ -EBUSY, BUS_ERROR_BUSY },
		{ -ENOENT, BUS_ERROR_NOT_PROVISIONED },
		{ -EADDRINUSE, BUS_ERROR_PORT_TAKEN },
		{ -EPERM, BUS_ERROR_LATCHED },
		{ -ESRCH, BUS_ERROR_NOT_RUNNING },
		{ -ERANGE, BUS_ERROR_INVALID },
		{ -ENOTCONN, BUS_ERROR_NO_HYPERVISOR },
		{ -EIO, BUS_ERROR_FAILED },
	};
	struct answer_box box;
	sd_bus *b = caller("control");

	(void)state;
	core.message = "port 10022 is taken by pid 12 (sshd)";
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		core.result = rows[i].error;
		ask(b, &box, guest_object, BUS_IFACE_GUEST, "Start", "", 0);
		assert_error(&box, rows[i].name, core.message);
	}
	ask(b, &box, "/com/pointsav/MediaKit1/guest/nobody", BUS_IFACE_GUEST, "Start", "", 0);
	assert_error(&box, SD_BUS_ERROR_UNKNOWN_OBJECT, NULL);
	hang_up(b);
}

static void a_caller_that_vanishes_is_forgotten(void **state)
{
	struct answer_box box, other;
	sd_bus *b = caller("control"), *c = caller("control");

	(void)state;
	core.result = 1;
	ask(b, &box, guest_object, BUS_IFACE_GUEST, "Start", "", 0);
	ask(c, &other, guest_object, BUS_IFACE_GUEST, "Start", "", 0);
	assert_int_equal(world->guests[0].operations.n, 2);
	hang_up(b);
	assert_int_equal(world->guests[0].operations.n, 1);
	operations_answer(&world->guests[0].operations, ~0u, 0, "up");
	run_dry();
	assert_text(&other, "up");
	hang_up(c);
}

static void changes_are_told_once_a_turn(void **state)
{
	struct heard heard = { 0 };
	sd_bus *b = caller("status");

	(void)state;
	sd_bus_add_filter(b, NULL, on_signal, &heard);
	world->guests[0].dirty = true;
	changed();
	changed();
	run_dry();
	assert_int_equal(heard.changed, 1);
	assert_string_equal(heard.last, guest_object);
	assert_false(world->guests[0].dirty);

	world->guests[0].services[1].dirty = world->supervisor.dirty = true;
	changed();
	run_dry();
	assert_int_equal(heard.changed, 3);
	assert_false(world->guests[0].services[1].dirty || world->supervisor.dirty);
	hang_up(b);

	/* With nobody there the flags are cleared too. */
	world->guests[0].dirty = true;
	changed();
	run_dry();
	assert_false(world->guests[0].dirty);
}

static void a_reload_tells_what_came_and_went(void **state)
{
	struct heard heard = { 0 };
	struct answer_box box, waiting;
	sd_bus *b = caller("control"), *c = caller("status");
	const char *fault, *report;
	int ok;

	(void)state;
	sd_bus_add_filter(c, NULL, on_signal, &heard);
	core.result = 1;
	ask(b, &waiting, "/com/pointsav/MediaKit1/guest/b_2e2", BUS_IFACE_GUEST, "Start", "", 0);

	core.reload = -EINVAL;
	ask(b, &box, BUS_PATH, BUS_IFACE_MANAGER, "Reload", "", 0);
	assert_true(sd_bus_message_enter_container(box.m, 'a', "s") >= 0);
	assert_true(sd_bus_message_read(box.m, "s", &fault) > 0);
	assert_string_equal(fault, "warning: guests.d/a.conf:3: Egress: opens the host's loopback");
	assert_true(sd_bus_message_read(box.m, "s", &fault) > 0);
	assert_string_equal(fault, "guests.d/a.conf:4: Memroy: no such key");
	assert_true(sd_bus_message_exit_container(box.m) >= 0);
	assert_true(sd_bus_message_read(box.m, "sb", &report, &ok) > 0);
	assert_false(ok);
	sd_bus_message_unref(box.m);
	assert_int_equal(heard.removed, 0);

	core.reload = 0;
	core.removes = true;
	ask(b, &box, BUS_PATH, BUS_IFACE_MANAGER, "Reload", "", 0);
	assert_int_equal(box.n, 1);
	sd_bus_message_unref(box.m);
	assert_int_equal(heard.removed, 3); /* the guest and its two services */
	assert_int_equal(heard.added, 0);
	assert_error(&waiting, BUS_ERROR_CANCELLED, "removed from the configuration");
	hang_up(b);
	hang_up(c);
}

/* What the pool rests on, as it is, and what it would do with it; of a guest that nothing was
 * decided about, nothing. */
static void the_pool_is_told(void **state)
{
	struct answer_box box;
	sd_bus *b = caller("status");
	const char *name, *phase, *action, *reason;
	uint64_t now, total, available, reserve, critical, from, target, floor, slack, need;
	uint32_t psi;
	int tcg;

	(void)state;
	ask(b, &box, BUS_PATH, BUS_IFACE_MANAGER, "BalloonInputs", "", 0);
	assert_int_equal(box.n, 1);
	assert_true(sd_bus_message_read(box.m, "tttutt", &now, &total, &available, &psi, &reserve,
			    &critical) > 0);
	assert_int_equal(now, 77 * USEC_PER_SEC);
	assert_int_equal(total, 8 << 20);
	assert_int_equal(psi, 123);
	assert_int_equal(critical, 1 << 19);
	assert_true(sd_bus_message_enter_container(box.m, 'a', "(" MEMORY_GUEST ")") > 0);
	assert_true(sd_bus_message_enter_container(box.m, 'r', MEMORY_GUEST) > 0);
	assert_true(sd_bus_message_read(box.m, "ssb", &name, &phase, &tcg) > 0);
	assert_string_equal(name, "vm-mediakit");
	assert_string_equal(phase, "up");
	assert_true(tcg);
	assert_true(sd_bus_message_skip(box.m, "ttttuttttttttttt") > 0);
	assert_true(sd_bus_message_exit_container(box.m) > 0);
	/* The other guest is not among them. */
	assert_int_equal(sd_bus_message_enter_container(box.m, 'r', MEMORY_GUEST), 0);
	sd_bus_message_unref(box.m);

	ask(b, &box, guest_object, BUS_IFACE_GUEST, "DryRunBalloon", "", 0);
	assert_int_equal(box.n, 1);
	assert_true(sd_bus_message_read(box.m, "ssttttt", &action, &reason, &from, &target, &floor,
			    &slack, &need) > 0);
	assert_string_equal(action, "shrink");
	assert_int_equal(target, 2950 << 10);
	assert_int_equal(need, 1 << 20);
	sd_bus_message_unref(box.m);

	world->supervisor.pool.decided = false;
	ask(b, &box, BUS_PATH, BUS_IFACE_MANAGER, "BalloonInputs", "", 0);
	assert_error(&box, BUS_ERROR_BUSY, "nothing was decided yet; try again");
	ask(b, &box, guest_object, BUS_IFACE_GUEST, "DryRunBalloon", "", 0);
	assert_error(&box, BUS_ERROR_BUSY, "nothing was decided yet; try again");
	hang_up(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(sockets_have_their_modes),
		TEST(everything_is_told_at_once),
		TEST(a_boot_is_told),
		TEST(nothing_is_known_of_a_guest_that_is_down),
		TEST(the_status_socket_only_reads),
		TEST(a_request_is_answered_when_it_is_done),
		TEST(errors_have_names),
		TEST(a_caller_that_vanishes_is_forgotten),
		TEST(changes_are_told_once_a_turn),
		TEST(a_reload_tells_what_came_and_went),
		TEST(the_pool_is_told),
	};

	log_set_sink(take_line);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
