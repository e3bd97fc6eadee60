/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's messages, taken apart by the command: those of this daemon, of a newer one, and of
 * one that is no daemon of ours. */
/* LINK: base model/utf8 cli/client_read cli/fields cli/view */
/* LIBS: libsystemd */
#include "cli/client_read.h"

#include "base/macro.h"
#include "bus/names.h"
#include "cli/view.h"
#include "model/utf8.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define GUEST   BUS_PATH_GUESTS "/a"
#define SERVICE BUS_PATH_GUESTS "/a/service/web"

/* A connection, because messages belong to one; nobody is at its other end. */
static sd_bus *bus;
static struct view view;

static int setup(void **state)
{
	int pair[2];

	(void)state;
	memset(&view, 0, sizeof(view));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_true(sd_bus_new(&bus) >= 0 && sd_bus_set_fd(bus, pair[0], pair[0]) >= 0 &&
		    sd_bus_start(bus) >= 0);
	(void)close(pair[1]);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	sd_bus_close_unref(bus);
	view_free(&view);
	return 0;
}

static sd_bus_message *signal_of(const char *path)
{
	sd_bus_message *m = NULL;

	assert_true(sd_bus_message_new_signal(bus, &m, path, "a.b", "C") >= 0);
	return m;
}

static int read_by(int (*read)(sd_bus_message *m, struct view *v), sd_bus_message *m)
{
	assert_true(sd_bus_message_seal(m, 1, 0) >= 0);
	int r = read(m, &view);
	sd_bus_message_unref(m);
	return r;
}

/* One property of one interface of one object. */
static int added(const char *path, const char *interface, const char *name, const char *types, ...)
{
	sd_bus_message *m = signal_of(BUS_PATH);
	va_list ap;

	assert_true(sd_bus_message_append(m, "o", path) >= 0 &&
		    sd_bus_message_open_container(m, 'a', "{sa{sv}}") >= 0 &&
		    sd_bus_message_open_container(m, 'e', "sa{sv}") >= 0 &&
		    sd_bus_message_append(m, "s", interface) >= 0 &&
		    sd_bus_message_open_container(m, 'a', "{sv}") >= 0 &&
		    sd_bus_message_open_container(m, 'e', "sv") >= 0 &&
		    sd_bus_message_append(m, "s", name) >= 0 &&
		    sd_bus_message_open_container(m, 'v', types) >= 0);
	va_start(ap, types);
	assert_true(sd_bus_message_appendv(m, types, ap) >= 0);
	va_end(ap);
	for (int depth = 0; depth < 5; depth++)
		assert_true(sd_bus_message_close_container(m) >= 0);
	return read_by(object_read, m);
}

static void objects_come(void **state)
{
	(void)state;
	assert_true(added(GUEST, BUS_IFACE_GUEST, "State", "s", "ready") >= 0);
	assert_true(added(GUEST, BUS_IFACE_GUEST, "SSHPort", "q", 10022) >= 0);
	assert_true(added(GUEST, BUS_IFACE_GUEST, "Healthy", "b", 1) >= 0);
	assert_true(added(SERVICE, BUS_IFACE_SERVICE, "DependsOn", "as", 2, "b", "c") >= 0);
	assert_int_equal(view.n_guests, 1);
	struct view_guest *g = view_guest(&view, "a");
	assert_non_null(g);
	assert_string_equal(g->state, "ready");
	assert_int_equal(g->ssh_port, 10022);
	assert_true(g->healthy);
	assert_int_equal(g->n_services, 1);
	assert_string_equal(view_service(g, "web")->depends_on, "b c");
}

/* Of a newer daemon: names we do not know, names with another type, interfaces we do not show. */
static void what_is_not_known_is_skipped(void **state)
{
	(void)state;
	assert_true(added(GUEST, BUS_IFACE_GUEST, "Colour", "s", "green") >= 0);
	assert_true(added(GUEST, BUS_IFACE_GUEST, "State", "t", (uint64_t)7) >= 0);
	assert_true(added(GUEST, BUS_IFACE_GUEST, "SSHPort", "u", 10022u) >= 0);
	assert_string_equal(view_guest(&view, "a")->state, "");
	assert_int_equal(view_guest(&view, "a")->ssh_port, 0);
	assert_true(added(GUEST, "org.freedesktop.DBus.Peer", "State", "s", "ready") >= 0);
	assert_true(added("/somewhere/else", BUS_IFACE_GUEST, "State", "s", "ready") >= 0);
	assert_true(added("/somewhere/else", BUS_IFACE_SERVICE, "State", "s", "up") >= 0);
	assert_string_equal(view_guest(&view, "a")->state, "");
	assert_int_equal(view.n_guests, 1);
}

static void objects_go(void **state)
{
	static const char *const paths[] = { BUS_PATH_GUESTS "/b/service/web", SERVICE, SERVICE,
		BUS_PATH, GUEST, GUEST };
	static const unsigned services[] = { 1, 0, 0, 0 };

	(void)state;
	assert_true(added(SERVICE, BUS_IFACE_SERVICE, "State", "s", "up") >= 0);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		sd_bus_message *m = signal_of(BUS_PATH);

		assert_true(sd_bus_message_append(m, "oas", paths[i], 0) >= 0);
		assert_true(read_by(removed_read, m) >= 0);
		assert_int_equal(view.n_guests, i < 4);
		if (i < 4)
			assert_int_equal(view.guests[0].n_services, services[i]);
	}
}

static int changed(const char *path, const char *interface, const char *state)
{
	sd_bus_message *m = signal_of(path);

	assert_true(
		sd_bus_message_append(m, "sa{sv}as", interface, 1, "State", "s", state, 0) >= 0);
	return read_by(changed_read, m);
}

static void properties_change(void **state)
{
	(void)state;
	assert_true(changed(GUEST, BUS_IFACE_GUEST, "booting") >= 0);
	assert_string_equal(view_guest(&view, "a")->state, "booting");
	assert_true(changed(SERVICE, BUS_IFACE_SERVICE, "down") >= 0);
	assert_string_equal(view_service(view_guest(&view, "a"), "web")->state, "down");
	assert_true(changed(GUEST, BUS_IFACE_GUEST, "ready") >= 0);
	assert_string_equal(view_guest(&view, "a")->state, "ready");

	sd_bus_message *m = signal_of(BUS_PATH);
	assert_true(sd_bus_message_append(m, "sa{sv}as", BUS_IFACE_MANAGER, 2, "Connected", "b", 1,
			    "WedgedQueues", "u", 3, 0) >= 0);
	assert_true(read_by(changed_read, m) >= 0);
	assert_true(view.connected);
	assert_int_equal(view.wedged_queues, 3);
}

/* A message of another shape is an error at whatever depth it is found, and what was read before
 * stays whole. */
static void other_shapes(void **state)
{
	static const struct {
		int (*read)(sd_bus_message *m, struct view *v);
		const char *types;
	} rows[] = {
		{ object_read, "u" },
		{ object_read, "o" },
		{ object_read, "oas" },
		{ object_read, "oa{us}" },
		{ object_read, "oa{su}" },
		{ object_read, "oa{sa{ss}}" },
		{ removed_read, "" },
		{ removed_read, "t" },
		{ changed_read, "u" },
		{ changed_read, "s" },
		{ changed_read, "sa{ss}" },
		{ changed_read, "sa{us}" },
		{ manager_read, "" },
		{ manager_read, "as" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		sd_bus_message *m = signal_of(GUEST);
		const char *t = rows[i].types;

		if (*t == 'u' || *t == 't')
			assert_true(sd_bus_message_append_basic(m, *t++, &(uint64_t){ 1 }) >= 0);
		else if (*t == 'o')
			assert_true(sd_bus_message_append_basic(m, *t++, GUEST) >= 0);
		else if (*t == 's')
			assert_true(sd_bus_message_append_basic(m, *t++, BUS_IFACE_GUEST) >= 0);
		if (strcmp(t, "as") == 0)
			assert_true(sd_bus_message_append(m, "as", 1, "x") >= 0);
		else if (strcmp(t, "a{us}") == 0)
			assert_true(sd_bus_message_append(m, t, 1, 7u, "x") >= 0);
		else if (strcmp(t, "a{su}") == 0)
			assert_true(sd_bus_message_append(m, t, 1, BUS_IFACE_GUEST, 7u) >= 0);
		else if (strcmp(t, "a{ss}") == 0)
			assert_true(sd_bus_message_append(m, t, 1, "State", "x") >= 0);
		else if (strcmp(t, "a{sa{ss}}") == 0)
			assert_true(sd_bus_message_append(
					    m, t, 1, BUS_IFACE_GUEST, 1, "State", "x") >= 0);
		if (read_by(rows[i].read, m) >= 0)
			fail_msg("row %zu was taken", i);
	}
}

/* Whatever the daemon says may be printed, and nothing is longer than its place. */
static void hostile_words(void **state)
{
	char flood[2000];

	(void)state;
	memset(flood, 'x', sizeof(flood) - 1);
	flood[sizeof(flood) - 1] = '\0';
	assert_true(added(GUEST, BUS_IFACE_GUEST, "Reason", "s", "\033[2J\r\nready \\") >= 0);
	struct view_guest *g = view_guest(&view, "a");
	assert_true(utf8_printable(g->reason, strlen(g->reason)));
	assert_non_null(strstr(g->reason, "[2J"));
	assert_true(added(GUEST, BUS_IFACE_GUEST, "BootHint", "s", "C:\\ is fine") >= 0);
	assert_string_equal(g->boot_hint, "C:\\ is fine");
	assert_true(added(GUEST, BUS_IFACE_GUEST, "Reason", "s", flood) >= 0);
	assert_true(strlen(g->reason) < sizeof(g->reason));
	assert_true(
		added(SERVICE, BUS_IFACE_SERVICE, "DependsOn", "as", 3, flood, "b", flood) >= 0);
	assert_string_equal(view_service(g, "web")->depends_on, "b");
	assert_true(added(SERVICE, BUS_IFACE_SERVICE, "DependsOn", "as", 2, "b\033", "c") >= 0);
	const char *depends = view_service(g, "web")->depends_on;
	assert_true(utf8_printable(depends, strlen(depends)));

	/* A name is a name, or there is no such object. */
	static const char *const paths[] = { BUS_PATH_GUESTS "/_1b_5b2J",
		BUS_PATH_GUESTS "/a/service/_0a_0d", BUS_PATH_GUESTS "/_ff", BUS_PATH_GUESTS "/_" };
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		(void)added(paths[i],
			strstr(paths[i], "service") ? BUS_IFACE_SERVICE : BUS_IFACE_GUEST, "State",
			"s", "up");
	for (unsigned i = 0; i < view.n_guests; i++) {
		g = &view.guests[i];
		assert_true(utf8_printable(g->name, strlen(g->name)));
		for (unsigned j = 0; j < g->n_services; j++)
			assert_true(
				utf8_printable(g->services[j].name, strlen(g->services[j].name)));
	}
}

/* More than a daemon may have. */
static void too_many(void **state)
{
	char path[128];

	(void)state;
	for (unsigned i = 0; i < VIEW_GUESTS_MAX + 3; i++) {
		(void)snprintf(path, sizeof(path), BUS_PATH_GUESTS "/g%u", i);
		assert_true(added(path, BUS_IFACE_GUEST, "State", "s", "ready") >= 0);
	}
	assert_int_equal(view.n_guests, VIEW_GUESTS_MAX);
	for (unsigned i = 0; i < VIEW_SERVICES_MAX + 3; i++) {
		(void)snprintf(path, sizeof(path), BUS_PATH_GUESTS "/g0/service/s%u", i);
		assert_true(added(path, BUS_IFACE_SERVICE, "State", "s", "up") >= 0);
	}
	assert_int_equal(view_guest(&view, "g0")->n_services, VIEW_SERVICES_MAX);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(objects_come),
		TEST(what_is_not_known_is_skipped),
		TEST(objects_go),
		TEST(properties_change),
		TEST(other_shapes),
		TEST(hostile_words),
		TEST(too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
